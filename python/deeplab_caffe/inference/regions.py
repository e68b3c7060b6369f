"""Overlapping regions of an image, each of a size that the net takes and on the net's own grid."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..arrays import Float32, Size
from ..errors import InputError
from ..nets.input_sizes import SizeRule

_SMALL, _MANY = 65, 1000  # pixels along a region's side, and regions of an image, that are too small and too many


@dataclass(frozen=True)
class Grid:
    """What the regions of a net must fit.

    Attributes:
        sizes: which input sizes the net takes.
        step: regions begin at multiples of it, in pixels, so that the net's maps lie on the same pixels as those of the
            whole image: the largest stride in the net.
    """

    sizes: SizeRule
    step: int = 1


@dataclass(frozen=True)
class Span:
    """A region along one axis, in pixels of the image.

    Attributes:
        begin, end: what the net reads; beyond the image it is padded.
        first, last: the part whose results count.
    """

    begin: int
    end: int
    first: int
    last: int

    @property
    def own(self) -> slice:
        """The part that counts, in the image."""
        return slice(self.first, self.last)

    @property
    def inner(self) -> slice:
        """The same part, in the region."""
        return slice(self.first - self.begin, self.last - self.begin)


def spans(length: int, tile: int | None, overlap: float, grid: Grid) -> list[Span]:
    """The regions along one axis.

    Neighbours share at least `overlap` of their length. A quarter of what they share, at its outer end, counts only in
    the other one, which sees more context there; what both have in the half between counts as their mean.

    Args:
        length: of the image, in pixels.
        tile: length of a region, rounded up to what the net takes; None for one region.
        overlap: part of a region that it shares with the next one.
        grid: where regions may begin, and how long they may be.

    Example:
        >>> [(s.begin, s.end, s.first, s.last) for s in spans(20, 9, 0.5, Grid(SizeRule(4, 1), 4))]
        [(0, 9, 0, 8), (4, 13, 5, 12), (8, 17, 9, 16), (12, 21, 13, 20)]
    """
    whole = grid.sizes.up(length)
    size = grid.sizes.up(tile) if tile is not None else whole
    if size >= whole:
        return [Span(0, whole, 0, length)]
    step = grid.step if grid.step <= size else grid.sizes.stride  # regions must touch each other
    begins = _begins(whole - size, size - math.ceil(overlap * size), step)
    shared = [before + size - begin for before, begin in zip(begins, begins[1:], strict=False)]
    margins = [0, *(count // 4 for count in shared), 0]
    found = [
        Span(begin, begin + size, begin + before, min(length, begin + size - after))
        for begin, before, after in zip(begins, margins, margins[1:], strict=False)
    ]
    return [span for span in found if span.first < span.last]


def _begins(room: int, most: int, step: int) -> list[int]:
    """Multiples of `step` from 0 to at least `room`, evenly spaced, at most `most` apart (or `step`)."""
    last, apart = -(-room // step), max(1, most // step)
    count = -(-last // apart)
    return [i * last // count * step for i in range(count + 1)]


@dataclass(frozen=True)
class Regions:
    """All regions of an image of `size` (H, W): every span of rows with every span of columns."""

    size: Size
    rows: Sequence[Span]
    columns: Sequence[Span]

    def __iter__(self) -> Iterator[tuple[Span, Span]]:
        return ((rows, columns) for rows in self.rows for columns in self.columns)

    def __len__(self) -> int:
        return len(self.rows) * len(self.columns)

    def weight(self, rows: Span, columns: Span) -> Float32:
        """(h, w): 1 over the number of regions that count, at each pixel of a region's own part."""
        down = _count(self.rows, self.size[0])[rows.own]
        across = _count(self.columns, self.size[1])[columns.own]
        return np.asarray(1 / np.outer(down, across), np.float32)


def _count(axis: Sequence[Span], length: int) -> Float32:
    total = np.zeros(length, np.float32)
    for span in axis:
        total[span.own] += 1
    return total


def regions(size: Size, tile: Size | None, overlap: float, grid: Grid) -> Regions:
    """The regions of an image (H, W); a single one if `tile` is None, or not smaller than the image.

    Raises InputError for small regions of which there would be more than a thousand: each is a pass of the net.
    """
    height, width = tile or (None, None)
    found = Regions(size, spans(size[0], height, overlap, grid), spans(size[1], width, overlap, grid))
    if tile and min(tile) < _SMALL and len(found) > _MANY:
        raise InputError(
            f"tile: regions of {tile[0]} x {tile[1]} (H x W) make {len(found):,} of an image of {size[0]} x {size[1]}; "
            f"wanted larger ones, at least {_SMALL} x {_SMALL}"
        )
    return found
