"""Embed and Parameter; Im2col, SPP, and convolution over unusual numbers of axes: by hand, properties, messages."""

from __future__ import annotations

import numpy as np
import pytest

from deeplab_caffe import caffe
from deeplab_caffe.errors import InputError


def _random(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, shape)


# -- Embed and Parameter


def test_embed_by_hand(layer):
    text = 'type: "Embed" embed_param { num_output: 2 input_dim: 3 }'
    built = layer(text, np.array([[2.0, 0], [2.7, 1]]), back=True, run=False)
    weight, bias = built.params["layer"]
    weight.data[...] = [[1, 2], [3, 4], [5, 6]]
    bias.data[...] = [10, 20]
    built.forward()
    assert built.blobs["top"].data.tolist() == [[[15, 26], [11, 22]], [[15, 26], [13, 24]]]
    built.blobs["top"].diff[...] = np.arange(8).reshape(2, 2, 2)
    built.backward(start="layer", end="layer")
    assert weight.diff.tolist() == [[2, 3], [6, 7], [0 + 4, 1 + 5]]
    assert bias.diff.tolist() == [12, 16]


def test_embed_is_inner_product_of_one_hot_vectors(layer):
    index = np.array([3.0, 1, 0, 3])
    embed = layer('type: "Embed" embed_param { num_output: 5 input_dim: 4 bias_term: false }', index, run=False)
    embed.params["layer"][0].data[...] = _random(4, 5)
    text = 'type: "InnerProduct" inner_product_param { num_output: 5 transpose: true }'
    product = layer(text, np.eye(4)[index.astype(int)], run=False)
    product.params["layer"][0].data[...] = embed.params["layer"][0].data
    np.testing.assert_allclose(embed.forward()["top"], product.forward()["top"], rtol=1e-6)


_PARAMETER = 'layer { name: "p" type: "Parameter" top: "p" parameter_param { shape { dim: [2, 3] } } }'
_PULL = (
    'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: [2, 3] } } }'
    'layer { name: "loss" type: "EuclideanLoss" bottom: "p" bottom: "x" top: "loss" }'
)


def test_parameter_shares_data_and_diff_with_its_top(net):
    built = net(_PARAMETER + _PULL, caffe.TRAIN)
    (parameter,) = built.params["p"]
    assert parameter.shape == (2, 3) and (parameter.data == 0).all()
    parameter.data[...] = 4
    built.blobs["x"].data[...] = 1
    built.forward()
    assert (built.blobs["p"].data == 4).all()
    assert float(built.blobs["loss"].data) == pytest.approx(9 * 6 / 4)
    built.clear_param_diffs()
    built.backward()
    assert (parameter.diff == 1.5).all()
    assert (built.blobs["p"].diff == 1.5).all()


def test_a_parameter_is_trained(tmp_path):
    (tmp_path / "net.prototxt").write_text(_PARAMETER + _PULL)
    solver_file = tmp_path / "solver.prototxt"
    solver_file.write_text(f'net: "{tmp_path}/net.prototxt" base_lr: 0.5 lr_policy: "fixed" max_iter: 40 display: 0')
    solver = caffe.SGDSolver(str(solver_file))
    solver.net.blobs["x"].data[...] = [[1, 2, 3], [-1, -2, -3]]
    solver.step(40)
    np.testing.assert_allclose(solver.net.params["p"][0].data, [[1, 2, 3], [-1, -2, -3]], rtol=1e-4)


# -- Im2col and Convolution


def test_im2col_by_hand(layer):
    x = np.arange(1.0, 10).reshape(1, 1, 3, 3)
    built = layer('type: "Im2col" convolution_param { kernel_size: 2 stride: 2 pad: 1 }', x, back=True)
    assert built.blobs["top"].data.reshape(4, 4).tolist() == [[0, 0, 0, 5], [0, 0, 4, 6], [0, 2, 0, 8], [1, 3, 7, 9]]
    built.blobs["top"].diff[...] = 2
    built.backward(start="layer", end="layer")
    assert (built.blobs["in0"].diff == 2).all()


@pytest.mark.parametrize("shape", [(2, 4), (2, 4, 5), (2, 4, 5, 4), (1, 4, 3, 4, 3), (1, 4, 3, 2, 4, 3)])
def test_convolution_is_a_product_with_im2col(layer, shape):
    x, spatial = _random(*shape), len(shape) - 2
    sizes = "kernel_size: 2 pad: 1 stride: 2 dilation: 2"
    conv = layer(f'type: "Convolution" convolution_param {{ num_output: 3 {sizes} }}', x, run=False)
    weight, bias = conv.params["layer"]
    assert weight.shape == (3, 4, *(2,) * spatial)
    weight.data[...] = _random(*weight.shape)
    bias.data[...] = [1, 2, 3]
    columns = x
    if spatial:
        columns = layer(f'type: "Im2col" convolution_param {{ {sizes} }}', x).blobs["top"].data
    y = np.tensordot(weight.data.reshape(3, -1), columns, (1, 1)).swapaxes(0, 1)
    y += bias.data.reshape(1, 3, *(1,) * spatial)
    np.testing.assert_allclose(conv.forward()["top"], y, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["Convolution", "Im2col"])
@pytest.mark.parametrize(("axis", "shape"), [(0, (2, 4, 4)), (-3, (3, 2, 4, 4)), (2, (3, 1, 2, 4, 4))])
def test_axes_before_the_channels_are_items(layer, kind, axis, shape):
    filler = "num_output: 2 weight_filler { value: 0.5 }" if kind == "Convolution" else ""
    x = _random(*shape)
    stated = f'type: "{kind}" convolution_param {{ axis: %d kernel_size: 3 pad: 1 {filler} }}'
    top = layer(stated % axis, x).blobs["top"].data
    plain = layer(stated % 1, x.reshape(-1, 2, 4, 4)).blobs["top"].data
    np.testing.assert_allclose(top.reshape(plain.shape), plain, rtol=1e-5)
    assert top.shape[: axis % len(shape)] == shape[: axis % len(shape)]


