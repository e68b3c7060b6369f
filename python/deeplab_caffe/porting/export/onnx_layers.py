"""How each type of layer is written in ONNX: nodes of opset 17, sizes that follow the input's."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from .graph import Node

if TYPE_CHECKING:
    from .onnx_graph import OnnxGraph

Writer = Callable[["OnnxGraph", Node], None]
WRITERS: dict[str, Writer] = {}
_PROD, _SUM = 0, 1
_MAX_POOL, _AVERAGE_POOL = 0, 1
_SPATIAL = (2, 3)


def _writes(*types: str) -> Callable[[Writer], Writer]:
    def register(writer: Writer) -> Writer:
        WRITERS.update(dict.fromkeys(types, writer))
        return writer

    return register


def write(graph: OnnxGraph, node: Node) -> None:
    """Add a layer's nodes; InputError for a type or an option that has no counterpart."""
    if node.type not in WRITERS:
        node.fail(f"has no counterpart in ONNX here; known are {', '.join(sorted(WRITERS))}")
    WRITERS[node.type](graph, node)


# -- layers with parameters


@_writes("Convolution", "Deconvolution")
def _convolution(g: OnnxGraph, node: Node) -> None:
    layer: Any = node.layer
    if layer.spatial != 2 or layer.channel_axis != 1:
        node.fail("is no convolution over (N, C, H, W); others are not exported")
    g.add(
        "Conv" if node.type == "Convolution" else "ConvTranspose",
        [node.bottoms[0], *g.parameters(node)],
        node.tops,
        kernel_shape=layer.kernel,
        strides=layer.stride,
        pads=[*layer.pad, *layer.pad],
        dilations=layer.dilation,
        group=layer.param.convolution_param.group,
    )


@_writes("InnerProduct")
def _inner_product(g: OnnxGraph, node: Node) -> None:
    layer: Any = node.layer
    if layer.split != 1:
        node.fail("does not begin at axis 1, which is not exported")
    flat = g.add("Flatten", node.bottoms, axis=1)
    g.add("Gemm", [*flat, *g.parameters(node)], node.tops, transB=int(not layer.param.inner_product_param.transpose))


@_writes("BatchNorm")
def _batch_norm(g: OnnxGraph, node: Node) -> None:
    p = node.layer.param.batch_norm_param
    if p.HasField("use_global_stats") and not p.use_global_stats:
        node.fail("normalises by the batch in use, too; only stored statistics are exported")
    mean, variance, factor = node.blobs
    scale = np.float32(0 if factor[0] == 0 else 1 / factor[0])
    values = {"slope": np.ones_like(mean), "offset": np.zeros_like(mean), "mean": mean * scale, "var": variance * scale}
    g.add("BatchNormalization", [node.bottoms[0], *_constants(g, node, values)], node.tops, epsilon=p.eps)


@_writes("BN")
def _bn(g: OnnxGraph, node: Node) -> None:
    names = ("slope", "offset", "mean", "var")
    values = {name: blob.reshape(-1) for name, blob in zip(names, node.blobs, strict=True)}
    eps = node.layer.param.bn_param.eps
    g.add("BatchNormalization", [node.bottoms[0], *_constants(g, node, values)], node.tops, epsilon=eps)


def _constants(g: OnnxGraph, node: Node, values: dict[str, np.ndarray]) -> list[str]:
    return [g.constant(f"{node.owner}.{name}", value) for name, value in values.items()]


@_writes("Scale", "Bias")
def _scale(g: OnnxGraph, node: Node) -> None:
    if len(node.bottoms) == 2:
        _scale_by_bottom(g, node)
        return
    at = node.layer.at  # type: ignore[attr-defined]
    behind = len(node.bottom_shapes[0]) - at - node.blobs[0].ndim
    operators = ("Mul", "Add")[: len(node.blobs)] if node.type == "Scale" else ("Add",)
    value = node.bottoms[0]
    for i, (operator, blob) in enumerate(zip(operators, node.blobs, strict=True)):
        spread = g.constant(f"{node.owner}.{operator.lower()}", blob.reshape(blob.shape + (1,) * behind))
        last = i == len(operators) - 1
        (value,) = g.add(operator, [value, spread], node.tops if last else None)


def _scale_by_bottom(g: OnnxGraph, node: Node) -> None:
    if node.blobs:
        node.fail("has a second bottom and a bias of its own, which is not exported")
    x, values = node.bottoms
    axes = len(node.bottom_shapes[1])
    behind = range(axes, len(node.bottom_shapes[0]) - node.layer.at)  # type: ignore[attr-defined]
    if behind:
        (values,) = g.add("Unsqueeze", [values, g.integers(behind)])
    g.add("Mul" if node.type == "Scale" else "Add", [x, values], node.tops)


