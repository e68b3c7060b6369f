"""Bias, LRN, MVN: hand-worked cases, properties, messages."""

from __future__ import annotations

import numpy as np
import pytest

from deeplab_caffe.errors import InputError


def _random(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, shape)


def _gradient(built, diff) -> np.ndarray:
    built.blobs["top"].diff[...] = diff
    built.backward(start="layer", end="layer")
    return built.blobs["in0"].diff


def test_bias_by_hand(layer):
    x = np.arange(4.0).reshape(1, 2, 2)
    built = layer('type: "Bias"', x, back=True, run=False)
    bias = built.params["layer"][0]
    assert bias.data.tolist() == [0, 0]
    bias.data[...] = [10, 20]
    built.forward()
    assert built.blobs["top"].data.tolist() == [[[10, 11], [22, 23]]]
    assert _gradient(built, [[[1, 2], [3, 4]]]).tolist() == [[[1, 2], [3, 4]]]
    assert bias.diff.tolist() == [3, 7]


@pytest.mark.parametrize(
    ("text", "shape"),
    [("axis: 0", (2,)), ("num_axes: 2", (3, 4)), ("axis: 1 num_axes: -1", (3, 4)), ("num_axes: 0", ())],
)
def test_bias_spans_axes(layer, text, shape):
    assert layer(f'type: "Bias" bias_param {{ {text} }}', _random(2, 3, 4)).params["layer"][0].shape == shape


def test_bias_from_a_second_bottom(layer):
    x, b = _random(2, 3, 4), np.array(5.0)
    np.testing.assert_allclose(layer('type: "Bias"', x, b).blobs["top"].data, x + 5, rtol=1e-6)
    built = layer('type: "Bias" bias_param { axis: 0 }', x, _random(2, 3), back=True)
    _gradient(built, 1.0)
    assert (built.blobs["in1"].diff == 4).all()
    assert "layer" not in built.params


def test_bias_is_scale_with_bias_term(layer):
    x = _random(2, 3, 4)
    filler = 'filler { type: "uniform" }'
    biased = layer(f'type: "Bias" bias_param {{ {filler} }}', x)
    scaled = layer('type: "Scale" scale_param { bias_term: true }', x, run=False)
    scaled.params["layer"][1].data[...] = biased.params["layer"][0].data
    np.testing.assert_allclose(scaled.forward()["top"], biased.blobs["top"].data, rtol=1e-6)


def test_lrn_across_channels_by_hand(layer):
    x = np.array([1.0, 2, 3]).reshape(1, 3, 1, 1)
    built = layer('type: "LRN" lrn_param { local_size: 3 alpha: 3 beta: 1 k: 2 }', x)
    np.testing.assert_allclose(built.blobs["top"].data.ravel(), [1 / 7, 2 / 16, 3 / 15], rtol=1e-6)


def test_lrn_within_a_channel_by_hand(layer):
    text = 'type: "LRN" lrn_param { local_size: 3 alpha: 9 beta: 1 k: 5 norm_region: WITHIN_CHANNEL }'
    built = layer(text, np.array([1.0, 2, 3]).reshape(1, 1, 1, 3))
    np.testing.assert_allclose(built.blobs["top"].data.ravel(), [1 / 6, 2 / 15, 3 / 14], rtol=1e-6)


def test_lrn_of_one_channel_alone_is_a_function_of_it(layer):
    x = _random(2, 4, 3, 3)
    built = layer('type: "LRN" lrn_param { local_size: 1 }', x)
    np.testing.assert_allclose(built.blobs["top"].data, x * (1 + x**2) ** -0.75, rtol=1e-5)


def test_mvn_by_hand(layer):
    x = np.array([1.0, 3, 10, 10]).reshape(1, 2, 1, 2)
    assert layer('type: "MVN" mvn_param { normalize_variance: false }', x).blobs["top"].data.ravel().tolist() == [
        -1,
        1,
        0,
        0,
    ]
    built = layer('type: "MVN" mvn_param { eps: 1 }', x, back=True)
    assert built.blobs["top"].data.ravel().tolist() == [-0.5, 0.5, 0, 0]
    # y (dy·y) mean: (dy - 1/2 - y·(1/4)) / 2 in the first channel, (dy - 1/2) / 1 in the flat one
    np.testing.assert_allclose(
        _gradient(built, np.array([0.0, 1, 0, 1]).reshape(1, 2, 1, 2)).ravel(), [-0.1875, 0.1875, -0.5, 0.5], rtol=1e-6
    )


def test_mvn_gives_mean_zero_and_deviation_one(layer):
    x = 5 + 3 * _random(2, 3, 4, 5)
    for text, axes in (("", (2, 3)), ("across_channels: true", (1, 2, 3))):
        y = layer(f'type: "MVN" mvn_param {{ {text} }}', x).blobs["top"].data
        np.testing.assert_allclose(y.mean(axes), 0, atol=1e-6)
        np.testing.assert_allclose(y.std(axes), 1, rtol=1e-5)


def test_mvn_reads_four_axes(layer):
    built = layer('type: "MVN" mvn_param { across_channels: true }', _random(2, 3))
    assert built.blobs["top"].shape == (2, 3, 1, 1)


@pytest.mark.parametrize(
    ("text", "shape", "message"),
    [
        ('type: "Bias" bias_param { num_axes: 3 }', (2, 3, 4), "num_axes 3 from axis 1 reaches past the end"),
        ('type: "Bias" bias_param { axis: 3 }', (2, 3, 4), "axis 3 is outside a bottom of 3 axes"),
        ('type: "LRN" lrn_param { local_size: 4 }', (1, 1, 1, 1), "local_size is 4, wanted an odd number"),
        ('type: "LRN"', (2, 3), "wanted 4 .N, C, H, W."),
        ('type: "LRN" top: "in0"', (1, 1, 1, 1), "cannot work in place"),
        ('type: "MVN"', (1, 1, 1, 1, 1), "has 5 axes, wanted at most 4"),
        ('type: "MVN" top: "in0"', (2, 3), r"cannot work in place: it makes \(2, 3, 1, 1\) of \(2, 3\)"),
    ],
)
def test_messages(layer, text, shape, message):
    with pytest.raises(InputError, match=message):
        layer(text, np.zeros(shape))


def test_bias_that_does_not_fit(layer):
    with pytest.raises(InputError, match=r"a bias of shape \(4,\) does not fit bottom \(2, 3, 4\) at axis 1"):
        layer('type: "Bias"', np.zeros((2, 3, 4)), np.zeros(4))