def test_four_axes_with_groups_agree_with_two(layer):
    """Two axes of size 1 with kernel 1 change nothing."""
    x = _random(2, 4, 5, 4)
    text = 'type: "Convolution" convolution_param {{ num_output: 6 group: 2 kernel_size: {} pad: {} }}'
    plain = layer(text.format(3, 1), x, run=False)
    deep = layer(text.format("[1, 3, 1, 3]", "[0, 1, 0, 1]"), x.reshape(2, 4, 1, 5, 1, 4), run=False)
    for one, other in zip(plain.params["layer"], deep.params["layer"], strict=True):
        one.data[...] = _random(*one.shape)
        other.data[...] = one.data.reshape(other.shape)
    np.testing.assert_allclose(deep.forward()["top"].reshape(2, 6, 5, 4), plain.forward()["top"], rtol=1e-5, atol=1e-6)


def test_a_window_that_hangs_over_by_less_than_the_stride(layer):
    """The size's numerator is -1, which C divides by 2 to 0: one window, the missing column counts as zeros."""
    text = 'type: "Convolution" convolution_param { num_output: 1 kernel_size: 3 stride: 2 weight_filler { value: 1 } }'
    built = layer(text, np.array([[[1.0, 2]]]))
    assert built.blobs["top"].data.tolist() == [[[3]]]
    with pytest.raises(InputError, match="smaller than the kernel's span of 3"):
        layer(text, np.zeros((1, 1, 1)))


# -- SPP


def test_spp_by_hand(layer):
    x = np.arange(1.0, 10).reshape(1, 1, 3, 3)
    built = layer('type: "SPP" spp_param { pyramid_height: 2 }', x, back=True)
    # level 1: windows of 2 with a pad of 1, so that the first ones hold one row or column each
    assert built.blobs["top"].data.tolist() == [[9, 1, 3, 7, 9]]
    built.blobs["top"].diff[...] = [[1, 2, 3, 4, 5]]
    built.backward(start="layer", end="layer")
    assert built.blobs["in0"].diff.ravel().tolist() == [2, 0, 3, 0, 0, 0, 4, 0, 6]


def test_spp_of_one_level_is_the_pooled_map(layer):
    x = _random(2, 3, 4, 5)
    top = layer('type: "SPP" spp_param { pyramid_height: 1 pool: AVE }', x).blobs["top"]
    assert top.shape == (2, 3, 1, 1)
    np.testing.assert_allclose(top.data, x.mean((2, 3), keepdims=True), rtol=1e-5)


def test_spp_follows_the_size_of_its_bottom(layer):
    built = layer('type: "SPP" spp_param { pyramid_height: 3 }', _random(1, 2, 8, 8))
    for size in ((8, 8), (12, 20), (16, 9)):
        built.blobs["in0"].reshape(1, 2, *size)
        built.forward()
        assert built.blobs["top"].shape == (1, 2 * (1 + 4 + 16))


# -- messages


@pytest.mark.parametrize(
    ("text", "shape", "message"),
    [
        ('type: "Embed" embed_param { input_dim: 3 }', (2,), "num_output is 0 or not stated"),
        ('type: "Embed" embed_param { num_output: 3 }', (2,), "input_dim is 0 or not stated"),
        ('type: "Im2col" convolution_param { kernel_size: 1 }', (2, 3), "has no spatial axis after axis 1"),
        ('type: "Im2col" convolution_param { kernel_size: 3 }', (1, 1, 2), "smaller than the kernel's span of 3"),
        ('type: "SPP"', (1, 1, 4, 4), "pyramid_height is 0 or not stated"),
        ('type: "SPP" spp_param { pyramid_height: 2 }', (4, 4), "wanted 4 .N, C, H, W."),
        (
            'type: "SPP" spp_param { pyramid_height: 3 }',
            (1, 1, 1, 8),
            "a map of 1 × 8 is too small for 2 × 2 bins; lower the pyramid_height",
        ),
    ],
)
def test_messages(layer, text, shape, message):
    with pytest.raises(InputError, match=message):
        layer(text, np.zeros(shape))


@pytest.mark.parametrize("index", [3, -1])
def test_an_index_outside_the_table(layer, index):
    with pytest.raises(InputError, match=f"index {index} is not within the input_dim 3, 0 to 2"):
        layer('type: "Embed" embed_param { num_output: 1 input_dim: 3 }', np.array([0.0, index]))


# -- parameters that a definition carries


def _carried(*sizes: int) -> str:
    return " ".join(f"blobs {{ shape {{ dim: {size} }} data: [{', '.join(['3'] * size)}] }}" for size in sizes)


def test_a_definition_may_carry_its_parameters(layer):
    built = layer(f'type: "Bias" {_carried(2)} bias_param {{ filler {{ value: 9 }} }}', np.zeros((1, 2)))
    assert built.blobs["top"].data.tolist() == [[3, 3]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f'type: "Bias" {_carried(3)}', r"parameter 0 in the definition is \(3,\), wanted \(2,\)"),
        (f'type: "Bias" {_carried(2, 2)}', "its definition carries 2 blobs, wanted 1"),
        (f'type: "Scale" scale_param {{ bias_term: true }} {_carried(2)}', "its definition carries 1 blobs, wanted 2"),
    ],
)
def test_parameters_that_do_not_fit(layer, text, message):
    with pytest.raises(InputError, match=message):
        layer(text, np.zeros((1, 2)))
