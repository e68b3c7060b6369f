"""The sliding windows of a layer, and how its tops depend on its bottoms."""

from __future__ import annotations

from typing import Any

from ..caffe.layer_types.reach import Reaches
from .shapes import LayerShapes


def reach(layer: LayerShapes, bottom: int, top: int) -> Reaches | None:
    """How a top depends on a bottom along height and width; None if it depends on the bottom's shape only."""
    assert layer.layer is not None
    bottoms, tops = ([shape or () for shape in shapes] for shapes in (layer.bottom_shapes, layer.top_shapes))
    return layer.layer.reach(bottom, top, bottoms, tops)


def window_sizes(layer: LayerShapes) -> list[tuple[int, int, int, int]]:
    """Kernel, stride, pad and dilation along every spatial axis of a layer with windows; else an empty list."""
    made: Any = layer.layer
    if not hasattr(made, "kernel"):
        return []
    dilation = getattr(made, "dilation", (1,) * len(made.kernel))
    return list(zip(made.kernel, made.stride, made.pad, dilation, strict=True))
