"""Output stride and receptive field: against the extent of real gradients, hand-worked nets, and the papers' tables."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import small_nets as nets
from deeplab_caffe import caffe
from deeplab_caffe.inspection.receptive_fields import ReceptiveField, field_of_view, infer_receptive_fields
from deeplab_caffe.inspection.shapes import infer_shapes

_FILLED = 'weight_filler { type: "constant" value: 0.01 }'


def _conv(name: str, bottom: str, more: str = "kernel_size: 3 pad: 1") -> str:
    return nets.conv(name, bottom, f"{more} {_FILLED}")


def _deconv(name: str, bottom: str, more: str) -> str:
    return nets.layer("Deconvolution", name, bottom, f"convolution_param {{ num_output: 1 {more} {_FILLED} }}")


def _pool(name: str, bottom: str, more: str) -> str:
    return nets.layer("Pooling", name, bottom, f"pooling_param {{ pool: AVE {more} }}")


def _interp(name: str, bottom: str, more: str) -> str:
    return nets.layer("Interp", name, bottom, f"interp_param {{ {more} }}")


#: nets whose last layer is `end`: what makes a receptive field, alone and one behind the other
_NETS = {
    "convolutions": [_conv("a", "data"), _conv("b", "a", "kernel_size: 5 stride: 2 pad: 2"), _conv("end", "b")],
    "dilated": [_conv("a", "data", "kernel_size: 3 stride: 2 pad: 1"), _conv("end", "a", "kernel_size: 3 dilation: 4")],
    "lopsided": [_conv("a", "data", "kernel_size: 4 stride: 2"), _conv("end", "a", "kernel_size: 2")],
    "oblong": [_conv("a", "data", "kernel_h: 5 kernel_w: 1 stride_h: 1 stride_w: 2"), _conv("end", "a")],
    "pooled": [_pool("a", "data", "kernel_size: 3 stride: 2 pad: 1"), _pool("end", "a", "kernel_size: 3 pad: 1")],
    "global": [_pool("a", "data", "global_pooling: true"), _interp("end", "a", "height: 5 width: 5")],
    "branches": [
        _conv("a", "data", "kernel_size: 3 pad: 1"),
        _conv("b", "a", "kernel_size: 3 pad: 6 dilation: 6"),
        _conv("c", "a", "kernel_size: 2"),
        nets.layer("Crop", "d", "b c", "crop_param { offset: 0 }"),
        nets.layer("Eltwise", "end", "c d"),
    ],
    "cropped": [
        _conv("a", "data"),
        _conv("b", "a", "kernel_size: 9"),
        nets.layer("Crop", "c", "a b", "crop_param { offset: 2 offset: 5 }"),
        _conv("end", "c"),
    ],
    "padded": [nets.layer("Padding", "a", "data", "padding_param { pad_beg: 3 pad_end: 1 }"), _conv("end", "a")],
    "zoomed": [_conv("a", "data", "kernel_size: 3 stride: 4"), _interp("b", "a", "zoom_factor: 4"), _conv("end", "b")],
    "shrunk": [_interp("a", "data", "shrink_factor: 2"), _conv("end", "a")],
    "three_quarters": [
        _interp("a", "data", "height: 25 width: 25"),
        _conv("b", "a"),
        _conv("end", "b", "kernel_size: 2"),
    ],
    "interp_crops": [_interp("a", "data", "pad_beg: -2 pad_end: -1 height: 30 width: 30"), _conv("end", "a")],
    "deconvolved": [
        _conv("a", "data", "kernel_size: 3 stride: 4"),
        _deconv("end", "a", "kernel_size: 8 stride: 4 pad: 2"),
    ],
    "deconvolved_in_between": [
        _conv("a", "data", "kernel_size: 3 stride: 2"),
        _deconv("b", "a", "kernel_size: 4 stride: 2 pad: 1"),
        _conv("end", "b"),
    ],
    "pyramid": [
        _interp("a", "data", "height: 25 width: 25"),
        _conv("b", "a"),
        _interp("c", "b", "height: 33 width: 33"),
        nets.layer("Eltwise", "end", "c data"),
    ],
    "in_place": [_conv("end", "data"), nets.layer("Power", "p", "end", tops="end")],
    "in_place_of_two": [
        _conv("a", "data", "kernel_size: 5 pad: 2"),
        _conv("end", "data", "kernel_size: 1"),
        nets.layer("Scale", "s", "end a", "scale_param { axis: 0 }", "end"),
    ],
    "one_unit": [_interp("a", "data", "height: 1 width: 1"), _interp("end", "a", "height: 3 width: 3")],
    "lrn": [nets.layer("LRN", "end", "data", "lrn_param { local_size: 5 norm_region: WITHIN_CHANNEL }")],
    "sliced": [
        nets.layer("Slice", "s", "data", "slice_param { axis: 2 slice_point: 10 slice_point: 21 }", tops="a b c"),
        _conv("end", "b", "kernel_size: 3"),
        nets.layer("Silence", "s2", "a c", tops=" "),
    ],
    "inner_product": [
        _conv("a", "data", "kernel_size: 3 stride: 3"),
        nets.layer("InnerProduct", "end", "a", f"inner_product_param {{ num_output: 1 {_FILLED} }}"),
    ],
}


def _extent(net: caffe.Net, top: str, unit: tuple[int, ...]) -> list[tuple[int, int]]:
    """The first and last row, and column, of the input that the gradient of one unit reaches."""
    net.blobs[top].diff[...] = 0
    net.blobs[top].diff[unit] = 1
    net.backward()
    found = [np.flatnonzero(net.blobs["data"].diff[0, 0].any(axis)) for axis in (1, 0)]
    return [(int(ends[0]), int(ends[-1])) for ends in found]


@pytest.mark.parametrize("kind", _NETS)
def test_the_field_is_where_gradients_come_from(write, kind):
    path = write("force_backward: true\n" + nets.net(nets.image("33x33"), *_NETS[kind]))
    field = infer_receptive_fields(infer_shapes(path))["end"]
    net = caffe.Net(str(path), caffe.TEST)
    net.blobs["data"].data[...] = np.random.default_rng(0).uniform(1, 2, (1, 1, 33, 33))
    net.forward()
    shape = net.blobs["end"].shape
    size = shape[2:] if len(shape) == 4 else (1, 1)
    middle = [(s - 1) // 2 for s in size]
    largest = np.zeros(2, int)
    for step in range(min(8, size[0] - middle[0])):  # neighbours may see more or less behind an upsampling
        unit = (0, 0, middle[0] + step, min(middle[1] + step, size[1] - 1)) if len(shape) == 4 else (0, 0)
        ends = _extent(net, "end", unit)
        if step == 0:
            assert field.middle == tuple(Fraction(first + last, 2) for first, last in ends)
        if all(first > 0 and last < 32 for first, last in ends) or step == 0:
            largest = np.maximum(largest, [last - first + 1 for first, last in ends])
    assert field.size == tuple(largest)


def test_strides_and_centres_by_hand(write):
    layers = [
        _conv("a", "data", "kernel_size: 7 stride: 2 pad: 3"),
        _pool("b", "a", "kernel_size: 2 stride: 2"),
        _interp("c", "b", "zoom_factor: 2"),
        _deconv("d", "b", "kernel_size: 4 stride: 4"),
        nets.layer("InnerProduct", "e", "b", "inner_product_param { num_output: 2 }"),
    ]
    found = infer_receptive_fields(infer_shapes(write(nets.net(nets.image("65x33"), *layers))))
    assert found["a"] == ReceptiveField("data", stride=(2, 2), size=(7, 7), first=(0, 0), middle=(32, 16))
    # b's unit i pools a's 2i and 2i + 1; (33, 17) of a become (17, 9)
    assert found["b"] == ReceptiveField("data", stride=(4, 4), size=(9, 9), first=(1, 1), middle=(33, 17))
    assert found["c"].stride == (2, 2) and found["c"].first == (1, 1)
    assert found["d"].stride == (1, 1) and found["d"].first == (-0.5, -0.5)  # four units share one of b's
    assert found["e"].stride == (0, 0) and found["e"].size == (16 * 4 + 9, 8 * 4 + 9)


def test_every_input_has_fields_of_its_own(write):
    layers = [
        nets.image("33x33"),
        nets.image("33x33", name="label"),
        _interp("small", "label", "shrink_factor: 8"),
        _conv("a", "data", "kernel_size: 3 pad: 1 stride: 8"),
        nets.layer("EuclideanLoss", "loss", "a small"),
    ]
    found = infer_receptive_fields(infer_shapes(write(nets.net(*layers))))
    assert (found["small"].source, found["small"].size, found["small"].stride) == ("label", (1, 1), (8, 8))
    assert (found["a"].source, found["loss"].source) == ("data", "data")
    assert found["loss"].size == (35, 35)  # padding and all


def test_what_lies_behind_a_fault_has_none(write):
    layers = [nets.image("9x9"), _conv("large", "data", "kernel_size: 11"), _conv("b", "large"), _conv("c", "data")]
    found = infer_receptive_fields(infer_shapes(write(nets.net(*layers)), tolerant=True))
    assert set(found) == {"data", "c"}


@pytest.mark.parametrize(("kernel", "rate", "published"), [(7, 4, 224), (4, 4, 128), (4, 8, 224), (3, 12, 224)])
def test_field_of_view_is_the_papers(kernel, rate, published):
    assert field_of_view(kernel, rate) == published
