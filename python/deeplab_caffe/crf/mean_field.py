"""Mean field inference in the fully connected CRF, on lattices that were built before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from deeplab_caffe.errors import InputError

from . import layout_kernels
from . import mean_field_kernels as kernels
from .lattice import Lattice
from .vector import LANES

Float32 = NDArray[np.float32]

_NONE = np.empty(0, np.float32)
_MOST_EXPONENT = 60.0  # logits up to this need no shift before exp
_PLACES = 2**32

#: what a normalization multiplies by before and after filtering, as powers of the kernel's mass
POWERS = {"after": (0.0, -1.0), "symmetric": (-0.5, -0.5), "before": (-1.0, 0.0), "none": (0.0, 0.0)}


class Pairwise:
    """The Gaussian terms of one image, laid side by side so that one pass over the pixels serves them all."""

    def __init__(self, lattices: Sequence[Lattice]) -> None:
        self.lattices = tuple(lattices)
        self.firsts = np.cumsum([0, *(lattice.size for lattice in lattices)])
        self.columns = np.cumsum([0, *(lattice.offsets.shape[1] for lattice in lattices)])
        self._layouts: dict[int, Layout] = {}

    @property
    def size(self) -> int:
        """The number of vertices of all terms."""
        return int(self.firsts[-1])

    def powers(self, normalization: str | Sequence[str], side: int) -> list[float]:
        """Each term's power of its mass before (side 0) or after (side 1) filtering, for one or each normalization."""
        names = [normalization] * len(self.lattices) if isinstance(normalization, str) else normalization
        return [POWERS[name][side] for name in names]

    def layout(self, stride: int) -> Layout:
        """The vertices' places for rows of `stride` values; the latest is kept."""
        if stride not in self._layouts:
            self._layouts = {stride: Layout(self, stride)}
        return self._layouts[stride]


class Layout:
    """Where the rows of a pairwise's vertices stand in one flat array."""

    def __init__(self, pairwise: Pairwise, stride: int) -> None:
        count, width = pairwise.lattices[0].offsets.shape[0], int(pairwise.columns[-1])
        nothing = pairwise.size * stride
        #: the length of the array of values: all vertices, a row that stays 0 and one that is never read
        self.length = nothing + 2 * stride
        if self.length >= _PLACES:
            raise InputError(f"CRF: the lattice of {pairwise.size} vertices is too large; work on tiles of the image")
        self.terms = list(zip(pairwise.lattices, pairwise.columns, pairwise.columns[1:], strict=False))
        self.weights = np.empty((count, width), np.float32)
        self.places = np.zeros((count + kernels.PIXELS_AHEAD) * width, np.uint32)
        places = self.places[: count * width].reshape(count, width)
        most = 2 * sum(lattice.runs.size for lattice in pairwise.lattices) + 1 + kernels.STEPS_AHEAD
        chains = np.empty(most, np.uint32)
        end = 0
        for lattice, first, column in zip(pairwise.lattices, pairwise.firsts, pairwise.columns, strict=False):
            layout_kernels.lay_out(lattice.offsets, lattice.weights, first, stride, column, places, self.weights)
            end = layout_kernels.lay_chains(lattice.runs, first, stride, nothing, chains, end)
        self.chains = chains[: end + 1 + kernels.STEPS_AHEAD]
        self.chains[end:] = nothing

    def given(self, powers: Sequence[float]) -> Float32:
        """(N * K,): what a pixel gives to its vertices."""
        if not any(powers):
            return self.weights.ravel()
        given = np.empty_like(self.weights)
        for (lattice, begin, end), power in zip(self.terms, powers, strict=True):
            layout_kernels.scale_weights(self.weights, begin, end, _power(lattice.mass, power), given)
        return given.ravel()

    def take(self, powers: Sequence[float], weights: Sequence[float], taken: Float32) -> None:
        """Into `taken` (N, K) what a pixel takes from its vertices, with the terms' weights."""
        for (lattice, begin, end), power, weight in zip(self.terms, powers, weights, strict=True):
            # Slicing scales by 1 / (1 + 2^-d), which the mass includes.
            scale = _power(lattice.mass, power) * np.float32(weight / (1 + 2.0 ** (1 + begin - end)))
            layout_kernels.scale_weights(self.weights, begin, end, scale, taken)


class Beliefs:
    """The result of inference, of which the last step is done when a form is asked for.

    It stands in the buffers of its MeanField: ask before the next run there, else it raises RuntimeError.
    """

    def __init__(self, field: MeanField, layout: Layout, taken: Float32, values: Float32, bounded: bool) -> None:
        self._field, self._run = field, field.runs
        self._arguments = (
            *(field.logits, field.rest, field.stride, bounded, layout.weights.shape[1]),
            *(layout.places, taken, values, field.kept),
        )

    def probabilities(self) -> Float32:
        """Q (C, H, W), which sums to 1 over the classes. Beliefs below e^-20 of the largest may be exactly 0."""
        self._check()
        field = self._field
        maps = np.empty((field.shape[0], field.shape[1] * field.shape[2]), np.float32)
        shares = np.empty_like(field.rest)
        kernels.write_maps(*self._arguments, maps, shares)
        if shares.size:
            field.write_dropped(maps, shares)
        return maps.reshape(field.shape)

    def labels(self) -> NDArray[np.integer]:
        """(H, W): the class of the largest belief, the first of equals; uint8 for up to 256 classes, else int32."""
        self._check()
        classes, height, width = self._field.shape
        labels: NDArray = np.empty(height * width, np.uint8 if classes <= 256 else np.int32)
        kernels.write_labels(*self._arguments, labels)
        return labels.reshape(height, width)

    def _check(self) -> None:
        if self._run != self._field.runs:
            raise RuntimeError("these beliefs are gone: their MeanField has run again since")