@_writes("PReLU")
def _prelu(g: OnnxGraph, node: Node) -> None:
    slope = node.blobs[0].reshape((-1,) + (1,) * (len(node.bottom_shapes[0]) - 2))
    g.add("PRelu", [node.bottoms[0], g.constant(f"{node.owner}.slope", slope)], node.tops)


# -- windows


@_writes("Pooling")
def _pooling(g: OnnxGraph, node: Node) -> None:
    layer: Any = node.layer
    p = layer.param.pooling_param
    if p.pool not in (_MAX_POOL, _AVERAGE_POOL) or len(node.tops) > 1:
        node.fail("is stochastic or has a mask; only the maximum and the average are exported")
    kind = "MaxPool" if p.pool == _MAX_POOL else "AveragePool"
    if p.global_pooling:
        g.add(f"Global{kind}", node.bottoms, node.tops)
        return
    if any(2 * pad > k or s > k for k, s, pad in zip(layer.kernel, layer.stride, layer.pad, strict=True)):
        node.fail("pads by more than half its kernel, or strides beyond it, which is not exported")
    counting = {} if p.pool == _MAX_POOL else {"count_include_pad": 1}
    sizes = {"kernel_shape": layer.kernel, "strides": layer.stride, "pads": [*layer.pad, *layer.pad]}
    g.add(kind, node.bottoms, node.tops, ceil_mode=int(p.round_mode != 1), **sizes, **counting)


@_writes("Interp")
def _interp(g: OnnxGraph, node: Node) -> None:
    p = node.layer.param.interp_param
    x = node.bottoms[0]
    if p.pad_beg or p.pad_end:
        end = p.pad_end if p.pad_end else np.iinfo(np.int64).max
        x = g.sliced(x, [-p.pad_beg] * 2, [end] * 2, _SPATIAL)
    shrink, zoom = p.HasField("shrink_factor"), p.HasField("zoom_factor")
    if p.HasField("height") and p.HasField("width") and shrink == zoom:
        size = g.integers([p.height, p.width])
    else:
        size = g.shape(x, _SPATIAL)
        for factor, operator in ((p.shrink_factor if shrink else 1, "Div"), (p.zoom_factor if zoom else 1, "Mul")):
            if factor != 1:
                (less,) = g.add("Sub", [size, g.integers([1])])
                (scaled,) = g.add(operator, [less, g.integers([factor])])
                (size,) = g.add("Add", [scaled, g.integers([1])])
    g.resize(x, size, node.tops)


@_writes("Crop")
def _crop(g: OnnxGraph, node: Node) -> None:
    layer: Any = node.layer
    axes = list(range(layer.at, len(node.bottom_shapes[0])))
    starts = g.integers(layer.offset)
    (ends,) = g.add("Add", [starts, g.shape(node.bottoms[1], axes)])
    g.add("Slice", [node.bottoms[0], starts, ends, g.integers(axes)], node.tops)


@_writes("Padding")
def _padding(g: OnnxGraph, node: Node) -> None:
    p = node.layer.param.padding_param
    g.add("Pad", [node.bottoms[0], g.integers([0, 0, p.pad_beg, p.pad_beg, 0, 0, p.pad_end, p.pad_end])], node.tops)


# -- element by element


@_writes("ReLU")
def _relu(g: OnnxGraph, node: Node) -> None:
    slope = node.layer.param.relu_param.negative_slope
    if slope:
        g.add("LeakyRelu", node.bottoms, node.tops, alpha=slope)
    else:
        g.add("Relu", node.bottoms, node.tops)


@_writes("Sigmoid", "TanH", "AbsVal")
def _plain(g: OnnxGraph, node: Node) -> None:
    g.add({"Sigmoid": "Sigmoid", "TanH": "Tanh", "AbsVal": "Abs"}[node.type], node.bottoms, node.tops)


@_writes("ELU")
def _elu(g: OnnxGraph, node: Node) -> None:
    g.add("Elu", node.bottoms, node.tops, alpha=node.layer.param.elu_param.alpha)


@_writes("Clip")
def _clip(g: OnnxGraph, node: Node) -> None:
    p = node.layer.param.clip_param
    g.add("Clip", [node.bottoms[0], g.number(p.min), g.number(p.max)], node.tops)


