"""The Gaussian filter of one lattice on its own: what mean field does with beliefs, for any values."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from . import mean_field_kernels as kernels
from .lattice import Lattice
from .mean_field import Pairwise, aligned
from .vector import LANES

Float32 = NDArray[np.float32]


def gaussian_filter(lattice: Lattice, values: Float32, normalization: str = "after") -> Float32:
    """Each pixel's sum over all pixels of kernel times value, normalized as said; `values` and result (C, N), float32.

    `normalization` is one of mean_field.POWERS: "after" makes it a mean, "none" leaves the sum.
    """
    classes = len(values)
    stride = -(-classes // LANES) * LANES
    pairwise = Pairwise([lattice])
    layout = pairwise.layout(stride)
    columns = layout.weights.shape[1]
    splatted = aligned(layout.length)
    splatted.fill(0)
    given = layout.given(pairwise.powers(normalization, 0))
    kernels.splat_maps(np.ascontiguousarray(values, np.float32), stride, columns, layout.places, given, splatted)
    kernels.blur(splatted, stride, layout.chains)
    taken = np.empty_like(layout.weights)
    layout.take(pairwise.powers(normalization, 1), [1.0], taken)
    filtered = np.empty((classes, layout.weights.shape[0]), np.float32)
    kernels.slice_maps(stride, columns, layout.places, taken.ravel(), splatted, filtered)
    return filtered
