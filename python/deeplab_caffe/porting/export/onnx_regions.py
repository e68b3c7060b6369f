"""Layers that pool regions in ONNX: MaxRoiPool, RoiAlign, and running sums for PSROIPooling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .graph import Node
from .onnx_registry import writes

if TYPE_CHECKING:
    from .onnx_graph import OnnxGraph


def _regions(g: OnnxGraph, node: Node) -> str:
    """The regions (R, 5), which may have further axes of size 1."""
    return node.bottoms[1] if len(node.bottom_shapes[1]) == 2 else g.call("Flatten", node.bottoms[1], axis=1)


@writes("ROIPooling")
def _roi_pooling(g: OnnxGraph, node: Node) -> None:
    p = node.layer.param.roi_pooling_param
    sizes = {"pooled_shape": [p.pooled_h, p.pooled_w], "spatial_scale": p.spatial_scale}
    regions = _regions(g, node)
    if p.pad_ratio:
        ends = _widened(g, regions, p.pad_ratio)
        regions = g.call("Concat", g.sliced(regions, [0], [1], [1]), *ends, axis=1)
    g.add("MaxRoiPool", [node.bottoms[0], regions], node.tops, **sizes)


def _widened(g: OnnxGraph, regions: str, ratio: float) -> tuple[str, str]:
    """Low and high ends (R, 2) of regions, longer at both by a part of their size; see `region_functions.widened`."""
    low, high = g.sliced(regions, [1], [3], [1]), g.sliced(regions, [3], [5], [1])
    pad = g.call("Add", g.call("Sub", high, low), g.number(1))
    pad = g.call("Mul", pad, g.number(ratio))
    return g.call("Sub", low, pad), g.call("Add", high, pad)


@writes("ROIAlign")
def _roi_align(g: OnnxGraph, node: Node) -> None:
    layer: Any = node.layer
    p, regions = layer.stated, _regions(g, node)
    item = g.call("Cast", g.call("Squeeze", g.sliced(regions, [0], [1], [1]), g.integers([1])), to=g.INT64)
    if layer.has_corners:
        _corners(g, node, regions, item)
        return
    g.add(
        "RoiAlign", [node.bottoms[0], g.sliced(regions, [1], [5], [1]), item], node.tops, mode="avg",
        output_height=p.pooled_h, output_width=p.pooled_w, spatial_scale=p.spatial_scale,
        sampling_ratio=max(p.sampling_ratio, 0), coordinate_transformation_mode="output_half_pixel",
    )  # fmt: skip


def _corners(g: OnnxGraph, node: Node, regions: str, item: str) -> None:
    """Cascade R-CNN's ROIAlign: RoiAlign with one sample of each bin, of bins in whose middles the corners lie."""
    p = node.layer.param.roi_pooling_param
    ends = _widened(g, regions, p.pad_ratio)
    low, high = (g.call("Mul", end, g.number(p.spatial_scale)) for end in ends)
    size = g.call("Sub", high, low)
    step = g.call("Div", size, g.floats([p.pooled_w, p.pooled_h]))
    half = g.call("Mul", step, g.number(0.5))
    boxes = g.call("Concat", g.call("Sub", low, half), g.call("Add", high, half), axis=1)
    samples = g.call(
        "RoiAlign", node.bottoms[0], boxes, item, mode="avg", output_height=p.pooled_h + 1,
        output_width=p.pooled_w + 1, sampling_ratio=1, coordinate_transformation_mode="half_pixel",
    )  # fmt: skip
    least = g.add("ReduceMin", [size], axes=[1], keepdims=1)[0]
    valid = g.call("Greater", least, g.number(0))  # (R, 1)
    limit = g.call("Cast", g.shape(node.bottoms[0], [3, 2]), to=g.FLOAT)
    for axis, count in ((0, p.pooled_w), (1, p.pooled_h)):
        first, each, end = (g.sliced(v, [axis], [axis + 1], [a]) for v, a in ((low, 1), (step, 1), (limit, 0)))
        at = g.call("Add", first, g.call("Mul", each, g.floats(np.arange(count + 1)[None])))  # (R, count + 1)
        inside = g.call("And", g.call("GreaterOrEqual", at, g.number(0)), g.call("LessOrEqual", at, end))
        shape = [-1, 1, 1, count + 1] if axis == 0 else [-1, 1, count + 1, 1]
        mask = g.call("Reshape", g.call("And", valid, inside), g.integers(shape))
        zero = g.call("Mul", samples, g.number(0))
        samples = g.call("Where", mask, samples, zero)
    g.add("Identity", [samples], node.tops)


