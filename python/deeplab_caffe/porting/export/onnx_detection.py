"""Detectors' layer types in ONNX, by its own operators NonMaxSuppression and TopK."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .graph import Node
from .onnx_boxes import decoded, ends, grid, joined, suppressed
from .onnx_registry import writes

if TYPE_CHECKING:
    from .onnx_graph import OnnxGraph

#: below every score, and what a score must be above to count at all
_NOTHING, _SOMETHING = -3e38, -2e38


@writes("PriorBox")
def _prior_box(g: OnnxGraph, node: Node) -> None:
    layer: Any = node.layer
    p = layer.param.prior_box_param
    image = [g.doubles([size]) for size in layer.image] if layer.image else g.double_sizes(node.bottoms[1])
    own = g.double_sizes(node.bottoms[0])
    steps = [g.floats([s]) for s in layer.steps] if layer.steps else []
    if not steps:
        ratios = [g.call("Div", whole, part) for whole, part in zip(image, own, strict=True)]
        steps = [g.call("Cast", ratio, to=g.FLOAT) for ratio in ratios]
    y, x = grid(g, node.bottoms[0], steps, p.offset)
    half = np.array(layer.sizes, np.float32).astype(np.float64) / 2  # width, height
    sides = []
    for operator in ("Sub", "Add"):
        for centre, axis, size in ((x, 0, image[1]), (y, 1, image[0])):
            side = g.call(operator, centre, g.doubles(half[:, axis]))
            sides.append(g.call("Cast", g.call("Div", side, size), to=g.FLOAT))
    boxes = joined(g, sides)
    if p.clip:
        boxes = g.call("Clip", boxes, g.number(0), g.number(1))
    variance = g.floats(np.broadcast_to(layer.variances, 4))
    spread = g.call("Add", g.call("Mul", boxes, g.number(0)), variance)
    flat = [g.call("Reshape", value, g.integers([1, 1, -1])) for value in (boxes, spread)]
    g.add("Concat", flat, node.tops, axis=1)


@writes("DetectionOutput")
def _detection_output(g: OnnxGraph, node: Node) -> None:
    layer: Any = node.layer
    p = layer.param.detection_output_param
    if p.nms_param.eta != 1:
        node.fail("has an eta other than 1, which ONNX's NonMaxSuppression does not support")
    used = [c for c in range(layer.classes) if c != p.background_label_id]
    boxes, scores = _candidates(g, node, used)
    if layer.top_k >= 0:
        scores = _only_best(g, scores, layer.top_k)
    least = max(layer.least, _SOMETHING)
    found = suppressed(g, boxes, scores, p.nms_param.nms_threshold, None, least)  # row of (item, class), place
    rows = _kept_rows(g, boxes, scores, found, len(used), p.keep_top_k)
    row, place = (g.sliced(rows, [i], [i + 1], [1]) for i in (0, 1))
    label = g.call("Gather", g.floats(used), g.call("Mod", row, g.integers([len(used)])), axis=0)
    item = g.call("Cast", g.call("Div", row, g.integers([len(used)])), to=g.FLOAT)
    at = g.call("Concat", row, place, axis=1)
    score = g.call("Unsqueeze", g.call("GatherND", scores, at), g.integers([1]))
    result = g.call("Concat", item, label, score, g.call("GatherND", boxes, at), axis=1)
    g.add("Unsqueeze", [_or_none(g, result, node.bottoms[0]), g.integers([0, 1])], node.tops)


def _candidates(g: OnnxGraph, node: Node, used: Sequence[int]) -> tuple[str, str]:
    """Boxes (N · classes, P, 4) and their scores (N · classes, P), of the classes that are used."""
    layer: Any = node.layer
    p = layer.param.detection_output_param
    location, confidence, priors, *refinement = node.bottoms
    sets = 1 if p.share_location else layer.classes
    offsets = g.call("Reshape", location, g.integers([0, -1, sets, 4]))
    priors = g.call("Reshape", priors, g.integers([2, -1, 1, 4]))
    prior, variance = (g.call("Gather", priors, g.integer(i), axis=0) for i in (0, 1))
    if not p.variance_encoded_in_target:
        offsets = g.call("Mul", offsets, variance)
    if len(refinement) > 1:
        moved = g.call("Reshape", refinement[1], g.integers([0, -1, 1, 4]))
        moved = moved if p.variance_encoded_in_target else g.call("Mul", moved, variance)
        prior = decoded(g, prior, moved, layer.code)
    boxes = decoded(g, prior, offsets, layer.code)  # (N, P, sets, 4)
    scores = g.call("Reshape", confidence, g.integers([0, -1, layer.classes]))
    if refinement:
        pairs = g.call("Reshape", refinement[0], g.integers([0, -1, 2]))
        easy = g.call("Less", g.sliced(pairs, [1], [2], [2]), g.number(p.objectness_score))
        scores = g.call("Where", easy, g.floats([1.0] + [0.0] * (layer.classes - 1)), scores)
    scores = g.call("Gather", scores, g.integers(used), axis=2)
    if p.share_location:
        zero = g.call("Mul", scores, g.number(0))
        boxes = g.call("Add", boxes, g.call("Unsqueeze", zero, g.integers([3])))
    else:
        boxes = g.call("Gather", boxes, g.integers(used), axis=2)
    boxes = g.call("Transpose", boxes, perm=[0, 2, 1, 3])
    scores = g.call("Transpose", scores, perm=[0, 2, 1])
    count = g.shape(scores, [2])
    flat = g.call("Concat", g.integers([-1]), count, axis=0)
    return g.call("Reshape", boxes, g.call("Concat", flat, g.integers([4]), axis=0)), g.call("Reshape", scores, flat)


def _only_best(g: OnnxGraph, scores: str, most: int) -> str:
    """Scores (G, P), those that are not among the best of their row replaced by one that never counts."""
    count = g.call("Min", g.shape(scores, [1]), g.integers([most]))
    best, places = g.add("TopK", [scores, count], g.names(2), axis=1)
    nothing = g.call("Add", g.call("Mul", scores, g.number(0)), g.number(_NOTHING))
    return g.call("ScatterElements", nothing, places, best, axis=1)


def _kept_rows(g: OnnxGraph, boxes: str, scores: str, found: str, classes: int, most: int) -> str:
    """(M, 2), row of (item, class) and place, of the best that were found of each item, by class and falling score."""
    picked = g.call("GatherND", scores, found)
    nothing = g.call("Add", g.call("Mul", scores, g.number(0)), g.number(_NOTHING))
    dense = g.call("ScatterND", nothing, found, picked)
    count = g.shape(scores, [1])
    each = g.call("Mul", count, g.integers([classes]))  # candidates of an item
    dense = g.call("Reshape", dense, g.call("Concat", g.integers([-1]), each, axis=0))
    kept = each if most < 0 else g.call("Min", each, g.integers([most]))
    best, places = g.add("TopK", [dense, kept], g.names(2), axis=1)
    label = g.call("Div", places, count)
    rank = g.call("Range", g.integer(0), g.call("Squeeze", kept), g.integer(1))
    order = g.call("Add", g.call("Mul", label, kept), rank)
    _, order = g.add("TopK", [order, kept], g.names(2), axis=1, largest=0)
    best, places = (g.call("GatherElements", value, order, axis=1) for value in (best, places))
    at = g.call("Transpose", g.call("NonZero", g.call("Greater", best, g.number(_SOMETHING))), perm=[1, 0])
    place = g.call("Unsqueeze", g.call("GatherND", places, at), g.integers([1]))
    item = g.sliced(at, [0], [1], [1])
    row = g.call("Add", g.call("Mul", item, g.integers([classes])), g.call("Div", place, count))
    return g.call("Concat", row, g.call("Mod", place, count), axis=1)


def _or_none(g: OnnxGraph, rows: str, bottom: str) -> str:
    """Rows (M, 7); without any, one for each item: its number, then −1."""
    items = g.shape(bottom, [0])
    numbers = g.call("Range", g.integer(0), g.call("Squeeze", items), g.integer(1))
    numbers = g.call("Unsqueeze", g.call("Cast", numbers, to=g.FLOAT), g.integers([1]))
    none = g.call("Pad", numbers, g.integers([0, 0, 0, 6]), g.number(-1))
    count = g.shape(rows, [0])
    count = g.call("Where", g.call("Equal", count, g.integers([0])), items, count)
    every = g.call("Concat", rows, none, axis=0)
    return g.call("Slice", every, g.integers([0]), count, g.integers([0]))


@writes("Proposal")
def _proposal(g: OnnxGraph, node: Node) -> None:
    layer: Any = node.layer
    p = layer.param.proposal_param
    scores, deltas, info = node.bottoms
    count = len(layer.anchors)
    stride = g.floats([p.feat_stride])
    y, x = grid(g, scores, [stride, stride], 0.0, precise=False)
    anchors = np.array(layer.anchors, np.float32)
    shifts = [g.call("Add", c, g.floats(anchors[:, i])) for i, c in enumerate((x, y, x, y))]
    base = g.call("Reshape", joined(g, shifts), g.integers([-1, 4]))
    deltas = g.call("Reshape", g.call("Transpose", deltas, perm=[0, 2, 3, 1]), g.integers([0, -1, 4]))
    low, high = ends(g, base, deltas, 1.0)
    info = g.call("Reshape", info, g.integers([-1, 1, 3]))
    limit = g.call("Sub", g.call("Gather", info, g.integers([1, 0]), axis=2), g.number(1))
    low, high = (g.call("Min", g.call("Max", value, g.number(0)), limit) for value in (low, high))
    side = g.call("Add", g.call("Sub", high, low), g.number(1))
    least = g.call("Mul", g.sliced(info, [2], [3], [2]), g.number(p.min_size))
    short = g.call("Less", g.add("ReduceMin", [g.call("Sub", side, least)], axes=[2], keepdims=0)[0], g.number(0))
    scores = g.sliced(scores, [count], [2 * count], [1])
    scores = g.call("Reshape", g.call("Transpose", scores, perm=[0, 2, 3, 1]), g.integers([0, -1]))
    scores = g.call("Where", short, g.number(_NOTHING), scores)
    total = g.shape(scores, [1])
    kept = g.call("Min", total, g.integers([layer.before])) if layer.before else total
    scores, places = g.add("TopK", [scores, kept], g.names(2), axis=1)
    boxes = g.call("Concat", low, high, axis=2)
    boxes = g.call("GatherND", boxes, g.call("Unsqueeze", places, g.integers([2])), batch_dims=1)
    wide = g.call("Add", boxes, g.floats([0, 0, 1, 1]))
    found = suppressed(g, wide, scores, p.nms_thresh, layer.after or None, _SOMETHING)
    item = g.call("Cast", g.sliced(found, [0], [1], [1]), to=g.FLOAT)
    g.add("Concat", [item, g.call("GatherND", boxes, found)], node.tops[:1], axis=1)
    if len(node.tops) > 1:
        g.add("Unsqueeze", [g.call("GatherND", scores, found), g.integers([1])], node.tops[1:])
