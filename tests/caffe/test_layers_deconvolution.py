"""Deconvolution: hand-worked results, the adjoint of convolution, error messages."""

from __future__ import annotations

import numpy as np
import pytest

from cases import values
from deeplab_caffe.errors import InputError
from tolerances import assert_same_sums


def _net(layer, more: str, array, **fields):
    return layer(f'type: "Deconvolution" convolution_param {{ {more} }}', array, **fields)


def test_windows_are_spread_and_summed(layer):
    net = _net(layer, "num_output: 1 kernel_size: 3 stride: 2", np.array([[[1.0, 10]]]), run=False)
    net.params["layer"][0].data[...] = [[[1, 2, 3]]]
    net.params["layer"][1].data[...] = 0.5
    np.testing.assert_array_equal(net.forward()["top"], [[[1.5, 2.5, 13.5, 20.5, 30.5]]])


def test_pad_cuts_and_dilation_spaces(layer):
    more = "num_output: 1 kernel_size: 3 pad: 1 dilation: 2 bias_term: false"
    net = _net(layer, more, np.array([[[1.0, 10]]]), run=False)
    net.params["layer"][0].data[...] = [[[1, 2, 3]]]
    # 1 0 2 0 3 and, one further, 10 0 20 0 30; the first and the last are cut off
    np.testing.assert_array_equal(net.forward()["top"], [[[10, 2, 20, 3]]])


def test_groups_split_inputs_and_outputs(layer):
    net = _net(layer, "num_output: 4 group: 2 kernel_size: 1 bias_term: false", np.array([[[1.0], [10.0]]]), run=False)
    assert net.params["layer"][0].shape == (2, 2, 1)
    net.params["layer"][0].data[...] = np.array([[1, 2], [3, 4]]).reshape(2, 2, 1)
    np.testing.assert_array_equal(net.forward()["top"][0, :, 0], [1, 2, 30, 40])


def test_bilinear_upsampling_keeps_a_constant(layer):
    more = 'num_output: 3 group: 3 kernel_size: 4 stride: 2 pad: 1 bias_term: false weight_filler { type: "bilinear" }'
    net = _net(layer, more, np.ones((1, 3, 5, 6)))
    top = net.blobs["top"].data
    assert top.shape == (1, 3, 10, 12)
    np.testing.assert_allclose(top[:, :, 1:-1, 1:-1], 1, rtol=1e-6)


@pytest.mark.parametrize("more", ["stride: 2 pad: 1", "dilation: 2 group: 2", "stride: [3, 1] kernel_h: 2 kernel_w: 4"])
def test_it_is_the_adjoint_of_convolution(layer, more):
    """⟨conv(x), y⟩ = ⟨x, deconv(y)⟩ with the same weights."""
    size = "" if "kernel_h" in more else "kernel_size: 3"
    x = values(1, 4, 7, 9)
    filler = 'weight_filler { type: "uniform" min: -1 } bias_term: false'
    conv = layer(f'type: "Convolution" convolution_param {{ num_output: 6 {size} {more} {filler} }}', x)
    y = values(*conv.blobs["top"].shape, seed=1)
    deconv = _net(layer, f"num_output: 4 {size} {more} bias_term: false", y, run=False)
    deconv.params["layer"][0].data[...] = conv.params["layer"][0].data
    back = deconv.forward()["top"]
    _, _, h, w = back.shape  # at most x's: rows that no window reached are missing
    left = float((conv.blobs["top"].data * y).sum(dtype=np.float64))
    assert left == pytest.approx(float((x[:, :, :h, :w] * back).sum(dtype=np.float64)), rel=1e-4)


@pytest.mark.parametrize(
    ("more", "shape", "expected"),
    [
        ("num_output: 3 group: 2 kernel_size: 1", (1, 4, 2, 2), "3 outputs (num_output) do not divide into 2 groups"),
        ("num_output: 2 group: 2 kernel_size: 1", (1, 3, 2, 2), "3 input channels do not divide into 2 groups"),
        ("num_output: 2 group: 0 kernel_size: 1", (1, 3, 2, 2), "group is 0, wanted a positive number"),
        ("kernel_size: 1", (1, 3, 2, 2), "num_output is 0 or not stated"),
        ("num_output: 2", (1, 3, 2, 2), "states kernel_size 0 times"),
        (
            "num_output: 1 kernel_size: 2 pad: 2",
            (1, 1, 3, 3),
            "(1, 1, 3, 3) is left: with pad (2, 2) its size",
        ),
        ("num_output: 1 kernel_size: 1", (1, 1, 2, 2, 2, 2), "has 4 spatial axes, wanted 0 to 3"),
    ],
)
def test_errors(layer, more, shape, expected):
    with pytest.raises(InputError) as caught:
        _net(layer, more, np.zeros(shape))
    assert "layer 'layer' (Deconvolution): " in str(caught.value)
    assert expected in str(caught.value)


def test_bottoms_keep_their_channels(layer):
    net = _net(layer, "num_output: 1 kernel_size: 1", np.zeros((1, 2, 3, 3)))
    net.blobs["in0"].reshape(1, 3, 3, 3)
    with pytest.raises(InputError, match=r"bottom \(1, 3, 3, 3\) does not fit weights for 2 input channels"):
        net.forward()


@pytest.mark.parametrize("kind", ["Convolution", "Deconvolution"])
@pytest.mark.parametrize(("dilation", "summed"), [("dilation: 0", (2, 3)), ("dilation: [0, 1]", 2)])
def test_dilation_0_puts_a_kernel_on_one_place(layer, kind, dilation, summed):
    """C++ reads the same pixel for each element of the kernel: the size is that of one element, the weights add up."""
    x, weight = values(2, 4, 6, 5), values(4, 2, 3, 3)
    one = weight.sum(summed, keepdims=True)
    built = {}
    for array, more in ((weight, dilation), (one, "")):
        sizes = f"kernel_size: [{array.shape[2]}, {array.shape[3]}] stride: 2 pad: 1 {more}"
        text = f'type: "{kind}" convolution_param {{ num_output: 4 group: 2 bias_term: false {sizes} }}'
        net = built[more] = layer(text, x, back=True, run=False)
        net.params["layer"][0].data[...] = array
        net.forward()
        net.backward(top=values(*net.blobs["top"].shape))
    zero, wanted = built[dilation], built[""]
    for name in ("top", "in0"):
        assert_same_sums(zero.blobs[name].data, wanted.blobs[name].data)
        assert_same_sums(zero.blobs[name].diff, wanted.blobs[name].diff)
    gradient = wanted.params["layer"][0].diff
    assert_same_sums(zero.params["layer"][0].diff, np.broadcast_to(gradient, weight.shape))
    assert_same_sums(zero.plan().forward()["top"], wanted.blobs["top"].data)


def test_im2col_with_dilation_0(layer):
    x = values(1, 2, 3, 3)
    built = layer('type: "Im2col" convolution_param { kernel_size: 2 dilation: 0 stride: 2 }', x)
    wanted = np.repeat(x[:, :, ::2, ::2], 4, 1).astype(np.float32)
    np.testing.assert_array_equal(built.blobs["top"].data, wanted)
