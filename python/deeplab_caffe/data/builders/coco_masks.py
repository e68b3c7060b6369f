"""Regions of COCO's annotations: polygons are drawn by pycocotools, run lengths are checked and decoded here.

pycocotools trusts the sizes and counts of run lengths: a damaged file would read memory that was never written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ...lazy import imported_on_use

if TYPE_CHECKING:
    from pycocotools import mask as rle
else:
    rle = imported_on_use("pycocotools.mask")

_MOST_POLYGONS = 1 << 12
_MOST_STEPS = 1 << 20  # along the outlines of a region, at the five-fold size at which pycocotools draws them
_SCALE = 5
_GROUP, _SIGN, _MORE, _OFFSET = 5, 16, 32, 48  # of counts as text: bits per character, and what they mean


class Region(NamedTuple):
    """A region: the image's height and width, and the lengths of runs outside and inside, column by column."""

    height: int
    width: int
    runs: NDArray[np.int64]

    @property
    def area(self) -> int:
        """Its pixels."""
        return int(self.runs[1::2].sum())

    def mask(self) -> NDArray[np.bool_]:
        """(height, width), true inside."""
        inside = np.arange(len(self.runs)) % 2 == 1
        return np.repeat(inside, self.runs).reshape(self.width, self.height).T


def region_of(segmentation: Any, height: int, width: int, where: str) -> Region:
    """The region of an annotation, from polygons, or from run lengths as numbers or as text.

    Args:
        segmentation: [[x, y, x, y, …], …], or {"size": [height, width], "counts": …}.
        height, width: of the image, in pixels.
        where: begins an error message: file and annotation.

    Raises:
        InputError: it is none of these; run lengths are of another size than the image or do not add up to it; or
            coordinates are not numbers or lie far outside.
    """
    if isinstance(segmentation, dict):
        return _from_runs(segmentation, height, width, where)
    if not isinstance(segmentation, list) or not segmentation:
        raise InputError(f"{where}: segmentation is {_shown(segmentation)}; expected polygons or run lengths")
    if len(segmentation) > _MOST_POLYGONS:
        raise InputError(f"{where}: {len(segmentation)} polygons; expected at most {_MOST_POLYGONS}: it is damaged")
    polygons = [_polygon(points, height, width, where) for points in segmentation]
    if sum(map(_steps, polygons)) > _MOST_STEPS:
        raise InputError(f"{where}: its outline is longer than {_MOST_STEPS // _SCALE} pixels; it is damaged")
    whole = rle.merge(rle.frPyObjects([points.tolist() for points in polygons], height, width))
    return Region(height, width, np.array(_runs(whole["counts"].decode()), np.int64))


def _polygon(points: Any, height: int, width: int, where: str) -> NDArray[np.float64]:
    """The corners [x, y, x, y, …] of a polygon."""
    good = isinstance(points, list) and len(points) >= 6 and len(points) % 2 == 0
    if not good or not all(type(value) in (int, float) for value in points):
        raise InputError(f"{where}: polygon {_shown(points)}; expected [x, y, x, y, …] of at least three corners")
    far = 2 * max(height, width)
    if not all(-far <= value <= far for value in points):
        raise InputError(f"{where}: polygon {_shown(points)} lies far outside of the image of {width}×{height} pixels")
    return np.array(points, np.float64)


def _steps(points: NDArray[np.float64]) -> float:
    """The number of points that pycocotools makes along the outline."""
    corners = points.reshape(-1, 2)
    moves = np.abs(corners - np.roll(corners, 1, 0)).max(1)
    return float((_SCALE * moves + 2).sum())


def _from_runs(segmentation: dict[str, Any], height: int, width: int, where: str) -> Region:
    size, counts = segmentation.get("size"), segmentation.get("counts")
    if size != [height, width]:
        raise InputError(f"{where}: run lengths of size {_shown(size)}; expected [{height}, {width}], as the image is")
    runs: Any = _runs(counts) if isinstance(counts, str) else counts
    valid = isinstance(runs, list) and all(type(run) is int and 0 <= run <= height * width for run in runs)
    if not valid or sum(runs) != height * width:
        raise InputError(
            f"{where}: run lengths {_shown(counts)} do not add up to the {height * width} pixels of the image; it is "
            "damaged"
        )
    return Region(height, width, np.array(runs, np.int64))


def _runs(text: str) -> list[int] | None:
    """The run lengths in COCO's compressed text: signed numbers in groups of 5 bits, the lowest first; from the
    fourth on, differences to the last but one. None if it ends within a number.
    """
    runs: list[int] = []
    value = shift = 0
    for character in text.encode("ascii", "replace"):
        bits = character - _OFFSET
        if not 0 <= bits < 2 * _MORE or shift > 8 * _GROUP:
            return None
        value |= (bits & (_MORE - 1)) << shift
        shift += _GROUP
        if bits & _MORE:
            continue
        if bits & _SIGN:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    return None if shift else runs


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
