"""The permutohedral lattice, on which a Gaussian filter over many dimensions is computed.

A pixel's features lie in a simplex of d + 1 lattice vertices. Filtering is splat (pixels to vertices, with barycentric
weights), blur (along each of d + 1 directions with weights 1/2, 1, 1/2) and slice (vertices back to pixels). The
geometry depends on image and standard deviations only, so it is built once for all iterations and weights.
Source: Adams, Baek and Davis 2010; the arithmetic is that of DeepLab's densecrf program, in float32.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32
from ..errors import InputError
from ..lazy import imported_on_use
from .params import GaussianTerm

if TYPE_CHECKING:
    from ..kernels import lattice_construction as kernels
    from ..kernels import pixel_rows, vector
else:
    kernels = imported_on_use("deeplab_caffe.kernels.lattice_construction")
    pixel_rows = imported_on_use("deeplab_caffe.kernels.pixel_rows")
    vector = imported_on_use("deeplab_caffe.kernels.vector")

_CACHED_POSITION_LATTICES = 8
_PLACES = 2**31
_MAX_SPREAD = 2.0**20  # beyond it float32 coordinates are no longer exact


@dataclass(frozen=True)
class Lattice:
    """The geometry of a filter over N pixels with d features, which touch M vertices. All arrays are read-only."""

    simplices: Float32
    """(N, 2 (d + 1)): the vertices of each pixel's simplex, times eight, as the bits of int32; then their weights."""
    size: int
    """The number of vertices, M."""
    chains: NDArray[np.int32]
    """The vertices, times eight, in rows along direction 0, 1, ...; 8 M before each row and several times at the end.
    Vertices without neighbours are left out."""
    chain_starts: NDArray[np.int64]
    """(d + 2,): where each direction's part of `chains` begins."""
    reached: NDArray[np.int32]
    """For each block of 128 pixels the number of vertices that it and those before it touch."""
    mass: Float32
    """(N,): what filtering a constant 1 gives, the mass of the pixel's kernel."""

    @property
    def offsets(self) -> NDArray[np.int32]:
        """(N, d + 1): the vertices of each pixel's simplex."""
        return self.simplices.view(np.int32)[:, : self.simplices.shape[1] // 2] // np.int32(vector.LANES)

    @property
    def weights(self) -> Float32:
        """(N, d + 1): their barycentric weights, which sum to 1."""
        return self.simplices[:, self.simplices.shape[1] // 2 :]

    def neighbours(self) -> NDArray[np.int32]:
        """(d + 1, M, 2): the vertex before and after each vertex along each direction, -1 where there is none."""
        return kernels.find_neighbours(self.chains, self.chain_starts, self.size)

    @property
    def nbytes(self) -> int:
        """The bytes of memory that it holds."""
        return sum(array.nbytes for array in vars(self).values() if isinstance(array, np.ndarray))


def build_lattice(features: Float32) -> Lattice:
    """The lattice of `features` (N, d), float32, in units of standard deviations.

    Vertices are numbered in the order in which the pixels first touch them.

    Raises InputError where the standard deviations are too small for float32, or there are more than 2^28 vertices.
    """
    features = np.ascontiguousarray(features, dtype=np.float32)
    count, dims = features.shape
    scale = feature_scale(dims)
    strides = _key_strides(features, scale)
    table = _Table(count)
    simplices, reached = _place(features, scale, strides, table)
    if count % 4:
        # DeepLab's program processes four pixels at a time and pads the last group with points at the origin. Their
        # vertices receive no values, but the blur passes values through them: they are needed for the same result.
        _place(np.zeros((1, dims), np.float32), scale, strides, table)
    if (table.size + 2) * vector.LANES >= _PLACES:
        raise InputError(f"CRF: the lattice of {table.size} vertices is too large; work on tiles of the image")
    keys, vertices = kernels.in_order(table.keys, table.slots, table.size)
    following, preceded = kernels.find_following(keys, vertices, strides, table.keys, table.slots)
    chains, starts = kernels.find_chains(following, preceded, pixel_rows.STEPS_AHEAD)
    mass = kernels.filter_ones(simplices.ravel(), dims + 1, chains, table.size)
    for array in (simplices, chains, starts, reached, mass):
        array.setflags(write=False)
    return Lattice(simplices, table.size, chains, starts, reached, mass)


def _place(
    features: Float32, scale: Float32, strides: NDArray[np.int64], table: _Table
) -> tuple[Float32, NDArray[np.int32]]:
    """Lattice.simplices and Lattice.reached; the pixels' vertices are entered into `table`."""
    count, dims = features.shape
    simplices = np.empty((count, 2 * (dims + 1)), np.float32)
    flat = simplices.ravel()
    reached = np.empty(-(-count // kernels.BLOCK), np.int32)
    done = 0
    while True:
        done = kernels.place_pixels(features, scale, strides, done, flat, flat.view(np.int32), reached, *table.arrays)
        if done == count:
            return simplices, reached
        table.grow()


def bilateral_features(
    image: NDArray, sigma_alpha: float | Sequence[float], sigma_beta: float | Sequence[float]
) -> Float32:
    """Position and colour of an image (H, W) or (H, W, bands) in standard deviations, (H * W, 2 + bands).

    `sigma_alpha` in pixels, one number or (x, y); `sigma_beta` in levels, one number or one for each band.
    """
    image = image[:, :, None] if image.ndim == 2 else image
    height, width, bands = image.shape
    features = np.empty((height, width, 2 + bands), np.float32)
    _fill_positions(features, sigma_alpha)
    levels = np.ascontiguousarray(image, dtype=np.uint8 if image.dtype == np.uint8 else np.float32)
    deviations = np.broadcast_to(np.asarray(sigma_beta, dtype=np.float32), bands)
    kernels.fill_levels(levels, np.ascontiguousarray(deviations), features)
    return features.reshape(height * width, 2 + bands)


def position_features(height: int, width: int, sigma: float | tuple[float, float]) -> Float32:
    """Positions in standard deviations, (H * W, 2); `sigma` in pixels, one number or (x, y)."""
    features = np.empty((height, width, 2), np.float32)
    _fill_positions(features, sigma)
    return features.reshape(height * width, 2)


def bilateral_lattice(
    image: NDArray, sigma_alpha: float | Sequence[float], sigma_beta: float | Sequence[float]
) -> Lattice:
    """The lattice over position and colour of an image.

    Args:
        image: (H, W) or (H, W, bands), levels.
        sigma_alpha: standard deviation of the position in pixels, one number or (x, y).
        sigma_beta: standard deviation of the colour in levels, one number or one for each band.
    """
    return build_lattice(bilateral_features(image, sigma_alpha, sigma_beta))


@lru_cache(maxsize=_CACHED_POSITION_LATTICES)
def position_lattice(height: int, width: int, sigma_gamma: float | tuple[float, float]) -> Lattice:
    """The lattice over position alone; `sigma_gamma` in pixels, one number or (x, y). The latest eight are cached."""
    return build_lattice(position_features(height, width, sigma_gamma))


def term_features(term: GaussianTerm, image: NDArray) -> Float32:
    """The features (H * W, d) of a term on an image (H, W) or (H, W, bands), in standard deviations."""
    if term.sigma_colour is None:
        return position_features(image.shape[0], image.shape[1], term.sigma_xy)
    return bilateral_features(image, term.sigma_xy, term.sigma_colour)


def term_lattices(terms: Sequence[GaussianTerm], image: NDArray) -> list[Lattice]:
    """The lattice of each term on an image (H, W) or (H, W, bands); those over position alone are cached."""
    return [
        position_lattice(*image.shape[:2], term.sigma_xy)
        if term.sigma_colour is None
        else bilateral_lattice(image, term.sigma_xy, term.sigma_colour)
        for term in terms
    ]


def _fill_positions(features: Float32, sigma: float | Sequence[float]) -> None:
    height, width = features.shape[:2]
    sigma_x, sigma_y = np.broadcast_to(np.asarray(sigma, dtype=np.float32), 2)
    features[:, :, 0] = np.arange(width, dtype=np.float32) / sigma_x
    features[:, :, 1] = (np.arange(height, dtype=np.float32) / sigma_y)[:, None]


def feature_scale(dims: int) -> Float32:
    """(d,): each feature's factor, so that the filter has standard deviation 1; rounded as in DeepLab's program."""
    deviation = float(np.float32(math.sqrt(2 / 3) * (dims + 1)))
    return np.array([1 / math.sqrt((i + 2) * (i + 1)) * deviation for i in range(dims)], np.float32)


def _key_strides(features: Float32, scale: Float32) -> NDArray[np.int64]:
    """(d + 1,): the factors that turn a vertex's coordinates into one 64-bit key; the last coordinate is redundant.

    If the product of the coordinates' ranges is below 2^62, the key is a mixed radix number and unique. Otherwise (very
    small standard deviations, or many bands) fixed random factors are used; the probability that any two of a million
    vertices have the same key is then below 1e-6.
    """
    dims = features.shape[1]
    spread = kernels.spread_of(features).astype(float) * scale
    check_spread(spread)
    ranges = [int(spread[i:].sum() + (i * spread[i - 1] if i else 0)) + 6 * (dims + 2) for i in range(dims)]
    strides = np.zeros(dims + 1, np.int64)
    if math.prod(ranges) < 2**62:
        strides[:dims] = [math.prod(ranges[:i]) for i in range(dims)]
    else:
        strides[:dims] = np.random.default_rng(0).integers(-(2**63), 2**63 - 1, dims) | 1
    return strides


def check_spread(spread: NDArray[np.float64]) -> None:
    """Refuse features whose lattice coordinates float32 does not hold; spread: (d,), the range of each feature."""
    if not spread.sum() < _MAX_SPREAD:
        raise InputError(
            f"CRF: the features spread over {spread.max():.3g} standard deviations; "
            "the standard deviations are too small for this image"
        )


class _Table:
    """The hash table from keys to vertices while a lattice is built; it grows between calls of the kernel."""

    def __init__(self, pixels: int) -> None:
        self._resize(max(1 << 12, 1 << math.ceil(math.log2(pixels))))
        self.counter = np.zeros(1, np.int64)

    def _resize(self, slots: int) -> None:
        self.keys = np.full(slots, kernels.EMPTY, np.int64)
        self.slots = np.full(slots, -1, np.int32)

    @property
    def arrays(self) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
        return self.keys, self.slots, self.counter

    @property
    def size(self) -> int:
        return int(self.counter[0])

    def grow(self) -> None:
        """Make room for twice as many vertices, keeping their numbers."""
        keys, vertices = kernels.in_order(self.keys, self.slots, self.size)
        self._resize(2 * self.slots.size)
        kernels.fill_slots(keys, vertices, self.keys, self.slots)
