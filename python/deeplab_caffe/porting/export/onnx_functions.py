"""ONNX nodes of layers that compute element by element, and of those that join, cut or rearrange blobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .graph import Node, reshaped_sizes
from .onnx_registry import writes

if TYPE_CHECKING:
    from .onnx_graph import OnnxGraph

_PROD, _SUM = 0, 1


# -- element by element


@writes("ReLU")
def _relu(g: OnnxGraph, node: Node) -> None:
    slope = node.layer.param.relu_param.negative_slope
    if slope:
        g.add("LeakyRelu", node.bottoms, node.tops, alpha=slope)
    else:
        g.add("Relu", node.bottoms, node.tops)


@writes("ELU")
def _elu(g: OnnxGraph, node: Node) -> None:
    g.add("Elu", node.bottoms, node.tops, alpha=node.layer.param.elu_param.alpha)


@writes("Clip")
def _clip(g: OnnxGraph, node: Node) -> None:
    p = node.layer.param.clip_param
    g.add("Clip", [node.bottoms[0], g.number(p.min), g.number(p.max)], node.tops)


@writes("Power")
def _power(g: OnnxGraph, node: Node) -> None:
    p = node.layer.param.power_param
    if p.power * p.scale == 0:
        g.filled(g.add("Shape", node.bottoms), p.shift**p.power, node.tops)
        return
    g.add("Pow", [_linear(g, node.bottoms[0], p), g.number(p.power)], node.tops)


@writes("Exp", "Log")
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


@writes("Eltwise")
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


@writes("Concat")
def _concat(g: OnnxGraph, node: Node) -> None:
    g.add("Concat", node.bottoms, node.tops, axis=node.layer.at)  # type: ignore[attr-defined]


@writes("Slice")
def _slice(g: OnnxGraph, node: Node) -> None:
    at = node.layer.at  # type: ignore[attr-defined]
    sizes = g.integers([shape[at] for shape in node.top_shapes])
    g.add("Split", [node.bottoms[0], sizes], node.tops, axis=at)


@writes("Tile")
def _tile(g: OnnxGraph, node: Node) -> None:
    repeats = [1] * len(node.bottom_shapes[0])
    repeats[node.layer.at] = node.layer.param.tile_param.tiles  # type: ignore[attr-defined]
    g.add("Tile", [node.bottoms[0], g.integers(repeats)], node.tops)


@writes("Softmax")
def _softmax(g: OnnxGraph, node: Node) -> None:
    g.add("Softmax", node.bottoms, node.tops, axis=node.layer.param.softmax_param.axis)


@writes("ArgMax")
def _argmax(g: OnnxGraph, node: Node) -> None:
    p = node.layer.param.argmax_param
    if not p.HasField("axis") or p.top_k != 1:
        node.fail("can only be exported with an axis and a top_k of 1")
    if p.out_max_val:
        g.add("ReduceMax", node.bottoms, node.tops, axes=[p.axis], keepdims=1)
    else:
        index = g.add("ArgMax", node.bottoms, axis=p.axis, keepdims=1, select_last_index=1)
        g.add("Cast", index, node.tops, to=1)


@writes("LRN")
def _lrn(g: OnnxGraph, node: Node) -> None:
    p = node.layer.param.lrn_param
    if p.norm_region != 0:
        node.fail("normalises within channels, which is not supported in exports")
    g.add("LRN", node.bottoms, node.tops, size=p.local_size, alpha=p.alpha, beta=p.beta, bias=p.k)


@writes("Flatten")
def _flatten(g: OnnxGraph, node: Node) -> None:
    p = node.layer.param.flatten_param
    if (p.axis, p.end_axis) != (1, -1):
        node.fail("can only be exported with its default axes")
    g.add("Flatten", node.bottoms, node.tops, axis=1)


@writes("Reshape")
def _reshape(g: OnnxGraph, node: Node) -> None:
    g.add("Reshape", [node.bottoms[0], g.integers(reshaped_sizes(node))], node.tops)


# -- of detectors and small nets


@writes("Normalize")
def _normalize(g: OnnxGraph, node: Node) -> None:
    p, axes = node.layer.param.norm_param, len(node.bottom_shapes[0])
    squares = g.add("ReduceSumSquare", node.bottoms, axes=list(range(1, axes)) if p.across_spatial else [1], keepdims=1)
    norm = g.call("Sqrt", g.call("Add", *squares, g.number(p.eps)))
    scale = node.blobs[0].reshape((-1,) + (1,) * (axes - 2)) if node.blobs[0].shape else node.blobs[0]
    g.add("Mul", [g.call("Div", node.bottoms[0], norm), g.constant(f"{node.owner}.scale", scale)], node.tops)


@writes("Permute")
def _permute(g: OnnxGraph, node: Node) -> None:
    g.add("Transpose", node.bottoms, node.tops, perm=node.layer.order)  # type: ignore[attr-defined]


@writes("ShuffleChannel")
def _shuffle_channel(g: OnnxGraph, node: Node) -> None:
    group, channels = node.layer.param.shuffle_channel_param.group, node.bottom_shapes[0][1]
    x = node.bottoms[0]
    groups = g.call("Reshape", x, g.integers([0, group, channels // group, -1]))
    g.add("Reshape", [g.call("Transpose", groups, perm=[0, 2, 1, 3]), g.call("Shape", x)], node.tops)


@writes("Reorg")
def _reorg(g: OnnxGraph, node: Node) -> None:
    p, channels, x = node.layer.param.reorg_param, node.bottom_shapes[0][1], node.bottoms[0]
    s, less = g.integers([p.stride]), channels // p.stride**2
    h, w = (g.shape(x, [axis]) for axis in (2, 3))
    if p.reverse:
        cells, order = [g.integers([0, p.stride, p.stride, less]), h, w], [0, 3, 4, 1, 5, 2]
        result = [g.integers([0, less]), g.call("Mul", h, s), g.call("Mul", w, s)]
    else:
        cells, order = [g.integers([0, less]), h, s, w, s], [0, 3, 5, 1, 2, 4]
        result = [g.integers([0, channels * p.stride**2]), g.call("Div", h, s), g.call("Div", w, s)]
    moved = g.call("Transpose", g.call("Reshape", x, g.call("Concat", *cells, axis=0)), perm=order)
    g.add("Reshape", [moved, g.call("Concat", *result, axis=0)], node.tops)


@writes("Axpy")
def _axpy(g: OnnxGraph, node: Node) -> None:
    a, x, y = node.bottoms
    if len(node.bottom_shapes[0]) == 2:
        a = g.call("Unsqueeze", a, g.integers([2, 3]))
    g.add("Add", [g.call("Mul", a, x), y], node.tops)


@writes("ReLU6")
def _relu6(g: OnnxGraph, node: Node) -> None:
    g.add("Clip", [node.bottoms[0], g.number(0), g.number(6)], node.tops)


@writes("Mish")
def _mish(g: OnnxGraph, node: Node) -> None:
    g.add("Mul", [node.bottoms[0], g.call("Tanh", g.call("Softplus", node.bottoms[0]))], node.tops)
