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
