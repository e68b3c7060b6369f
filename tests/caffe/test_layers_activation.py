"""Element-wise functions: hand-worked values and gradients, one property, messages."""

from __future__ import annotations

import math

import numpy as np
import pytest

from deeplab_caffe import caffe
from deeplab_caffe.errors import InputError

_E = math.e
_SIGMOID1 = 1 / (1 + math.exp(-1))


def _gradient(built, diff=1.0) -> np.ndarray:
    built.blobs["top"].diff[...] = diff
    built.backward(start="layer", end="layer")
    return built.blobs["in0"].diff


@pytest.mark.parametrize(
    ("text", "x", "y", "factor"),
    [
        ('type: "AbsVal"', [-2, 0, 3], [2, 0, 3], [-1, 0, 1]),
        ('type: "BNLL"', [0, 1, -100, 60], [math.log(2), math.log(1 + _E), 0, 60], [0.5, _SIGMOID1, 0, 1]),
        ('type: "Clip" clip_param { min: -1 max: 2 }', [-3, -1, 0, 2, 5], [-1, -1, 0, 2, 2], [0, 1, 1, 1, 0]),
        ('type: "ELU" elu_param { alpha: 2 }', [-1, 0, 3], [2 / _E - 2, 0, 3], [2 / _E, 2, 1]),
        ('type: "Exp"', [0, 1, -1], [1, _E, 1 / _E], [1, _E, 1 / _E]),
        (
            'type: "Exp" exp_param { base: 2 scale: 3 shift: 1 }',
            [0, 1],
            [2, 16],
            [6 * math.log(2), 48 * math.log(2)],
        ),
        ('type: "Exp" exp_param { shift: 2 }', [0, -2], [_E**2, 1], [_E**2, 1]),
        ('type: "Log"', [1, _E], [0, 1], [1, 1 / _E]),
        (
            'type: "Log" log_param { base: 2 scale: 3 shift: 1 }',
            [1, 5],
            [2, 4],
            [3 / (4 * math.log(2)), 3 / (16 * math.log(2))],
        ),
        ('type: "Power" power_param { scale: 2 shift: 1 }', [3, -1], [7, -1], [2, 2]),
        ('type: "Power" power_param { power: 2 scale: 2 shift: 1 }', [3, -0.5], [49, 0], [28, 0]),
        ('type: "Power" power_param { power: 3 scale: 2 }', [1, -2], [8, -64], [24, 96]),
        ('type: "Power" power_param { power: 0 shift: 7 }', [3, 0], [1, 1], [0, 0]),
        ('type: "Power" power_param { power: 2 scale: 0 shift: 3 }', [5, 0], [9, 9], [0, 0]),
        ('type: "Sigmoid"', [0, 1, -1], [0.5, _SIGMOID1, 1 - _SIGMOID1], [0.25] + [_SIGMOID1 * (1 - _SIGMOID1)] * 2),
        ('type: "TanH"', [0, 1], [0, math.tanh(1)], [1, 1 - math.tanh(1) ** 2]),
        (
            'type: "Swish" swish_param { beta: 0.5 }',
            [0, 2],
            [0, 2 * _SIGMOID1],
            [0.5, _SIGMOID1 + _SIGMOID1 * (1 - _SIGMOID1)],
        ),
        (
            'type: "HardSwish"',
            [-4, -2, -1.5, 0, 1, 2, 6],
            [0, -1 / 3, -0.375, 0, 2 / 3, 5 / 3, 6],
            [0, -1 / 6, 0, 0.5, 5 / 6, 7 / 6, 1],
        ),
    ],
)
def test_by_hand(layer, text, x, y, factor):
    built = layer(text, np.array([x], np.float32), back=True)
    np.testing.assert_allclose(built.blobs["top"].data[0], y, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(_gradient(built, 2.0)[0], 2 * np.array(factor), rtol=1e-5, atol=1e-6)


def test_power_has_no_gradient_at_zero(layer):
    """Caffe divides by the base of the power there."""
    built = layer('type: "Power" power_param { power: 3 }', np.array([0.0, 1.0]), back=True)
    assert built.blobs["top"].data.tolist() == [0, 1]
    gradient = _gradient(built)
    assert np.isnan(gradient[0]) and gradient[1] == 3


def test_threshold_is_strict_and_has_no_gradient(layer, net):
    built = layer('type: "Threshold" threshold_param { threshold: 1 }', np.array([0.5, 1, 1.5]), back=True)
    assert built.blobs["top"].data.tolist() == [0, 0, 1]
    text = (
        'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 } } }'
        'layer { name: "layer" type: "Threshold" bottom: "x" top: "y" propagate_down: true loss_weight: 1 }'
    )
    forced = net("force_backward: true " + text)
    forced.forward()
    with pytest.raises(InputError, match="bottom x has no gradient; state propagate_down: false"):
        forced.backward()


@pytest.mark.parametrize(
    ("shared", "slopes", "y", "slope_diff"),
    [
        ("", [0.5, 2], [[[-1, 3], [-8, 0]]], [-2, -4]),
        ("channel_shared: true", 0.5, [[[-1, 3], [-2, 0]]], -6),
    ],
)
def test_prelu_by_hand(layer, shared, slopes, y, slope_diff):
    x = np.array([[[-2, 3], [-4, 0]]])
    built = layer(f'type: "PReLU" prelu_param {{ {shared} }}', x, back=True, run=False)
    slope = built.params["layer"][0]
    assert (slope.data == 0.25).all()
    slope.data[...] = slopes
    built.forward()
    assert built.blobs["top"].data.tolist() == y
    slope.diff[...] = 100
    gradient = _gradient(built)
    s = np.broadcast_to(slopes, (2,))
    assert gradient.tolist() == [[[s[0], 1], [s[1], s[1]]]]
    assert slope.diff.tolist() == (100 + np.array(slope_diff)).tolist()


@pytest.mark.parametrize(
    "text",
    [
        'type: "BNLL"',
        'type: "Clip" clip_param { min: -0.5 max: 0.5 }',
        'type: "ELU"',
        'type: "Exp"',
        'type: "Power" power_param { power: 2 shift: 1 }',
        'type: "PReLU"',
        'type: "Sigmoid"',
        'type: "Swish"',
        'type: "HardSwish"',
        'type: "TanH"',
    ],
)
def test_in_place_is_the_same(layer, text):
    x = np.random.default_rng(0).uniform(-1, 1, (2, 3, 4))
    apart = layer(text, x, back=True)
    place = layer(f'top: "in0" {text}', x, back=True)
    np.testing.assert_array_equal(place.blobs["in0"].data, apart.blobs["top"].data)
    expected = _gradient(apart, x)
    place.blobs["in0"].diff[...] = x
    place.backward(start="layer", end="layer")
    np.testing.assert_array_equal(place.blobs["in0"].diff, expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('type: "AbsVal" top: "in0"', "cannot work in place"),
        ('type: "Exp" exp_param { base: 0 }', "base is 0, wanted a positive number, or -1 for e"),
        ('type: "Log" log_param { base: -2 }', "base is -2, wanted a positive number, or -1 for e"),
        ('type: "Log" log_param { base: 1 }', "base is 1, which has no logarithm"),
        ('type: "PReLU"', r"bottom \(3,\) has no channel axis"),
    ],
)
def test_messages(layer, text, message):
    with pytest.raises(InputError, match=message):
        layer(text, np.zeros(3))


@pytest.mark.parametrize(("stated", "missing"), [("", "min and no max"), ("min: 1", "max"), ("max: 1", "min")])
def test_clip_wants_both_ends(message, stated, missing):
    text = f'layer {{ name: "layer" type: "Clip" bottom: "x" top: "y" clip_param {{ {stated} }} }}'
    text = 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 } } }' + text
    with pytest.raises(InputError, match=missing.replace(" and no ", ".*")):
        caffe.Net.from_param(message(text), caffe.TEST)


def test_prelu_wants_the_channels_it_learned(layer):
    built = layer('type: "PReLU"', np.zeros((1, 3, 2)))
    built.blobs["in0"].reshape(1, 4, 2)
    with pytest.raises(InputError, match=r"bottom \(1, 4, 2\) does not fit the slopes of 3 channels"):
        built.forward()
