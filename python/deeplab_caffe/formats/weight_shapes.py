"""When a stored shape fits a parameter's: Caffe's rule for files of 2014, which state four sizes for everything."""

from __future__ import annotations

Shape = tuple[int, ...]


def same_shape(first: Shape, second: Shape) -> bool:
    """Whether two shapes are equal but for leading ones."""
    return without_leading_ones(first) == without_leading_ones(second)


def without_leading_ones(shape: Shape) -> Shape:
    """(1, 1, 1, 4) → (4,); the last axis stays."""
    start = 0
    while start < len(shape) - 1 and shape[start] == 1:
        start += 1
    return tuple(shape[start:])
