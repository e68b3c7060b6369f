"""Inference tile by tile, for images whose lattice does not fit into the memory.

Each tile is computed with a margin around it, which is then cut off. Positions are counted from the corner of the
image, not of the tile, so the tile's lattice is a part of the whole image's lattice: away from the margin's edge the
same vertices have the same values, and only the influence of pixels beyond the margin is missing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ...arrays import Float32, Size
from ..lattice import Lattice, build_lattice
from ..mean_field import Beliefs, MeanField
from ..pairwise import Pairwise
from ..params import CRFParameters, GaussianTerm
from .regions import Region

#: pixels on a side, margins included, at least
DEFAULT_TILE = 1024
#: the margin in units of sigma_alpha; docs/crf-search.md shows how much of the seams remains
DEFAULT_OVERLAP = 3.0


def default_tile(margin: int) -> int:
    """The side of a tile, such that its own part has at least four ninths of its area."""
    return max(DEFAULT_TILE, 6 * margin)


def bands(size: Size, tile: int, margin: int) -> Iterator[list[tuple[Region, Region]]]:
    """Rows of tiles that cover an image (H, W): each tile's own part, and the part with its margin."""
    rows, columns = (_edges(length, tile - 2 * margin) for length in size)
    for top, bottom in zip(rows, rows[1:], strict=False):
        parts = (Region(top, left, bottom, right) for left, right in zip(columns, columns[1:], strict=False))
        yield [(part, _grown(part, margin, size)) for part in parts]


def _edges(length: int, most: int) -> list[int]:
    """0 to `length` in equal steps of at most `most`."""
    count = math.ceil(length / most)
    return [i * length // count for i in range(count + 1)]


def _grown(part: Region, margin: int, size: Size) -> Region:
    top, left = max(0, part.top - margin), max(0, part.left - margin)
    return Region(top, left, min(size[0], part.bottom + margin), min(size[1], part.right + margin))


def infer_region(
    image: NDArray, unary: Float32, region: Region, parameters: CRFParameters, compact: float = 0.0
) -> Beliefs:
    """Mean field on one region: `image` (h, w, bands) and `unary` (C, h, w) are the region's."""
    terms = parameters.terms()
    pairwise = Pairwise([_lattice(term, image, region) for term in terms])
    weights = [term.weight for term in terms]
    return MeanField(unary, compact).run(pairwise, weights, parameters.iterations, parameters.normalization)


def _colours(term: GaussianTerm, image: NDArray) -> list[Float32]:
    if term.sigma_colour is None:
        return []
    image = image[:, :, None] if image.ndim == 2 else image
    sigma = np.float32(term.sigma_colour)
    return [np.divide(image[:, :, band], sigma, dtype=np.float32) for band in range(image.shape[2])]


def _lattice(term: GaussianTerm, image: NDArray, region: Region) -> Lattice:
    height, width = region.size
    colours = _colours(term, image)
    features = np.empty((height, width, 2 + len(colours)), np.float32)
    features[:, :, 0] = _positions(region.left, width, term.sigma_xy, 0)
    features[:, :, 1] = _positions(region.top, height, term.sigma_xy, 1)[:, None]
    for number, colour in enumerate(colours, 2):
        features[:, :, number] = colour
    return build_lattice(features.reshape(height * width, -1))


def _positions(first: int, count: int, sigma: float, axis: int) -> Float32:
    """Positions in units of sigma, minus whole periods of the lattice.

    The lattice has the period sqrt(3/2 (i + 1) (i + 2)) along feature i; subtracting periods keeps the numbers, and so
    the rounding errors of float32, small.
    """
    period = math.sqrt(1.5 * (axis + 1) * (axis + 2))
    sigma = float(np.float32(sigma))
    offset = math.floor(first / sigma / period) * period
    return (np.arange(first, first + count) / sigma - offset).astype(np.float32)
