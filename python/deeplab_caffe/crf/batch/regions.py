"""Rectangular regions of an image, and the part of its score map in each."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...arrays import Float32, Size
from ...data.score_kinds import Kind, kind_of
from ...data.score_maps import open_score_map
from ...errors import InputError
from ..unary import DEFAULT_CONFIDENCE, bilinear_taps, input_size, resize_scores, unary_of_kind


class Region(NamedTuple):
    """Rows `top` to `bottom` and columns `left` to `right` of an image, `bottom` and `right` excluded."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """The index of the region in an array (H, W)."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    @property
    def size(self) -> Size:
        """(H, W)."""
        return self.bottom - self.top, self.right - self.left


class MapReading(NamedTuple):
    """How score maps are read: what they contain, and for labels `unary_from_labels`' arguments.

    `classes`: None for as many as a map has, or its labels need.
    """

    kind: Kind = "auto"
    confidence: float = DEFAULT_CONFIDENCE
    classes: int | None = None
    ignore_label: int | None = 255


def image_scores(path: Path, reading: MapReading, net_size: Size | None, image: Size) -> ImageScores:
    """The score map of an image of size (H, W).

    `net_size`: the size of the net's input, to which a smaller map is enlarged before its top left part is taken.
    Without it the map must have the size of the image, or be larger by padding at the right and the bottom.
    Raises InputError that names the file.
    """
    values = open_score_map(path, reading.kind)
    kind = kind_of(values, path, reading.kind)
    try:
        full, classes = input_size(values.shape, net_size, image), _classes(values, kind, reading)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    if kind == "labels" and full != values.shape[1:]:
        raise InputError(
            f"{path}: labels of {values.shape[1]} x {values.shape[2]} (H x W) cannot be enlarged to "
            f"{full[0]} x {full[1]}; they must have the size of the image"
        )
    return ImageScores(path, kind, full, values, classes, reading)


def _classes(values: NDArray[Any], kind: Kind, reading: MapReading) -> int:
    """The number of classes of a map. Raises InputError if it is not that of the data set."""
    if len(values) > 1:
        if reading.classes not in (None, len(values)):
            raise InputError(f"scores of {len(values)} classes, but the data set has {reading.classes}")
        return len(values)
    if kind != "labels":
        return 2
    known = values[values != reading.ignore_label]
    return reading.classes or max(2, int(known.max(initial=1)) + 1)


class ImageScores(NamedTuple):
    """The score map of an image; see `image_scores`."""

    path: Path
    kind: Kind
    #: the size that the map is enlarged to
    full: Size
    values: NDArray[Any]
    classes: int
    reading: MapReading

    def reopened(self) -> ImageScores:
        """The same file, mapped again, so that pages that were read before are freed."""
        if not isinstance(self.values, np.memmap):
            return self
        return self._replace(values=open_score_map(self.path, self.reading.kind))

    def unary(self, region: Region) -> Float32:
        """Energies (C, h, w) of a region, up to a constant per pixel. Raises InputError that names the file."""
        try:
            if self.kind == "labels":
                values: NDArray[Any] = np.asarray(self.values[(slice(None), *region.slices)])
            else:
                values = enlarged(self.values, self.full, region)
            confidence, unsure = self.reading.confidence, self.reading.ignore_label
            return unary_of_kind(values, self.kind, self.classes, confidence, unsure)
        except InputError as error:
            raise InputError(f"{self.path}: {error}") from None


def enlarged(values: NDArray[Any], full: Size, region: Region) -> Float32:
    """A region of a map (C, h, w) enlarged to `full`: that part of `resize_scores`, without the rest."""
    height, width = values.shape[1:]
    rows, columns = region.slices
    if (height, width) == tuple(full):
        return np.ascontiguousarray(values[:, rows, columns], dtype=np.float32)
    if region.top == region.left == 0:
        return resize_scores(values, full, region.size)
    upper, lower, down = bilinear_taps(height, full[0], region.top, region.bottom)
    left, right, across = bilinear_taps(width, full[1], region.left, region.right)
    part = np.asarray(values[:, upper[0] : lower[-1] + 1, left[0] : right[-1] + 1], np.float32)
    wide = (1 - across) * part[:, :, left - left[0]] + across * part[:, :, right - left[0]]
    down = down[:, None]
    return (1 - down) * wide[:, upper - upper[0]] + down * wide[:, lower - upper[0]]
