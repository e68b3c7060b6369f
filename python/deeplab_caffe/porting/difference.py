"""Two weight files compared layer by layer: what only one of them has, and by how much the values differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..arrays import same_shape
from ..formats.weight_files import WeightFile
from ..tables import table


@dataclass(frozen=True)
class BlobDifference:
    """One blob of the same layer and index in two files.

    max_abs: greatest difference of two values, NaN if only one of them is NaN; relative: max_abs divided by the
    greatest value in the first file. Both None if the shapes differ or one file has no such blob (shape None).
    """

    layer: str
    index: int
    shape: tuple[int, ...] | None
    other_shape: tuple[int, ...] | None
    max_abs: float | None = None
    relative: float | None = None

    @property
    def is_equal(self) -> bool:
        return self.max_abs == 0


@dataclass(frozen=True)
class WeightsDifference:
    """The differences between two weight files; layers without blobs are ignored."""

    first: str
    second: str
    only_first: list[str]
    only_second: list[str]
    blobs: list[BlobDifference]

    @property
    def is_equal(self) -> bool:
        return not self.only_first and not self.only_second and all(blob.is_equal for blob in self.blobs)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "is_equal": self.is_equal}

    def __str__(self) -> str:
        lines = [f"only in {self.first}: {', '.join(self.only_first)}"] if self.only_first else []
        lines += [f"only in {self.second}: {', '.join(self.only_second)}"] if self.only_second else []
        differing = [blob for blob in self.blobs if not blob.is_equal]
        if differing:
            lines += table(("layer", "blob", "shape", ">greatest difference", ">relative"), map(_row, differing))
        lines.append(f"{len(self.blobs) - len(differing)} of {len(self.blobs)} blobs in both files are equal")
        return "\n".join(lines)


def _row(blob: BlobDifference) -> list[str]:
    if blob.max_abs is None or blob.relative is None:
        shapes = ["none" if s is None else "x".join(map(str, s)) or "scalar" for s in (blob.shape, blob.other_shape)]
        return [blob.layer, str(blob.index), " against ".join(shapes), "-", "-"]
    shape = "x".join(map(str, blob.shape or ())) or "scalar"
    return [blob.layer, str(blob.index), shape, f"{blob.max_abs:.3g}", f"{blob.relative:.3g}"]


def compare(first: WeightFile, second: WeightFile) -> WeightsDifference:
    """Compare two files by layer name; leading ones in shapes, as in files of 2014, are ignored."""
    mine, other = ({x.name: x.blobs for x in file.weighted} for file in (first, second))
    blobs = [
        _blob_difference(name, i, *(b[i].data if i < len(b) else None for b in (mine[name], other[name])))
        for name in mine
        if name in other
        for i in range(max(len(mine[name]), len(other[name])))
    ]
    only_first, only_second = [n for n in mine if n not in other], [n for n in other if n not in mine]
    return WeightsDifference(first.path, second.path, only_first, only_second, blobs)


def _blob_difference(layer: str, index: int, first: np.ndarray | None, second: np.ndarray | None) -> BlobDifference:
    if first is None or second is None or not same_shape(first.shape, second.shape):
        return BlobDifference(layer, index, *(x if x is None else x.shape for x in (first, second)))
    return BlobDifference(layer, index, first.shape, second.shape, *distance(first, second))


def distance(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """(greatest absolute difference, the same relative to the greatest absolute value of `first`).

    Values that are equal bit for bit, infinities and NaN included, differ by 0.

    Args:
        first, second: float32 arrays of the same size.

    Example:
        >>> distance(np.float32([1, -4, np.nan]), np.float32([1, -3, np.nan]))
        (1.0, 0.25)
    """
    greatest, scale = 0.0, 0.0
    for mine, other in _blocks(first.reshape(-1), second.reshape(-1)):
        scale = max(scale, float(np.max(np.abs(mine), initial=0, where=np.isfinite(mine))))
        differing = mine.view(np.uint32) != other.view(np.uint32)
        if differing.any():
            gaps = np.abs(mine[differing].astype(np.float64) - other[differing])
            greatest = float(np.maximum(greatest, gaps.max()))
    return greatest, greatest / scale if scale else greatest


def _blocks(first: np.ndarray, second: np.ndarray, size: int = 1 << 22) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for start in range(0, first.size, size):
        yield first[start : start + size], second[start : start + size]
