"""Convolution, InnerProduct, BatchNorm and Scale."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from deeplab_caffe import caffe
from deeplab_caffe.errors import InputError

_X = np.arange(32.0).reshape(1, 2, 4, 4)


def _error(layer, expected: str, text: str, *arrays) -> None:
    with pytest.raises(InputError) as caught:
        layer(text, *arrays)
    assert "net.prototxt:" in str(caught.value)
    assert "layer 'layer' (" in str(caught.value)
    assert expected in str(caught.value)


# -- Convolution


def _conv(layer, text: str, x=_X, **arguments):
    return layer(f'type: "Convolution" convolution_param {{ num_output: 2 {text} }}', x, **arguments)


def test_weights_start_at_zero(layer):
    built = _conv(layer, "kernel_size: 3")
    assert (built.params["layer"][0].data == 0).all()
    assert built.params["layer"][0].shape == (2, 2, 3, 3)


@pytest.mark.parametrize(("phase", "side"), [(caffe.TRAIN, 70), (caffe.TRAIN, 9), (caffe.TEST, 70)])
def test_the_layout_of_training_is_the_faster_one_of_the_processor(layer, monkeypatch, phase, side):
    runs = []
    for processor in ("AVX2", "AVX512"):
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda processor=processor: processor)
        caffe.set_random_seed(2)
        text = 'kernel_size: 3 pad: 2 dilation: 2 weight_filler { type: "gaussian" std: 1 }'
        built = _conv(layer, text, np.random.default_rng(0).normal(size=(2, 2, side, side)), phase=phase, back=True)
        params = [p.data_tensor() for p in built.params["layer"]]
        [top] = built.layers[-1].compute([torch.zeros(2, 2, side, side)], params)
        row_by_row = processor == "AVX2" and phase == caffe.TRAIN and side == 70
        assert top.is_contiguous(memory_format=torch.contiguous_format if row_by_row else torch.channels_last)
        built.blobs["top"].diff[...] = np.random.default_rng(1).normal(size=built.blobs["top"].shape)
        built.backward()
        runs.append(built)
    for blobs in ([run.blobs["top"] for run in runs], [run.params["layer"][0] for run in runs]):
        np.testing.assert_allclose(blobs[0].data, blobs[1].data, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(blobs[0].diff, blobs[1].diff, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(runs[0].blobs["in0"].diff, runs[1].blobs["in0"].diff, rtol=1e-5, atol=1e-4)


def test_a_dilated_kernel_picks_pixels_apart(layer):
    built = _conv(layer, "kernel_size: 2 dilation: 3 pad: 1 bias_term: false")
    built.params["layer"][0].data[0, 0] = [[1, 0], [0, 100]]
    top = built.forward()["top"]
    assert top.shape == (1, 2, 3, 3)
    assert top[0, 0].tolist() == [[1000, 1100, 0], [1400, 1500, 1], [0, 4, 5]]
    assert (top[0, 1] == 0).all()


def test_groups_keep_channels_apart(layer):
    built = _conv(layer, 'kernel_size: 1 group: 2 weight_filler { type: "constant" value: 2 } bias_filler { value: 1 }')
    np.testing.assert_array_equal(built.blobs["top"].data, 2 * _X + 1)
    assert built.params["layer"][0].shape == (2, 1, 1, 1)


def test_kernel_stride_and_pad_by_side(layer):
    built = _conv(layer, "kernel_h: 1 kernel_w: 3 stride_h: 2 stride_w: 1 pad_h: 0 pad_w: 1")
    assert built.blobs["top"].shape == (1, 2, 2, 4)
    assert built.params["layer"][0].shape == (2, 2, 1, 3)


def test_several_bottoms_go_through_the_same_weights(layer):
    text = 'type: "Convolution" top: "a" top: "b" convolution_param { num_output: 1 kernel_size: 1 '
    built = layer(text + 'weight_filler { type: "constant" value: 1 } }', _X, 2 * _X)
    np.testing.assert_array_equal(2 * built.blobs["a"].data, built.blobs["b"].data)


def test_axis_moves_the_channels(layer):
    x = np.random.default_rng(0).standard_normal((2, 3, 2, 4, 4))
    built = _conv(layer, 'kernel_size: 3 axis: 2 weight_filler { type: "xavier" }', x)
    flat = _conv(layer, "kernel_size: 3", x.reshape(6, 2, 4, 4), run=False)
    flat.params["layer"][0].data[...] = built.params["layer"][0].data
    np.testing.assert_allclose(built.blobs["top"].data.reshape(6, 2, 2, 2), flat.forward()["top"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "states kernel_size 0 times, wanted once, or once for each of 2 axes"),
        ("kernel_size: [1, 2, 3]", "states kernel_size 3 times"),
        ("kernel_size: 0", "kernel_size is (0, 0), wanted positive numbers"),
        ("kernel_h: 2", "kernel_size is (2, 0), wanted positive numbers"),
        ("kernel_size: 1 kernel_h: 2 kernel_w: 2", "states both kernel_size and kernel_h/kernel_w"),
        ("kernel_size: 1 group: 3", "2 input channels do not divide into 3 groups"),
        ("kernel_size: 1 group: 0", "group is 0, wanted a positive number"),
        ("kernel_size: 3 dilation: 2", "bottom (1, 2, 4, 4) with pad 0 is smaller than the kernel's span of 5"),
        ("kernel_size: 1 axis: 4", "axis 4 is outside a bottom of 4 axes"),
    ],
)
def test_convolution_errors(layer, text, expected):
    _error(layer, expected, f'type: "Convolution" convolution_param {{ num_output: 2 {text} }}', _X)


def test_more_convolution_errors(layer):
    _error(layer, "num_output is 0 or not stated", 'type: "Convolution" convolution_param { kernel_size: 1 }', _X)
    text = 'type: "Convolution" top: "a" top: "b" convolution_param { num_output: 1 kernel_size: 1 }'
    _error(layer, "bottoms of different shapes", text, _X, _X[:, :, :2])
    _error(layer, "has 1 bottoms and 2 tops", text, _X)
    built = _conv(layer, "kernel_size: 1")
    built.blobs["in0"].reshape(1, 3, 4, 4)
    with pytest.raises(InputError, match=r"bottom \(1, 3, 4, 4\) does not fit weights for 2 input channels"):
        built.forward()


# -- InnerProduct


def test_inner_product_flattens_from_an_axis(layer):
    built = layer('type: "InnerProduct" inner_product_param { num_output: 1 axis: 2 }', _X)
    assert built.params["layer"][0].shape == (1, 16)
    assert built.blobs["top"].shape == (1, 2, 1)
    built.params["layer"][0].data[...] = 1
    built.params["layer"][1].data[...] = 0.5
    assert built.forward()["top"].ravel().tolist() == [120.5, 376.5]


def test_transposed_weights(layer):
    built = layer('type: "InnerProduct" inner_product_param { num_output: 3 transpose: true }', [[1.0, 2.0]])
    built.params["layer"][0].data[...] = [[1, 2, 3], [10, 20, 30]]
    assert built.forward()["top"].tolist() == [[21, 42, 63]]


def test_inner_product_errors(layer):
    _error(layer, "num_output is 0", 'type: "InnerProduct" inner_product_param { }', [[1.0]])
    built = layer('type: "InnerProduct" inner_product_param { num_output: 1 }', [[1.0, 2.0]])
    built.blobs["in0"].reshape(1, 3)
    with pytest.raises(InputError, match=r"bottom \(1, 3\) gives 3 inputs, the weights are for 2"):
        built.forward()


# -- BatchNorm


def test_statistics_of_nothing_multiply_by_316(layer):
    built = layer('type: "BatchNorm"', np.ones((1, 2, 1, 1)))
    np.testing.assert_allclose(built.blobs["top"].data, 1 / np.sqrt(1e-5), rtol=1e-5)


def test_stored_statistics_are_divided_by_the_factor(layer):
    built = layer('type: "BatchNorm" batch_norm_param { eps: 0 }', [[1.0, 2.0]], run=False)
    for blob, value in zip(built.params["layer"], ([2, 4], [8, 18], 2), strict=True):
        blob.data[...] = value
    np.testing.assert_allclose(built.forward()["top"], [[0, 0]], atol=1e-6)
    built.blobs["in0"].data[...] = [[3, 5]]
    np.testing.assert_allclose(built.forward()["top"], [[1, 1]], rtol=1e-6)


def test_training_normalizes_by_the_batch_and_sums_statistics(layer):
    x = np.random.default_rng(0).normal(3, 2, (4, 2, 3, 3))
    text = 'type: "BatchNorm" batch_norm_param { moving_average_fraction: 0.5 }'
    built = layer(text, x, phase=caffe.TRAIN)
    top = built.blobs["top"].data
    np.testing.assert_allclose(top.mean((0, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(top.var((0, 2, 3)), 1, atol=1e-4)
    built.forward()
    mean, variance, factor = (b.data for b in built.params["layer"])
    assert factor.tolist() == [1.5]
    np.testing.assert_allclose(mean, 1.5 * x.mean((0, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(variance, 1.5 * x.var((0, 2, 3), ddof=1), rtol=1e-4)


def test_one_value_for_each_channel_in_training(layer):
    built = layer('type: "BatchNorm"', [[3.0, 4.0]], phase=caffe.TRAIN, back=True)
    built.backward(top=np.ones((1, 2)))
    assert built.blobs["top"].data.tolist() == built.blobs["in0"].diff.tolist() == [[0, 0]]
    assert [b.data.tolist() for b in built.params["layer"]] == [[3, 4], [0, 0], [1]]


def test_statistics_are_not_learned(layer):
    built = layer('type: "BatchNorm"', [[1.0]], phase=caffe.TRAIN)
    assert [p.lr_mult for p in built.learnable_params] == [0, 0, 0]
    assert len(built.layer_dict["layer"].param.param) == 3
    three = "param { lr_mult: 1 } param { } param { }"  # upgraded on reading
    assert [p.lr_mult for p in layer(f'type: "BatchNorm" {three}', [[1.0]]).learnable_params] == [0, 0, 0]
    _error(layer, "not learned by gradient: state lr_mult: 0", 'type: "BatchNorm" param { lr_mult: 1 }', [[1.0]])
    _error(layer, "bottom (3,) has no channel axis", 'type: "BatchNorm"', [1.0, 2, 3])


# -- Scale


def test_scale_and_bias_for_each_channel(layer):
    built = layer('type: "Scale" scale_param { bias_term: true bias_filler { value: 5 } }', _X)
    assert [b.shape for b in built.params["layer"]] == [(2,), (2,)]
    np.testing.assert_array_equal(built.blobs["top"].data, _X + 5)
    built.params["layer"][0].data[...] = [0, 2]
    top = built.forward()["top"]
    assert (top[:, 0] == 5).all()
    np.testing.assert_array_equal(top[:, 1], 2 * _X[:, 1] + 5)


@pytest.mark.parametrize(
    ("text", "shape"), [("axis: 2 num_axes: 2", (4, 4)), ("num_axes: -1", (2, 4, 4)), ("num_axes: 0", ())]
)
def test_scale_spans_axes(layer, text, shape):
    built = layer(f'type: "Scale" scale_param {{ {text} }}', _X)
    (scale,) = built.params["layer"]
    assert scale.shape == shape
    scale.data[...] = 1 + np.arange(np.prod(shape, dtype=int)).reshape(shape)
    np.testing.assert_array_equal(built.forward()["top"], _X * scale.data)


def test_scale_by_a_second_bottom(layer):
    text = 'type: "Scale" scale_param { axis: 0 bias_term: true bias_filler { value: 1 } }'
    built = layer(text, [[1.0, 2], [3, 4]], [10.0, 100], back=True)
    assert built.blobs["top"].data.tolist() == [[11, 21], [301, 401]]
    assert [b.shape for b in built.params["layer"]] == [(2,)]
    built.backward(top=np.ones((2, 2)))
    assert built.blobs["in1"].diff.tolist() == [3, 7]
    assert layer('type: "Scale"', [[1.0, 2]], np.float32(3)).blobs["top"].data.tolist() == [[3, 6]]


def test_scale_in_place_keeps_its_input_for_backward(layer):
    built = layer('type: "Scale" top: "in0" scale_param { filler { value: 3 } }', [[1.0, 2]], back=True)
    assert built.blobs["in0"].data.tolist() == [[3, 6]]
    built.blobs["in0"].diff[...] = 1
    built.backward()
    assert built.params["layer"][0].diff.tolist() == [1, 2]
    assert built.blobs["in0"].diff.tolist() == [[3, 3]]


def test_scale_errors(layer):
    text = 'type: "Scale" scale_param { %s }'
    _error(layer, "num_axes 3 from axis 2 reaches past the end", text % "axis: 2 num_axes: 3", _X)
    _error(layer, "axis 5 is outside a bottom of 4 axes", text % "axis: 5", _X)
    _error(layer, "a scale of shape (3,) does not fit bottom (1, 2, 4, 4) at axis 1", text % "", _X, np.zeros(3))
