"""Cases of the layers that nearly every net has."""

from __future__ import annotations

import numpy as np

from cases import Case, values

_LABELS = np.array([0.0, 1, 2, 2])


def _layer(kind: str, bottoms: int, more: str = "") -> str:
    stated = " ".join(f'bottom: "x{i}"' for i in range(bottoms))
    return f'layer {{ name: "layer" type: "{kind}" {stated} top: "y" {more} }}'


def _case(name: str, kind: str, more: str, *arrays: np.ndarray, checked: int | None = None, **fields) -> Case:
    """Bottoms x0, x1, …, of which the first `checked` (all, unless stated) want a gradient."""
    names = [f"x{i}" for i in range(len(arrays))]
    return Case(
        name,
        _layer(kind, len(arrays), more),
        dict(zip(names, arrays, strict=True)),
        differentiable=tuple(names[:checked]),
        **fields,
    )


_IMAGE = values(1, 2, 5, 4)
_FILLER = 'weight_filler { type: "xavier" } bias_filler { type: "uniform" }'

CASES = [
    _case("concat", "Concat", "", values(2, 2), values(2, 3)),
    _case("eltwise_sum", "Eltwise", "eltwise_param { coeff: [2, -1] }", values(2, 3), values(2, 3, seed=1)),
    _case("eltwise_max", "Eltwise", "eltwise_param { operation: MAX }", *(values(2, 3, seed=i) for i in range(3))),
    _case("eltwise_prod", "Eltwise", "eltwise_param { operation: PROD }", *(values(2, 3, seed=i) for i in range(3))),
    _case("argmax", "ArgMax", "argmax_param { axis: 1 }", _IMAGE, checked=0),
    _case(
        "conv",
        "Convolution",
        f"convolution_param {{ num_output: 2 kernel_size: 2 pad: 1 stride: 2 dilation: 2 group: 2 {_FILLER} }}",
        _IMAGE,
    ),
    _case(
        "deconv",
        "Deconvolution",
        f"convolution_param {{ num_output: 4 kernel_size: 3 pad: 1 stride: 2 dilation: 2 group: 2 {_FILLER} }}",
        _IMAGE,
    ),
    _case("inner_product", "InnerProduct", f"inner_product_param {{ num_output: 2 {_FILLER} }}", values(2, 3)),
    _case(
        "inner_product_transposed",
        "InnerProduct",
        f"inner_product_param {{ num_output: 2 transpose: true axis: 2 {_FILLER} }}",
        values(2, 3, 2),
    ),
    _case("relu", "ReLU", "relu_param { negative_slope: 0.1 }", values(3, 4)),
    _case("dropout", "Dropout", "", values(3, 4), phase="TRAIN", random=True),
    _case("spatial_dropout", "SpatialDropout", "", values(3, 4, 2, 2), phase="TRAIN", random=True),
    _case("batch_norm_train", "BatchNorm", "", values(3, 2, 2), phase="TRAIN", params=False),
    _case("batch_norm_eps_0", "BatchNorm", "batch_norm_param { eps: 0 }", values(3, 2, 2), phase="TRAIN", params=False),
    _case("batch_norm_test", "BatchNorm", "", values(3, 2, 2), params=False),
    _case("scale", "Scale", 'scale_param { bias_term: true filler { type: "uniform" } }', values(2, 3, 2)),
    _case("scale_axis", "Scale", 'scale_param { num_axes: 2 filler { type: "uniform" } }', values(2, 3, 2)),
    _case("scale_two", "Scale", "scale_param { axis: 0 }", values(2, 3), values(2)),
    _case("pool_max", "Pooling", "pooling_param { kernel_size: 3 stride: 2 pad: 2 }", _IMAGE),
    _case("pool_ave", "Pooling", "pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 2 }", _IMAGE),
    _case("pool_ave_ceil", "Pooling", "pooling_param { pool: AVE kernel_size: 2 stride: 2 }", _IMAGE),
    _case(
        "pool_stochastic",
        "Pooling",
        "pooling_param { pool: STOCHASTIC kernel_size: 2 stride: 2 }",
        values(1, 2, 4, 4, low=0.5),
        phase="TRAIN",
        random=True,
    ),
    _case("interp", "Interp", "interp_param { height: 5 width: 2 pad_beg: -1 }", values(1, 2, 4, 4)),
    _case("softmax", "Softmax", "", values(2, 4)),
    _case("softmax_loss", "SoftmaxWithLoss", "loss_param { ignore_label: 1 }", values(4, 3), _LABELS, checked=1),
    _case("euclidean_loss", "EuclideanLoss", "", values(2, 3), values(2, 3, seed=1)),
    _case("accuracy", "Accuracy", "", values(4, 3), _LABELS, checked=0),
    _case("seg_accuracy", "SegAccuracy", "", values(4, 3, 1, 1), _LABELS.reshape(4, 1, 1, 1), checked=0),
    Case(
        "split",
        'layer { name: "layer" type: "Split" bottom: "x0" top: "y" top: "z" }',
        {"x0": values(2, 2)},
        differentiable=("x0",),
    ),
    Case("silence", 'layer { name: "layer" type: "Silence" bottom: "x0" }', {"x0": values(2, 2)}),
]
