"""NaN and infinity in the layers that C++ Caffe writes with comparisons: what they give, and which gradient."""

from __future__ import annotations

import numpy as np
import pytest

from deeplab_caffe import caffe
from small_nets import blob

_NAN, _INF = np.nan, np.inf
_LOWEST = -np.finfo(np.float32).max


def _top_and_gradient(layer, text: str, x, **arguments) -> tuple[np.ndarray, np.ndarray]:
    """A layer's top, and the gradient of its bottom if each element of the top has gradient 3."""
    built = layer(text, np.asarray(x, np.float32), phase=caffe.TRAIN, back=True, **arguments)
    top = built.blobs[built.outputs[0]]
    top.diff[...] = 3
    built.backward()
    return top.data.copy(), built.blobs["in0"].diff.copy()


@pytest.mark.parametrize(
    ("text", "values", "gradient"),
    [
        ('type: "ReLU"', [[_NAN, 0, 0, 2, _INF]], [[0, 0, 0, 3, 3]]),
        ('type: "ReLU" relu_param { negative_slope: 0.5 }', [[_NAN, -0.5, 0, 2, _INF]], [[0, 1.5, 1.5, 3, 3]]),
        ('type: "ReLU" relu_param { negative_slope: -0.5 }', [[_NAN, 0.5, 0, 2, _INF]], [[0, -1.5, -1.5, 3, 3]]),
        ('type: "PReLU" prelu_param { channel_shared: true }', [[_NAN, -0.25, 0, 2, _INF]], [[0, 0.75, 0.75, 3, 3]]),
        ('type: "Clip" clip_param { min: -2 max: 1 }', [[-2, -1, 0, 1, 1]], [[0, 3, 3, 0, 0]]),
        ('type: "Threshold"', [[0, 0, 0, 1, 1]], None),
    ],
)
def test_element_wise_layers(layer, text, values, gradient):
    x = [[_NAN, -1, 0, 2, _INF]]
    if gradient is None:
        top = layer(text, np.asarray(x, np.float32)).blobs["top"].data
    else:
        top, found = _top_and_gradient(layer, text, x)
        np.testing.assert_array_equal(found, gradient)
    np.testing.assert_array_equal(top, values)


@pytest.mark.parametrize("slope", [0, 0.5])
def test_relu_in_place(net, slope):
    """On memory that it may write over: the same values and gradients."""
    size = "num_output: 5 bias_term: false weight_filler { type: 'constant' value: 1 }"
    built = net(
        f"""force_backward: true {blob("x", (1, 1))}
        layer {{ name: "fc" type: "InnerProduct" bottom: "x" top: "y" inner_product_param {{ {size} }} }}
        layer {{ name: "relu" type: "ReLU" bottom: "y" top: "y" relu_param {{ negative_slope: {slope} }} }}
        layer {{ name: "out" type: "Power" bottom: "y" top: "out" }}""",
        caffe.TRAIN,
    )
    weight = built.params["fc"][0]
    weight.data[:, 0] = [_NAN, -1, 0, 2, _INF]
    built.blobs["x"].data[...] = 1
    built.forward()
    np.testing.assert_array_equal(built.blobs["out"].data, [[_NAN, -slope, 0, 2, _INF]])
    built.blobs["out"].diff[...] = 3
    built.backward()
    np.testing.assert_array_equal(weight.diff[:, 0], [0, 3 * slope, 3 * slope, 3, 3])


_POOLED = np.array(
    [
        [_NAN, 1, 2, 0],
        [-1, _NAN, _NAN, 3],
        [_NAN, _NAN, 1, _NAN],
        [_NAN, _NAN, -_INF, 5],
    ],
    np.float32,
)


@pytest.mark.parametrize("channels_last", [False, True])
def test_nan_never_wins_a_maximum(layer, channels_last):
    x = np.broadcast_to(_POOLED, (2, 3, 4, 4))
    x = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2) if channels_last else x
    top, gradient = _top_and_gradient(layer, 'type: "Pooling" pooling_param { kernel_size: 2 stride: 2 }', x)
    np.testing.assert_array_equal(top, np.broadcast_to([[1, 3], [_LOWEST, 5]], (2, 3, 2, 2)))
    wanted = np.zeros((4, 4))
    wanted[0, 1] = wanted[1, 3] = wanted[3, 3] = 3
    np.testing.assert_array_equal(gradient, np.broadcast_to(wanted, x.shape))


@pytest.mark.parametrize(
    ("text", "values", "places"),
    [
        ("kernel_size: 2 stride: 2", [[1, 3], [_LOWEST, 5]], [[1, 7], [-1, 15]]),
        ("kernel_size: 4", [[5]], [[15]]),
        ("kernel_size: 1 stride: 3", [[_LOWEST, 0], [_LOWEST, 5]], [[-1, 3], [-1, 15]]),
        ("kernel_size: 2 stride: 2 pad: 1", [[_LOWEST, 2, 0], [-1, 1, 3], [_LOWEST, _LOWEST, 5]], None),
        ("kernel_size: 3 stride: 2 pad: 2", [[_LOWEST, 2], [-1, 2]], [[-1, 2], [4, 2]]),
    ],
)
def test_places_of_maxima_beside_nan(layer, text, values, places):
    built = layer(f'type: "Pooling" top: "y" top: "mask" pooling_param {{ {text} }}', _POOLED[None, None])
    rows, columns = np.shape(values)
    np.testing.assert_array_equal(built.blobs["y"].data[0, 0, :rows, :columns], values)
    if places:
        np.testing.assert_array_equal(built.blobs["mask"].data[0, 0, :rows, :columns], places)


def test_a_map_of_nan_has_no_maximum_and_no_gradient(layer):
    text = 'type: "Pooling" pooling_param { kernel_size: 3 stride: 2 pad: 1 }'
    top, gradient = _top_and_gradient(layer, text, np.full((1, 2, 7, 7), _NAN))
    assert (top == _LOWEST).all() and not gradient.any()


_CONVOLUTION = (
    'layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param { num_output: 4 %s '
    'weight_filler { type: "gaussian" std: 0.1 } } }'
    'layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" relu_param { negative_slope: %s } }'
)


@pytest.mark.parametrize("slope", [0, 0.5])
@pytest.mark.parametrize("size", ["kernel_size: 3 pad: 1", "kernel_size: 3 stride: 2"])
@pytest.mark.parametrize("where", ["input", "infinite input", "weight", "bias"])
def test_a_planned_convolution_with_relu_passes_nan_on(net, where, size, slope):
    """oneDNN's fused ReLU makes 0 of NaN: a plan must not use it then, nor remember NaN that is gone."""
    built = net(blob("data", (1, 3, 8, 8)) + _CONVOLUTION % (size, slope))
    data, (weight, bias) = built.blobs["data"], built.params["conv"]
    data.data[...] = np.random.default_rng(0).standard_normal(data.shape)
    plan = built.plan()
    assert np.isfinite(plan.forward()["conv"]).all()
    place, value = {
        "input": (data.data[0, 1, 4], _NAN), "infinite input": (data.data[0, 1], _INF),
        "weight": (weight.data[2, 0, 1, 1:2], _NAN), "bias": (bias.data, _NAN),
    }[where]  # fmt: skip
    before = place.copy()
    place[...] = value
    wanted = built.forward()["conv"].copy()
    assert np.isnan(wanted).any()
    np.testing.assert_array_equal(np.isnan(plan.forward()["conv"]), np.isnan(wanted))
    place[...] = before
    assert np.isfinite(plan.forward()["conv"]).all()
