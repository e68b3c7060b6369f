"""Mean field inference in the fully connected CRF, on lattices that were built before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import mean_field_kernels as kernels
from .lattice import Lattice
from .vector import LANES

Float32 = NDArray[np.float32]

_NONE = np.empty(0, np.float32)


class Pairwise:
    """The Gaussian terms of one image, laid side by side so that one pass over the pixels serves them all."""

    def __init__(self, lattices: Sequence[Lattice]) -> None:
        self.lattices = tuple(lattices)
        self.firsts = np.cumsum([0, *(lattice.size for lattice in lattices)])
        self.columns = np.cumsum([0, *(lattice.offsets.shape[1] for lattice in lattices)])
        count = lattices[0].offsets.shape[0]
        self.offsets = np.empty((count, self.columns[-1]), np.int32)
        self.weights = np.empty((count, self.columns[-1]), np.float32)
        for lattice, first, begin, end in zip(lattices, self.firsts, self.columns, self.columns[1:], strict=False):
            np.add(lattice.offsets, np.int32(first), out=self.offsets[:, begin:end])
            self.weights[:, begin:end] = lattice.weights

    @property
    def size(self) -> int:
        """The number of vertices of all terms."""
        return int(self.firsts[-1])

    def scaled_weights(self, weights: Sequence[float], normalization: str) -> tuple[Float32, Float32]:
        """(N, K) twice: what a pixel gives to its vertices, and what it takes from them, with the terms' weights."""
        given = np.empty_like(self.weights) if normalization == "symmetric" else self.weights
        taken = np.empty_like(self.weights)
        for lattice, weight, begin, end in zip(self.lattices, weights, self.columns, self.columns[1:], strict=False):
            mass = lattice.mass + np.float32(1e-20)
            inverse = np.float32(1) / (np.sqrt(mass) if normalization == "symmetric" else mass)
            # Slicing scales by 1 / (1 + 2^-d), which the mass includes.
            after = inverse * np.float32(weight / (1 + 2.0 ** (1 - lattice.offsets.shape[1])))
            np.multiply(lattice.weights, after[:, None], out=taken[:, begin:end])
            if normalization == "symmetric":
                np.multiply(lattice.weights, inverse[:, None], out=given[:, begin:end])
        return given, taken


@dataclass(frozen=True)
class Beliefs:
    """The result of inference: each pixel's class probabilities, kept as padded rows until a form is asked for."""

    rows: Float32
    shape: tuple[int, int, int]

    def probabilities(self) -> Float32:
        """Q (C, H, W), which sums to 1 over the classes. Beliefs below e^-20 of the largest are exactly 0."""
        classes, height, width = self.shape
        maps = np.empty((classes, height * width), np.float32)
        kernels.fill_maps(self.rows, _stride(classes), maps)
        return maps.reshape(self.shape)

    def labels(self) -> NDArray[np.integer]:
        """(H, W): the class of the largest belief, the first of equals; uint8 for up to 256 classes, else int32."""
        classes, height, width = self.shape
        labels: NDArray = np.empty(height * width, np.uint8 if classes <= 256 else np.int32)
        kernels.fill_labels(self.rows, _stride(classes), classes, labels)
        return labels.reshape(height, width)


class MeanField:
    """Inference on one image: the unary is laid out once, then any lattices and weights can be tried on it.

    `unary` (C, H, W): energies, -log probability up to a constant per pixel. An instance keeps its
    buffers between runs, so use one per thread; the lattices may be shared.
    """

    def __init__(self, unary: Float32) -> None:
        classes, height, width = unary.shape
        self.shape = (classes, height, width)
        self.stride = _stride(classes)
        self._logits = np.empty(height * width * self.stride, np.float32)
        flat = np.ascontiguousarray(unary, dtype=np.float32).reshape(classes, height * width)
        kernels.fill_logits(flat, self.stride, self._logits)
        self._buffers: list[Float32] = [_NONE, _NONE]

    def run(self, pairwise: Pairwise, weights: Sequence[float], iterations: int, normalization: str) -> Beliefs:
        """Iterate Q = softmax(-U + sum_k w_k K_k Q) from Q = softmax(-U).

        `weights` has one Potts weight for each lattice of `pairwise`.
        """
        given, taken = pairwise.scaled_weights(weights, normalization)
        geometry = (pairwise.offsets.ravel(), given.ravel(), taken.ravel())
        values: Float32 = _NONE
        for iteration in range(iterations):
            splatted = self._zeros(iteration % 2, pairwise.size * self.stride)
            kernels.pass_pixels(self._logits, self.stride, *geometry, values, splatted, _NONE)
            for lattice, first in zip(pairwise.lattices, pairwise.firsts, strict=False):
                kernels.blur(splatted, self.stride, first, lattice.runs, lattice.run_starts)
            values = splatted
        beliefs = np.empty_like(self._logits)
        kernels.pass_pixels(self._logits, self.stride, *geometry, values, _NONE, beliefs)
        return Beliefs(beliefs, self.shape)

    def _zeros(self, which: int, size: int) -> Float32:
        if self._buffers[which].size < size:
            self._buffers[which] = np.empty(size, np.float32)
        buffer = self._buffers[which][:size]
        buffer.fill(0)
        return buffer


def _stride(classes: int) -> int:
    """The length of a row: the classes, rounded up to whole vectors."""
    return -(-classes // LANES) * LANES
