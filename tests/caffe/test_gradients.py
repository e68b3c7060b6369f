"""Gradients of every differentiable layer against finite differences, in double precision."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from deeplab_caffe import caffe
from deeplab_caffe.caffe.layers.base import TensorLayer

#: type → (definition, shapes of the bottoms that want a gradient)
_CASES = {
    "Concat": ("", [(2, 2), (2, 3)]),
    "Convolution": (
        "convolution_param { num_output: 2 kernel_size: 2 pad: 1 stride: 2 dilation: 2 group: 2 "
        'weight_filler { type: "xavier" } }',
        [(1, 2, 5, 4)],
    ),
    "Dropout": ("", [(3, 4)]),
    "Eltwise": ("eltwise_param { operation: PROD }", [(2, 3), (2, 3), (2, 3)]),
    "EuclideanLoss": ("", [(2, 3), (2, 3)]),
    "InnerProduct": (
        'inner_product_param { num_output: 2 transpose: true weight_filler { type: "xavier" } }',
        [(2, 3)],
    ),
    "Interp": ("interp_param { height: 5 width: 2 pad_beg: -1 }", [(1, 2, 4, 4)]),
    "Pooling": ("pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 2 }", [(1, 2, 5, 4)]),
    "ReLU": ("relu_param { negative_slope: 0.1 }", [(3, 4)]),
    "Scale": ('scale_param { bias_term: true filler { type: "uniform" } }', [(2, 3, 2)]),
    "BatchNorm": ("", [(3, 2, 2)]),
    "Softmax": ("", [(2, 4)]),
    "SoftmaxWithLoss": ("loss_param { ignore_label: 1 }", [(4, 3)]),
}
#: layers without gradient, or without a function of tensors
_NONE = {"Accuracy", "ArgMax", "HDF5Data", "ImageSegData", "Input", "Python", "SegAccuracy", "Silence", "Split"}


def test_every_type_is_checked_or_has_no_gradient():
    assert set(caffe.layer_type_list()) == set(_CASES) | _NONE


@pytest.mark.parametrize("kind", sorted(_CASES))
def test_gradient(kind, layer):
    text, shapes = _CASES[kind]
    random = torch.Generator().manual_seed(0)
    arrays = [np.zeros(s) for s in shapes]
    if kind == "SoftmaxWithLoss":
        arrays.append(np.array([0, 1, 2, 2]))
    # BatchNorm and the losses in TRAIN, where they do more.
    built = layer(f'type: "{kind}" {text}', *arrays, phase=caffe.TRAIN, run=False)
    checked = built.layer_dict["layer"]
    assert isinstance(checked, TensorLayer)
    bottoms = [torch.randn(s, generator=random, dtype=torch.float64, requires_grad=True) for s in shapes]
    fixed = [torch.from_numpy(a).double() for a in arrays[len(shapes) :]]
    learned = kind != "BatchNorm"
    params = [b.data_tensor().double().requires_grad_(learned) for b in checked.blobs]

    def compute(*tensors: torch.Tensor):
        caffe.set_random_seed(3)  # the same elements drop out in every call
        own = list(tensors[len(bottoms) :]) if learned else [p.clone() for p in params]
        return tuple(checked.compute([*tensors[: len(bottoms)], *fixed], own))

    assert torch.autograd.gradcheck(compute, (*bottoms, *(params if learned else [])), atol=1e-6)


def test_maximum_pooling_and_eltwise_away_from_ties(layer):
    for text, count in (
        ('type: "Pooling" pooling_param { kernel_size: 3 stride: 2 pad: 2 }', 1),
        ('type: "Eltwise" eltwise_param { operation: MAX }', 3),
    ):
        built = layer(text, *[np.zeros((1, 2, 5, 4))] * count, run=False)
        generator = torch.Generator().manual_seed(0)
        bottoms = [
            torch.randperm(40, generator=generator).double().view(1, 2, 5, 4).add(i / 3).requires_grad_()
            for i in range(count)
        ]
        checked = built.layer_dict["layer"]
        assert isinstance(checked, TensorLayer)
        assert torch.autograd.gradcheck(lambda *b, run=checked.compute: tuple(run(list(b), [])), bottoms)
