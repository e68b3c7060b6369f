"""Parts of an image, and what of its score map falls on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...arrays import Float32, Size
from ...data.score_maps import Kind, kind_of, open_score_map
from ...errors import InputError
from ..unary import bilinear_taps, input_size, resize_scores, unary_from_probabilities


class Region(NamedTuple):
    """Rows `top` to `bottom` and columns `left` to `right` of an image, the ends not included."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """What to index an array (H, W) with."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    @property
    def size(self) -> Size:
        """(H, W)."""
        return self.bottom - self.top, self.right - self.left


def image_scores(path: Path, kind: Kind, net_size: Size | None, image: Size) -> ImageScores:
    """The score map of an image of size (H, W).

    `net_size`: the size of the net's input, to which a smaller map is enlarged before its top left part is taken.
    Without it the map must be as large as the image, or larger by padding at the right and at the bottom.
    Raises InputError that names the file.
    """
    values = open_score_map(path)
    try:
        full = input_size(values.shape, net_size, image)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return ImageScores(path, kind_of(values, path, kind), full, values)


class ImageScores(NamedTuple):
    """The score map of an image; see `image_scores`."""

    path: Path
    kind: Kind
    #: what the map is enlarged to, (H, W)
    full: Size
    values: NDArray[Any]

    @property
    def classes(self) -> int:
        """C."""
        return int(self.values.shape[0])

    def reopened(self) -> ImageScores:
        """The same map, mapped anew, so that the pages of what was read before are let go of."""
        return self if not isinstance(self.values, np.memmap) else self._replace(values=open_score_map(self.path))

    def unary(self, region: Region) -> Float32:
        """Energies (C, h, w) of a region, up to a constant per pixel. Raises InputError that names the file."""
        try:
            values = enlarged(self.values, self.full, region)
            return -values if self.kind == "scores" else unary_from_probabilities(values)
        except InputError as error:
            raise InputError(f"{self.path}: {error}") from None


def enlarged(values: NDArray[Any], full: Size, region: Region) -> Float32:
    """A region of a map (C, h, w) enlarged to `full`, without the rest: what `resize_scores` gives there."""
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