@writes("PSROIPooling")
def _psroi_pooling(g: OnnxGraph, node: Node) -> None:
    p = node.layer.param.psroi_pooling_param
    group, regions = p.group_size, _regions(g, node)
    begin, end = (_rounded(g, g.sliced(regions, [i], [i + 2], [1])) for i in (1, 3))
    begin, end = (g.call("Mul", v, g.number(p.spatial_scale)) for v in (begin, g.call("Add", end, g.number(1))))
    step = g.call("Div", g.call("Max", g.call("Sub", end, begin), g.number(0.1)), g.number(group))
    step, begin = (g.call("Unsqueeze", v, g.integers([1])) for v in (step, begin))
    limit = g.call("Cast", g.shape(node.bottoms[0], [3, 2]), to=g.FLOAT)
    sides = []
    for rounding, first in (("Floor", 0), ("Ceil", 1)):
        index = g.floats(np.arange(first, group + first)[:, None])
        at = g.call(rounding, g.call("Add", g.call("Mul", index, step), begin))  # (R, group, 2)
        at = g.call("Cast", g.call("Min", g.call("Max", at, g.number(0)), limit), to=g.INT64)
        sides += [g.call("Gather", at, g.integer(axis), axis=2) for axis in (0, 1)]
    left, top, right, bottom = (
        g.call("Unsqueeze", side, g.integers([axis])) for side, axis in zip(sides, (1, 2, 1, 2), strict=True)
    )
    item = g.call("Cast", g.call("Unsqueeze", g.sliced(regions, [0], [1], [1]), g.integers([2])), to=g.INT64)
    sums = _running_sums(g, node.bottoms[0], p.output_dim, group)
    corners = [
        _picked(g, sums, item, y, x, group) for y, x in ((bottom, right), (top, left), (top, right), (bottom, left))
    ]
    total = g.call("Sub", g.call("Add", *corners[:2]), g.call("Add", *corners[2:]))
    area = g.call("Mul", *(g.call("Max", g.call("Sub", b, a), g.integer(0)) for a, b in ((top, bottom), (left, right))))
    area = g.call("Unsqueeze", g.call("Cast", area, to=g.DOUBLE), g.integers([3]))
    filled = g.call("Greater", area, g.doubles([0]))
    average = g.call("Div", total, g.call("Max", area, g.doubles([1])))
    average = g.call("Where", filled, average, g.doubles([0]))
    g.add("Cast", [g.call("Transpose", average, perm=[0, 3, 1, 2])], node.tops, to=g.FLOAT)


def _rounded(g: OnnxGraph, x: str) -> str:
    """To whole numbers, halves away from 0; ONNX's Round takes them to even ones."""
    return g.call("Mul", g.call("Sign", x), g.call("Floor", g.call("Add", g.call("Abs", x), g.number(0.5))))


def _running_sums(g: OnnxGraph, x: str, dims: int, group: int) -> str:
    """Sums of maps (N, dims · group², H, W) up to each position: (N, group, group, H + 1, W + 1, dims), double."""
    sums = g.call("Cast", x, to=g.DOUBLE)
    for axis in (2, 3):
        sums = g.call("CumSum", sums, g.integer(axis))
    sums = g.call("Pad", sums, g.integers([0, 0, 1, 1, 0, 0, 0, 0]))
    shape = g.call("Concat", g.integers([0, dims, group, group]), g.shape(sums, [2, 3]), axis=0)
    return g.call("Transpose", g.call("Reshape", sums, shape), perm=[0, 2, 3, 4, 5, 1])


def _picked(g: OnnxGraph, sums: str, item: str, y: str, x: str, group: int) -> str:
    """The sums (R, group, group, dims) at positions y (R, group, 1) and x (R, 1, group) of bins' own maps."""
    index = np.arange(group, dtype=np.int64)
    bins = [g.constant(f"bins.{name}.{group}", a) for name, a in (("y", index[:, None]), ("x", index[None]))]
    zero = g.call("Mul", g.call("Add", y, x), g.integer(0))
    parts = [g.call("Unsqueeze", g.call("Add", part, zero), g.integers([3])) for part in (item, *bins, y, x)]
    return g.call("GatherND", sums, g.call("Concat", *parts, axis=3))