class MeanField:
    """Inference on one image: the unary is laid out once, then any lattices and weights can be tried on it.

    `unary` (C, H, W): energies, -log probability up to a constant per pixel. `compact`: classes that by
    the unary are nowhere more probable than this times the largest send no messages; see `active_classes`.
    An instance keeps its buffers between runs, so use one per thread; the lattices may be shared.
    """

    def __init__(self, unary: Float32, compact: float = 0.0) -> None:
        classes, height, width = unary.shape
        self.shape = (classes, height, width)
        self._unary = np.ascontiguousarray(unary, dtype=np.float32).reshape(classes, height * width)
        self.kept = active_classes(self._unary, compact) if compact else np.arange(classes)
        self.stride = -(-self.kept.size // LANES) * LANES
        self.logits = aligned(height * width * self.stride)
        layout_kernels.fill_logits(self._unary, self.kept, self.stride, self.logits)
        self.rest: Float32 = _NONE
        self._dropped = np.setdiff1d(np.arange(classes), self.kept)
        if self._dropped.size:
            self.rest = np.empty(height * width, np.float32)
            layout_kernels.fill_rest(self._unary, self._dropped, self.rest)
        self._buffers: list[Float32] = [_NONE] * 3
        self._taken: Float32 = np.empty((0, 0), np.float32)
        self.runs = 0

    def run(
        self, pairwise: Pairwise, weights: Sequence[float], iterations: int, normalization: str | Sequence[str]
    ) -> Beliefs:
        """Iterate Q = softmax(-U + sum_k w_k K_k Q) from Q = softmax(-U).

        `weights` has one Potts weight for each lattice of `pairwise`; `normalization` is one of POWERS, or
        one for each.
        """
        return next(self.run_each(pairwise, [weights], iterations, normalization))

    def run_each(
        self,
        pairwise: Pairwise,
        weights: Sequence[Sequence[float]],
        iterations: int,
        normalization: str | Sequence[str],
    ) -> Iterator[Beliefs]:
        """`run` with each of several `weights` in turn; what does not depend on them is done once.

        Each result has to be used before the next is asked for.
        """
        layout = pairwise.layout(self.stride)
        given = layout.given(pairwise.powers(normalization, 0))
        first = 0 if len(weights) == 1 else 2
        if iterations:
            self._advance(layout, _NONE, given, _NONE, True, first)
        for terms in weights:
            taken, bounded = self._scaled(pairwise, layout, terms, normalization)
            values = self._buffers[first][: layout.length] if iterations else _NONE
            for iteration in range(1, iterations):
                values = self._advance(layout, taken, given, values, bounded, iteration % 2)
            self.runs += 1
            yield Beliefs(self, layout, taken, values, bounded)

    def _advance(
        self, layout: Layout, taken: Float32, given: Float32, values: Float32, bounded: bool, to: int
    ) -> Float32:
        """Slice from `values`, softmax, splat into the buffer `to`, blur."""
        if self._buffers[to].size < layout.length:
            self._buffers[to] = aligned(layout.length)
        splatted = self._buffers[to][: layout.length]
        splatted.fill(0)
        columns = layout.weights.shape[1]
        kernels.step(
            *(self.logits, self.rest, self.stride, bounded, columns, layout.places),
            *(taken, given, values, splatted),
        )
        kernels.blur(splatted, self.stride, layout.chains)
        return splatted

    def _scaled(
        self, pairwise: Pairwise, layout: Layout, weights: Sequence[float], normalization: str | Sequence[str]
    ) -> tuple[Float32, bool]:
        """(N * K,): what a pixel takes from its vertices; and whether its logits are bounded.

        Divided by its mass after filtering, a message is a mean of beliefs, at most the term's weight.
        """
        if self._taken.shape != layout.weights.shape:
            self._taken = np.empty_like(layout.weights)
        powers = pairwise.powers(normalization, 1)
        layout.take(powers, weights, self._taken)
        bounded = set(powers) == {-1.0} and min(weights) >= 0 and sum(weights) <= _MOST_EXPONENT
        return self._taken.ravel(), bounded

    def write_dropped(self, maps: Float32, shares: Float32) -> None:
        """Give the classes that are not kept their parts of `shares` (N,), as their unaries say, in `maps` (C, N)."""
        lowest = self._unary.min(axis=0)
        factor = np.maximum(shares, 0) / np.maximum(self.rest, np.finfo(np.float32).tiny)
        for c in self._dropped:
            np.exp(lowest - self._unary[c], out=maps[c])
            maps[c] *= factor


def active_classes(unary: Float32, eps: float) -> NDArray[np.intp]:
    """The classes of `unary` (C, N) that are somewhere more probable than `eps` times the pixel's most probable one.

    Compaction keeps these. The others send no messages but keep their places in each softmax. Their probability is at
    most eps everywhere and can only fall, so a logit lacks at most (w1 + w2) * eps in an iteration, and the largest
    belief is always a kept one.
    """
    return np.flatnonzero(layout_kernels.least_excess(unary) < -np.log(eps))


def aligned(size: int) -> Float32:
    """An array that begins at a cache line, so that rows of vectors do not straddle two."""
    space = np.empty(size + 16, np.float32)
    start = (-(space.ctypes.data >> 2)) & 15
    return space[start : start + size]


def _power(mass: Float32, power: float) -> Float32:
    if not power:
        return np.ones_like(mass)
    mass = mass + np.float32(1e-20)
    return np.reciprocal(np.sqrt(mass) if power == -0.5 else mass)
