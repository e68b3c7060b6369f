"""caffe.coord_map: maps of layers, their composition, and the Crop that aligns an FCN."""

from __future__ import annotations

import numpy as np
import pytest

from deeplab_caffe.caffe import coord_map as cm
from deeplab_caffe.caffe.net_spec import NetSpec
from deeplab_caffe.caffe.net_spec import layers as L


def _fcn(pad: int = 100):
    """An FCN in small: two convolutions, two poolings, one upsampling by four."""
    n = NetSpec()
    n.data = L.Input(input_param={"shape": {"dim": [1, 3, 40, 40]}})
    n.conv1 = L.Convolution(n.data, kernel_size=3, num_output=4, pad=pad)
    n.relu1 = L.ReLU(n.conv1, in_place=True)
    n.pool1 = L.Pooling(n.relu1, kernel_size=2, stride=2)
    n.conv2 = L.Convolution(n.pool1, kernel_size=[3, 3], num_output=4, pad=1)
    n.pool2 = L.Pooling(n.conv2, pooling_param={"kernel_size": 2, "stride": 2})
    n.fc = L.Convolution(n.pool2, kernel_size=7, num_output=4)
    n.up = L.Deconvolution(n.fc, convolution_param={"kernel_size": 8, "stride": 4, "num_output": 4})
    return n


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (lambda d: L.Convolution(d, kernel_size=3, pad=1), (1, 1, 0)),
        (lambda d: L.Convolution(d, kernel_size=3, stride=2), (1, 0.5, -0.5)),
        (lambda d: L.Convolution(d, kernel_size=3, dilation=4, pad=4), (1, 1, 0)),
        (lambda d: L.Convolution(d, convolution_param={"kernel_size": 5, "axis": 0}), (0, 1, -2)),
        (lambda d: L.Pooling(d, kernel_size=2, stride=2), (1, 0.5, -0.25)),
        (lambda d: L.Im2col(d, convolution_param={"kernel_size": 3}), (1, 1, -1)),
        (lambda d: L.Deconvolution(d, convolution_param={"kernel_size": 4, "stride": 2, "pad": 1}), (1, 2, 0.5)),
        (lambda d: L.Dropout(d), (None, 1, 0)),
        (lambda d: L.Crop(d, d, axis=2, offset=[3]), (1, 1, -3)),
    ],
)
def test_maps_of_layers(layer, expected):
    top = layer(L.Input())
    axis, scale, shift = cm.coord_map(top.fn)
    assert (axis, float(np.squeeze(scale)), float(np.squeeze(shift))) == expected


def test_layers_without_a_map():
    for kind in ("InnerProduct", "Interp", "Softmax"):
        with pytest.raises(cm.UndefinedMapException, match=kind):
            cm.coord_map(getattr(L, kind)(L.Input()).fn)
    with pytest.raises(AssertionError, match="legacy _h/_w"):
        cm.coord_map(L.Convolution(L.Input(), kernel_h=3, kernel_w=3).fn)


def test_compose_and_inverse():
    assert cm.compose((1, 2, 3), (1, 5, 7)) == (1, 10, 17)
    assert cm.compose((None, 1, 0), (1, 5, 7)) == (1, 5, 7)
    assert cm.compose((1, 5, 7), (None, 1, 0)) == (1, 5, 7)
    assert cm.compose((1, 4, 3), cm.inverse((1, 4, 3))) == (1, 1, 0)
    with pytest.raises(cm.AxisMismatchException):
        cm.compose((1, 1, 0), (2, 1, 0))


def test_crop_aligns_an_fcn():
    n = _fcn()
    axis, scale, shift = cm.coord_map_from_to(n.data, n.up)
    assert (axis, float(scale[0])) == (1, 1)
    n.score = cm.crop(n.up, n.data)
    layer = n.to_proto().layer[-1]
    assert (layer.type, list(layer.bottom), layer.crop_param.axis) == ("Crop", ["up", "data"], 2)
    # (((x + 99) / 2 - 1/4) / 2 - 1/4 - 3) · 4 + 3.5 = x + 89; one offset for each of the two axes of conv2's kernel
    assert list(layer.crop_param.offset) == [89, 89]
    again = cm.crop(n.score, n.data)
    assert again.fn.params["crop_param"]["offset"] == [0, 0]


def test_the_offset_is_right_on_a_real_net(net):
    """A single bright pixel, through convolution and upsampling by one, comes out where Crop says."""
    n = NetSpec()
    n.data = L.Input(input_param={"shape": {"dim": [1, 1, 9, 9]}})
    n.conv = L.Convolution(n.data, kernel_size=3, pad=5, num_output=1)
    n.out = cm.crop(n.conv, n.data)
    built = net(str(n.to_proto()))
    built.params["conv"][0].data[0, 0, 1, 1] = 1
    built.blobs["data"].data[0, 0, 2, 6] = 1
    built.forward()
    np.testing.assert_array_equal(built.blobs["out"].data, built.blobs["data"].data)


def test_what_cannot_be_cropped():
    n = _fcn(pad=0)
    with pytest.raises(AssertionError, match="cannot crop negative offset"):
        cm.crop(n.up, n.data)
    with pytest.raises(AssertionError, match="scale mismatch on crop"):
        cm.crop(n.pool1, n.data)
    half = L.Pooling(n.data, kernel_size=2, stride=1, pad=1)
    with pytest.raises(AssertionError, match="cannot crop noninteger offset"):
        cm.crop(half, n.data)
    with pytest.raises(RuntimeError, match="are they connected by spatial layers"):
        cm.crop(L.InnerProduct(n.data, num_output=1), n.data)
