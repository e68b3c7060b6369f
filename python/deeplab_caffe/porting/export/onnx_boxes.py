"""What detectors' layers share in ONNX: grids of positions, boxes from offsets, non-maximum suppression."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .onnx_graph import OnnxGraph


def grid(g: OnnxGraph, feature: str, steps: Sequence[str], offset: float, precise: bool = True) -> tuple[str, str]:
    """y (H, 1, 1) and x (1, W, 1) of a map's positions, (position + offset) · step; double if `precise`."""
    found = []
    for axis, step in zip((2, 3), steps, strict=True):
        size = g.call("Squeeze", g.shape(feature, [axis]))
        at = g.call("Cast", g.call("Range", g.integer(0), size, g.integer(1)), to=g.FLOAT)
        at = g.call("Mul", g.call("Add", at, g.number(offset)), step)
        at = g.call("Cast", at, to=g.DOUBLE) if precise else at
        found.append(g.call("Unsqueeze", at, g.integers([1, 2] if axis == 2 else [0, 2])))
    return found[0], found[1]


def joined(g: OnnxGraph, sides: Sequence[str]) -> str:
    """Values (…, 4) from four that broadcast together."""
    zero = g.call("Mul", reduce(lambda a, b: g.call("Add", a, b), sides), g.number(0))
    return g.call("Concat", *(g.call("Unsqueeze", g.call("Add", s, zero), g.integers([-1])) for s in sides), axis=-1)


def _halves(g: OnnxGraph, boxes: str) -> tuple[str, str]:
    """The first two and the last two of a last axis of four."""
    return g.sliced(boxes, [0], [2], [-1]), g.sliced(boxes, [2], [4], [-1])


def ends(g: OnnxGraph, base: str, offsets: str, extra: float) -> tuple[str, str]:
    """Low and high ends of boxes that are given by shifts of the centre and logarithms of the size.

    extra: what a side of `base` is longer than the difference of its ends.
    """
    first, last = _halves(g, base)
    shift, growth = _halves(g, offsets)
    size = g.call("Sub", last, first)
    size = g.call("Add", size, g.number(extra)) if extra else size
    centre = g.call("Add", first, g.call("Mul", size, g.number(0.5)))
    centre = g.call("Add", centre, g.call("Mul", shift, size))
    half = g.call("Mul", g.call("Mul", g.call("Exp", growth), size), g.number(0.5))
    return g.call("Sub", centre, half), g.call("Add", centre, half)


def decoded(g: OnnxGraph, priors: str, offsets: str, code: str) -> str:
    """SSD's boxes from prior boxes and offsets; see `box_functions.decoded_boxes`."""
    if code == "CENTER_SIZE":
        return g.call("Concat", *ends(g, priors, offsets, 0.0), axis=-1)
    if code == "CORNER_SIZE":
        first, last = _halves(g, priors)
        size = g.call("Sub", last, first)
        offsets = g.call("Mul", offsets, g.call("Concat", size, size, axis=-1))
    return g.call("Add", priors, offsets)


def suppressed(g: OnnxGraph, boxes: str, scores: str, threshold: float, most: int | None, least: float) -> str:
    """Of sets of boxes (G, P, 4) with scores (G, P) those that are kept: (M, 2), set and place, scores falling.

    A box whose ends are in the wrong order overlaps none; ONNX would exchange them.
    """
    low, high = _halves(g, boxes)
    boxes = g.call("Concat", low, g.call("Max", low, high), axis=2)
    count = g.integers([most]) if most else g.shape(scores, [1])
    inputs = [boxes, g.call("Unsqueeze", scores, g.integers([1])), count, g.floats([threshold]), g.floats([least])]
    return g.call("Gather", g.call("NonMaxSuppression", *inputs), g.integers([0, 2]), axis=1)
