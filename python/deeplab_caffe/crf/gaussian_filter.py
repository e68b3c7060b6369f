"""The Gaussian filter of one lattice on its own: what mean field does with beliefs, for any values."""

from __future__ import annotations

import numpy as np

from ..arrays import Float32
from . import mean_field_kernels as kernels
from . import row_kernels
from .lattice import Lattice
from .mean_field import Pairwise, aligned
from .vector import LANES, parts_of


def gaussian_filter(lattice: Lattice, values: Float32, normalization: str = "after") -> Float32:
    """Each pixel's sum over all pixels of kernel times value, normalized as said; `values` and result (C, N), float32.

    `normalization` is one of mean_field.POWERS: "after" makes it a mean, "none" leaves the sum.
    """
    stride = -(-len(values) // LANES) * LANES
    parts, pairwise = parts_of(stride), Pairwise([lattice])
    layout = pairwise.layout(stride)
    given, taken = (pairwise.scale(pairwise.powers(normalization, side)) for side in (0, 1))
    splatted = aligned(layout.length)
    splatted.fill(0)
    maps = np.ascontiguousarray(values, np.float32)
    kernels.splat_maps(parts, pairwise.corners, maps, layout.places, layout.weights, given, splatted)
    row_kernels.blur(parts, splatted, layout.chains)
    strength = np.full(stride, pairwise.gains[0], np.float32)
    filtered = np.empty(maps.shape, np.float32)
    kernels.slice_maps(parts, pairwise.corners, layout.places, layout.weights, taken, strength, splatted, filtered)
    return filtered
