"""BN of PSPNet and SegNet: hand-worked results, statistics, gradients, error messages."""

from __future__ import annotations

import numpy as np
import pytest

from cases import values
from deeplab_caffe import caffe
from deeplab_caffe.errors import InputError
from tolerances import TINY


def _net(layer, more: str, array, **fields):
    return layer(f'type: "BN" bn_param {{ {more} }}', array, **fields)


def _set(net, *numbers) -> None:
    for blob, value in zip(net.params["layer"], numbers, strict=True):
        blob.data[...] = value


def test_stored_statistics(layer):
    net = _net(layer, "eps: 0", np.array([[[[3.0, 5]]]]), run=False)
    assert [blob.shape for blob in net.params["layer"]] == [(1, 1, 1, 1)] * 4
    _set(net, 10, 1, 4, 0.25)
    np.testing.assert_array_equal(net.forward()["top"], [[[[-19, 21]]]])


def test_initial_values_pass_the_bottom_through(layer):
    x = values(2, 3, 2, 2)
    np.testing.assert_allclose(_net(layer, "eps: 0", x).blobs["top"].data, x, rtol=1e-6)


def test_batch_statistics_and_their_averages(layer):
    """Values 1 3 5 7: mean 4, biased variance 5; stored 0.9 · 100 + 0.1 · 4, and 0.9 · 200 + 0.1 · 5."""
    net = _net(layer, "eps: 0", np.array([[[[1.0, 3]]], [[[5, 7]]]]), phase=caffe.TRAIN, run=False)
    _set(net, 2, 1, 100, 200)
    top = net.forward()["top"]
    expected = 2 * (np.array([1, 3, 5, 7]) - 4) / np.sqrt(5) + 1
    np.testing.assert_allclose(top.ravel(), expected, rtol=1e-6, atol=TINY)  # the second is 1 - 0.89
    np.testing.assert_allclose([net.params["layer"][i].data.item() for i in (2, 3)], [90.4, 180.5], rtol=1e-6)
    np.testing.assert_allclose([net.params["layer"][i].data.item() for i in (0, 1)], [2, 1])


def test_momentum_is_the_share_of_the_stored(layer):
    net = _net(layer, "momentum: 0.25", np.array([[[[8.0, 8]]]]), phase=caffe.TRAIN, run=False)
    _set(net, 1, 0, 4, 0)
    net.forward()
    assert net.params["layer"][2].data.item() == 0.25 * 4 + 0.75 * 8


def test_frozen_uses_the_stored_ones_in_training(layer):
    net = _net(layer, "frozen: true eps: 0", np.array([[[[3.0, 5]]]]), phase=caffe.TRAIN, run=False)
    _set(net, 1, 0, 4, 1)
    np.testing.assert_array_equal(net.forward()["top"], [[[[-1, 1]]]])
    np.testing.assert_array_equal([blob.data.item() for blob in net.params["layer"]], [1, 0, 4, 1])


@pytest.mark.parametrize("phase", [caffe.TRAIN, caffe.TEST])
def test_gradient_of_slope_and_bias(layer, phase):
    """∂bias = Σ dy, ∂slope = Σ dy · normalized x; the statistics get none."""
    x, diff = values(3, 2, 4, 5), values(3, 2, 4, 5, seed=1)
    net = _net(layer, "", x, phase=phase, back=True)
    net.blobs["top"].diff[...] = diff
    net.backward(start="layer", end="layer")
    axes = (0, 2, 3)
    normal = (x - x.mean(axes, keepdims=True)) / x.std(axes, keepdims=True) if phase == caffe.TRAIN else x
    slope, bias, mean, variance = (blob.diff.ravel() for blob in net.params["layer"])
    np.testing.assert_allclose(slope, (diff * normal).sum(axes), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(bias, diff.sum(axes), rtol=1e-4, atol=1e-5)
    assert not mean.any()
    assert not variance.any()


def test_a_single_value_becomes_the_bias(layer):
    net = _net(layer, "bias_filler { value: 3 }", np.array([[[[5.0]]]]), phase=caffe.TRAIN)
    assert net.blobs["top"].data.item() == 3
    assert net.params["layer"][2].data.item() == pytest.approx(0.5)


def test_the_statistics_are_not_learned(layer):
    net = _net(layer, "", np.zeros((1, 2, 2, 2)))
    assert [p.lr_mult for p in net.learnable_params] == [1, 1, 0, 0]
    with pytest.raises(InputError, match=r"\(BN\): the statistics \(parameters 2 and 3\) are not learned"):
        layer('type: "BN" param { } param { } param { lr_mult: 1 }', np.zeros((1, 2, 2, 2)))


# -- SegNet


def test_segnet_inference_scales_and_shifts(layer):
    more = "bn_mode: INFERENCE scale_filler { value: 2 } shift_filler { value: 1 }"
    for phase in (caffe.TRAIN, caffe.TEST):
        net = _net(layer, more, np.array([[[[3.0, 5]]]]), phase=phase)
        assert [blob.shape for blob in net.params["layer"]] == [(1, 1, 1, 1)] * 2
        np.testing.assert_array_equal(net.blobs["top"].data, [[[[7, 11]]]])


def test_segnet_learns_from_the_batch_in_both_phases(layer):
    more = "scale_filler { value: 2 } shift_filler { value: 1 }"
    for phase in (caffe.TRAIN, caffe.TEST):
        net = _net(layer, more, np.array([[[[3.0, 5]]]]), phase=phase)
        np.testing.assert_allclose(net.blobs["top"].data, [[[[-1, 3]]]], rtol=1e-6)


def test_folded_statistics_give_what_stored_ones_give(layer):
    """scale = slope / σ, shift = bias − slope · mean / σ: how SegNet's weights are prepared for inference."""
    x = values(2, 3, 4, 4)
    slope, bias, mean, variance = (values(3, seed=i, low=0.5).reshape(1, 3, 1, 1) for i in range(4))
    stored = _net(layer, "eps: 0", x, run=False)
    _set(stored, slope, bias, mean, variance)
    folded = _net(layer, "bn_mode: INFERENCE", x, run=False)
    _set(folded, slope / np.sqrt(variance), bias - slope * mean / np.sqrt(variance))
    np.testing.assert_allclose(folded.forward()["top"], stored.forward()["top"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("more", "shape", "expected"),
    [
        (
            "bn_mode: LEARN momentum: 0.5",
            (1, 2, 2, 2),
            "states bn_mode, which is SegNet's, and momentum, which is PSPNet's",
        ),
        ("eps: -1", (1, 2, 2, 2), "eps is -1, wanted 0 or more"),
        ("", (3,), "bottom (3,) has no channel axis"),
    ],
)
def test_errors(layer, more, shape, expected):
    with pytest.raises(InputError) as caught:
        _net(layer, more, np.zeros(shape))
    assert "layer 'layer' (BN): " + expected in str(caught.value)


def test_channels_stay(layer):
    net = _net(layer, "", np.zeros((1, 2, 3, 3)))
    net.blobs["in0"].reshape(1, 3, 3, 3)
    with pytest.raises(InputError, match=r"bottom \(1, 3, 3, 3\) does not have the 2 channels"):
        net.forward()
