"""The lattices of all terms of a model on one image, as the passes of mean field use them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import Float32
from ..lazy import imported_on_use
from .lattice import Lattice

if TYPE_CHECKING:
    from ..kernels import mean_field_buffers as buffers
    from ..kernels import pixel_rows
else:
    buffers = imported_on_use("deeplab_caffe.kernels.mean_field_buffers")
    pixel_rows = imported_on_use("deeplab_caffe.kernels.pixel_rows")

#: what a normalization multiplies by before and after filtering, as powers of the kernel's mass
POWERS = {"after": (0.0, -1.0), "symmetric": (-0.5, -0.5), "before": (-1.0, 0.0), "none": (0.0, 0.0)}


class Pairwise:
    """The lattices of all terms on one image, arranged so that one pass over the pixels serves all of them."""

    def __init__(self, lattices: Sequence[Lattice]) -> None:
        self.lattices = tuple(lattices)
        #: for each term a tuple with a value for each corner of a simplex, as the kernels expect it
        self.corners = tuple((0,) * (lattice.simplices.shape[1] // 2) for lattice in lattices)
        #: slicing multiplies a term by this; its mass includes the factor
        self.gains = [1 / (1 + 2.0 ** (1 - len(term))) for term in self.corners]
        self.simplices = tuple(lattice.simplices.ravel() for lattice in lattices)
        self.reached = tuple(lattice.reached for lattice in lattices)
        #: rows of values of each term: its vertices, one that stays 0, and one that is never read
        self.rows = [lattice.size + 2 for lattice in lattices]

    @property
    def nbytes(self) -> int:
        """The bytes of memory of the lattices."""
        return sum(lattice.nbytes for lattice in self.lattices)

    def powers(self, normalization: str | Sequence[str], side: int) -> list[float]:
        """Each term's power of its mass before (side 0) or after (side 1) filtering, for one or each normalization."""
        names = [normalization] * len(self.lattices) if isinstance(normalization, str) else normalization
        return [POWERS[name][side] for name in names]

    def scale(self, powers: Sequence[float]) -> tuple[Float32, ...]:
        """Each pixel's mass (N,) in each term to the term's power."""
        return tuple(
            buffers.raised(lattice.mass, power) for lattice, power in zip(self.lattices, powers, strict=True)
        )

    def values(self, space: Float32, stride: int) -> tuple[Float32, ...]:
        """For each term its part of `space`, rows of `stride` values."""
        ends = np.cumsum(self.rows) * stride
        return tuple(space[end - count * stride : end] for end, count in zip(ends, self.rows, strict=True))

    def blur(self, parts: tuple[int, ...], values: Sequence[Float32]) -> None:
        """Blur each term's values in place."""
        for lattice, part in zip(self.lattices, values, strict=True):
            pixel_rows.blur(parts, part, lattice.chains)
