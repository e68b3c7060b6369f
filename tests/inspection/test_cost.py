"""Parameters and multiply-adds: against the engine's blobs, and by hand."""

from __future__ import annotations

import math

import pytest

import small_nets as nets
from cases import Case, collect
from deeplab_caffe import caffe
from deeplab_caffe.inspection.cost import costs, multiply_adds
from deeplab_caffe.inspection.shapes import infer_shapes


def _inputs(case: Case) -> list[str]:
    return [nets.blob(name, array.shape) for name, array in case.bottoms.items()]


@pytest.mark.parametrize("case", collect(), ids=lambda case: case.name)
def test_parameters_are_the_engines(case: Case, write):
    path = write(nets.net(*_inputs(case), case.text))
    real = caffe.Net(str(path), caffe.TEST)
    found = costs(infer_shapes(path, phase=caffe.TEST))
    assert sum(cost.params for cost in found) == sum(b.data.size for blobs in real.params.values() for b in blobs)


def test_shared_and_fixed_parameters_are_counted_apart(write):
    named = 'param { name: "w" lr_mult: 1 } param { lr_mult: 0 }'
    layers = [nets.conv("a", "data", outputs=4), nets.conv("b", "data", outputs=4)]
    layers = [text.replace("convolution_param", f"{named} convolution_param") for text in layers]
    found = costs(infer_shapes(write(nets.net(nets.image("9x9"), *layers))))
    assert [(c.params, c.learned, c.shared) for c in found] == [(0, 0, 0), (40, 36, 0), (4, 0, 36)]


def test_statistics_are_not_learned(write):
    layers = [nets.layer("BatchNorm", "a", "data"), nets.layer("Scale", "b", "a", "scale_param { bias_term: true }")]
    found = costs(infer_shapes(write(nets.net(nets.image("9x9", 8), *layers))))
    assert [(c.params, c.learned) for c in found] == [(0, 0), (17, 0), (16, 16)]


#: type, bottoms, its parameters, multiply-adds
_BY_HAND = {
    "convolution": ("Convolution", [(2, 4, 9, 9)], "num_output: 6 kernel_size: 3 stride: 2 pad: 1 group: 2",
                    2 * 6 * 5 * 5 * (4 // 2) * 9),
    "dilated": ("Convolution", [(1, 4, 9, 9)], "num_output: 6 kernel_h: 3 kernel_w: 1 dilation: 2", 6 * 5 * 9 * 4 * 3),
    "convolution_of_two": ("Convolution", [(1, 1, 5, 5)] * 2, "num_output: 1 kernel_size: 5", 2 * 25),
    "deconvolution": ("Deconvolution", [(2, 4, 3, 3)], "num_output: 6 kernel_size: 4 stride: 2 group: 2",
                      2 * 4 * 9 * (6 // 2) * 16),
    "inner_product": ("InnerProduct", [(2, 4, 3, 3)], "num_output: 6", 2 * 6 * 36),
    "inner_product_transposed": ("InnerProduct", [(2, 4, 3)], "num_output: 6 transpose: true axis: 2", 2 * 4 * 6 * 3),
    "scale": ("Scale", [(2, 4, 3, 3)], "bias_term: true", 72),
    "interp": ("Interp", [(1, 2, 3, 3)], "zoom_factor: 2", 4 * 2 * 25),
    "average": ("Pooling", [(1, 2, 4, 4)], "pool: AVE kernel_size: 2 stride: 2", 2 * 4 * 4),
    "maximum": ("Pooling", [(1, 2, 4, 4)], "pool: MAX kernel_size: 2 stride: 2", 0),
    "global": ("Pooling", [(1, 2, 4, 4)], "pool: AVE global_pooling: true", 2 * 16),
    "lrn": ("LRN", [(1, 8, 4, 4)], "local_size: 5", 8 * 16 * 5),
    "product": ("Eltwise", [(2, 3)] * 3, "operation: PROD", 12),
    "sum": ("Eltwise", [(2, 3)] * 3, "", 0),
    "difference": ("Eltwise", [(2, 3)] * 2, "coeff: 1 coeff: -1", 6),
    "lstm": ("LSTM", [(5, 2, 7), (5, 2)], "num_output: 3", 5 * 2 * (4 * 3 * 7 + 4 * 3 * 3)),
    "relu": ("ReLU", [(2, 3)], "", 0),
}  # fmt: skip
_FIELDS = {"Deconvolution": "convolution", "InnerProduct": "inner_product", "LSTM": "recurrent", "ReLU": "relu"}


@pytest.mark.parametrize("name", _BY_HAND)
def test_multiply_adds_by_hand(write, name):
    kind, shapes, more, wanted = _BY_HAND[name]
    inputs = [nets.blob(f"x{i}", shape) for i, shape in enumerate(shapes)]
    bottoms = " ".join(f"x{i}" for i in range(len(shapes)))
    tops = "y z" if name == "convolution_of_two" else "y"
    param = f"{_FIELDS.get(kind, kind.lower())}_param {{ {more} }}"
    found = infer_shapes(write(nets.net(*inputs, nets.layer(kind, "y", bottoms, param, tops))))
    assert multiply_adds(found.layer("y")) == wanted


def test_an_unknown_part_costs_nothing(write):
    layers = [nets.image("9x9"), nets.conv("large", "data", "kernel_size: 11"), nets.conv("c", "data")]
    found = costs(infer_shapes(write(nets.net(*layers)), tolerant=True))
    assert [c.multiply_adds for c in found] == [0, 0, math.prod((9, 9, 9))]