@_writes("Power")
def _power(g: OnnxGraph, node: Node) -> None:
    p = node.layer.param.power_param
    if p.power * p.scale == 0:
        g.filled(g.add("Shape", node.bottoms), p.shift**p.power, node.tops)
        return
    g.add("Pow", [_linear(g, node.bottoms[0], p), g.number(p.power)], node.tops)


@_writes("Exp", "Log")
def _exponential(g: OnnxGraph, node: Node) -> None:
    p = node.layer.param.exp_param if node.type == "Exp" else node.layer.param.log_param
    x = _linear(g, node.bottoms[0], p)
    factor = 1.0 if p.base == -1 else float(np.log(p.base))
    if node.type == "Exp":
        (x,) = g.add("Mul", [x, g.number(factor)])
        g.add("Exp", [x], node.tops)
    else:
        g.add("Div", [*g.add("Log", [x]), g.number(factor)], node.tops)


def _linear(g: OnnxGraph, x: str, p: Any) -> str:
    """shift + scale * x."""
    if p.scale != 1:
        (x,) = g.add("Mul", [x, g.number(p.scale)])
    if p.shift:
        (x,) = g.add("Add", [x, g.number(p.shift)])
    return x


# -- several at once


@_writes("Eltwise")
def _eltwise(g: OnnxGraph, node: Node) -> None:
    p = node.layer.param.eltwise_param
    values = list(node.bottoms)
    if p.operation == _SUM and p.coeff:
        pairs = zip(values, p.coeff, strict=True)
        values = [x if c == 1 else g.add("Mul", [x, g.number(c)])[0] for x, c in pairs]
    operator = {_PROD: "Mul", _SUM: "Add"}.get(p.operation, "Max")
    total = values[0]
    for i, value in enumerate(values[1:], 2):
        (total,) = g.add(operator, [total, value], node.tops if i == len(values) else None)


@_writes("SpatialProduct")
def _spatial_product(g: OnnxGraph, node: Node) -> None:
    g.add("Mul", node.bottoms, node.tops)


@_writes("Concat")
def _concat(g: OnnxGraph, node: Node) -> None:
    g.add("Concat", node.bottoms, node.tops, axis=node.layer.at)  # type: ignore[attr-defined]


@_writes("Slice")
def _slice(g: OnnxGraph, node: Node) -> None:
    at = node.layer.at  # type: ignore[attr-defined]
    sizes = g.integers([shape[at] for shape in node.top_shapes])
    g.add("Split", [node.bottoms[0], sizes], node.tops, axis=at)


@_writes("Tile")
def _tile(g: OnnxGraph, node: Node) -> None:
    repeats = [1] * len(node.bottom_shapes[0])
    repeats[node.layer.at] = node.layer.param.tile_param.tiles  # type: ignore[attr-defined]
    g.add("Tile", [node.bottoms[0], g.integers(repeats)], node.tops)


@_writes("Softmax")
def _softmax(g: OnnxGraph, node: Node) -> None:
    g.add("Softmax", node.bottoms, node.tops, axis=node.layer.param.softmax_param.axis)


@_writes("ArgMax")
def _argmax(g: OnnxGraph, node: Node) -> None:
    p = node.layer.param.argmax_param
    if not p.HasField("axis") or p.top_k != 1:
        node.fail("is exported with an axis and a top_k of 1 only")
    if p.out_max_val:
        g.add("ReduceMax", node.bottoms, node.tops, axes=[p.axis], keepdims=1)
    else:
        index = g.add("ArgMax", node.bottoms, axis=p.axis, keepdims=1, select_last_index=1)
        g.add("Cast", index, node.tops, to=1)


@_writes("LRN")
def _lrn(g: OnnxGraph, node: Node) -> None:
    p = node.layer.param.lrn_param
    if p.norm_region != 0:
        node.fail("normalises within channels, which is not exported")
    g.add("LRN", node.bottoms, node.tops, size=p.local_size, alpha=p.alpha, beta=p.beta, bias=p.k)


@_writes("Flatten")
def _flatten(g: OnnxGraph, node: Node) -> None:
    p = node.layer.param.flatten_param
    if (p.axis, p.end_axis) != (1, -1):
        node.fail("is exported with its default axes only")
    g.add("Flatten", node.bottoms, node.tops, axis=1)


@_writes("Reshape")
def _reshape(g: OnnxGraph, node: Node) -> None:
    if node.bottom_shapes[0][:1] != node.top_shapes[0][:1]:
        node.fail("reshapes the batch, which is not exported")
    g.add("Reshape", [node.bottoms[0], g.integers([0, *node.top_shapes[0][1:]])], node.tops)
