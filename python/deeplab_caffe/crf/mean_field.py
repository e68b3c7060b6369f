"""Mean field inference in the fully connected CRF, on given lattices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32
from ..errors import InputError
from ..lazy import imported_on_use
from .lattice import Lattice
from .params import check_compact

if TYPE_CHECKING:
    from ..kernels import mean_field_buffers as buffers
    from ..kernels import mean_field_passes as passes
    from ..kernels import pixel_rows, vector
else:
    buffers = imported_on_use("deeplab_caffe.kernels.mean_field_buffers")
    passes = imported_on_use("deeplab_caffe.kernels.mean_field_passes")
    pixel_rows = imported_on_use("deeplab_caffe.kernels.pixel_rows")
    vector = imported_on_use("deeplab_caffe.kernels.vector")

_NONE = np.empty(0, np.float32)
_MOST_EXPONENT = 60.0  # logits up to this need no shift before exp
_PLACES = 2**32
_MOST_LANES = 32  # of inferences side by side; wider rows are not faster than several runs

#: what a normalization multiplies by before and after filtering, as powers of the kernel's mass
POWERS = {"after": (0.0, -1.0), "symmetric": (-0.5, -0.5), "before": (-1.0, 0.0), "none": (0.0, 0.0)}


class Pairwise:
    """The lattices of all terms on one image, arranged so that one pass over the pixels serves all of them."""

    def __init__(self, lattices: Sequence[Lattice]) -> None:
        self.lattices = tuple(lattices)
        self.firsts = np.cumsum([0, *(lattice.size for lattice in lattices)])
        #: for each term a tuple with a value for each corner of a simplex, as the kernels expect it
        self.corners = tuple((0,) * lattice.offsets.shape[1] for lattice in lattices)
        #: slicing multiplies a term by this; its mass includes the factor
        self.gains = np.array([1 / (1 + 2.0 ** (1 - len(term))) for term in self.corners])
        self._layouts: dict[int, Layout] = {}

    @property
    def size(self) -> int:
        """The number of vertices of all terms."""
        return int(self.firsts[-1])

    @property
    def nbytes(self) -> int:
        """The bytes of memory of the lattices and of their latest layout."""
        lattices = sum(a.nbytes for one in self.lattices for a in (one.offsets, one.weights, one.runs, one.mass))
        return lattices + sum(a.nbytes for one in self._layouts.values() for a in (one.weights, one.places, one.chains))

    def powers(self, normalization: str | Sequence[str], side: int) -> list[float]:
        """Each term's power of its mass before (side 0) or after (side 1) filtering, for one or each normalization."""
        names = [normalization] * len(self.lattices) if isinstance(normalization, str) else normalization
        return [POWERS[name][side] for name in names]

    def scale(self, powers: Sequence[float]) -> Float32:
        """(N * terms,): each pixel's mass in each term to the term's power."""
        scale = np.empty((self.lattices[0].mass.size, len(powers)), np.float32)
        for term, (lattice, power) in enumerate(zip(self.lattices, powers, strict=True)):
            buffers.raise_mass(lattice.mass, power, scale[:, term])
        return scale.ravel()

    def layout(self, stride: int) -> Layout:
        """The vertices' places for rows of `stride` values; the latest is kept."""
        layout = self._layouts.get(stride)
        if layout is None:  # another thread may replace the dictionary at the same time
            layout = Layout(self, stride)
            self._layouts = {stride: layout}
        return layout


class Layout:
    """Where the rows of the vertices of a `Pairwise` are in one flat array."""

    def __init__(self, pairwise: Pairwise, stride: int) -> None:
        count, columns = pairwise.lattices[0].offsets.shape[0], sum(map(len, pairwise.corners))
        nothing = pairwise.size * stride
        #: the length of the array of values: all vertices, a row that stays 0, and a row that is never read
        self.length = nothing + 2 * stride
        if self.length >= _PLACES:
            raise InputError(f"CRF: the lattice of {pairwise.size} vertices is too large; work on tiles of the image")
        self.weights = np.empty(count * columns, np.float32)
        self.places = np.zeros((count + pixel_rows.PIXELS_AHEAD) * columns, np.uint32)
        places = self.places[: count * columns].reshape(count, columns)
        weights = self.weights.reshape(count, columns)
        most = 2 * sum(lattice.runs.size for lattice in pairwise.lattices) + 1 + pixel_rows.STEPS_AHEAD
        chains = np.empty(most, np.uint32)
        column = end = 0
        for lattice, first in zip(pairwise.lattices, pairwise.firsts, strict=False):
            buffers.lay_out(lattice.offsets, lattice.weights, first, stride, column, places, weights)
            column += lattice.offsets.shape[1]
            end = buffers.lay_chains(lattice.runs, first, stride, nothing, chains, end)
        self.chains = chains[: end + 1 + pixel_rows.STEPS_AHEAD]
        self.chains[end:] = nothing


class PassArguments(NamedTuple):
    """The arguments that all passes of one run have in common; see `mean_field_passes`."""

    parts: tuple[int, ...]
    group: tuple[int, ...]
    corners: tuple[tuple[int, ...], ...]
    bounded: bool
    layout: Layout
    taken: Float32
    strength: Float32
    given: Float32 | None

    def messages(self, values: Float32 | None) -> tuple[NDArray | None, ...]:
        """The arguments of the passes for slicing from `values`."""
        return self.layout.places, self.layout.weights, self.taken, self.strength, values


class _Results:
    """The values of all groups after the last iteration; labels are computed for all groups at once, on first use."""

    def __init__(self, field: MeanField, run: PassArguments, values: Float32 | None) -> None:
        self.field, self.run, self.values, self._number = field, run, values, field.runs

    def check(self) -> None:
        """Raise RuntimeError if another run has used the buffers since."""
        if self._number != self.field.runs:
            raise RuntimeError("these beliefs are no longer available: their MeanField has run again since")

    @cached_property
    def labels(self) -> NDArray[np.integer]:
        """(groups, N)."""
        run, field = self.run, self.field
        groups, kind = len(run.parts) // len(run.group), np.uint8 if field.shape[0] <= 256 else np.int32
        labels: NDArray = np.empty((groups, field.pixels), kind)
        messages = run.messages(self.values)
        passes.write_labels(run.parts, run.group, run.corners, field.logits, *messages, field.kept, labels)
        return labels


class Beliefs:
    """The result of one run of a MeanField; the last step is computed when probabilities or labels are asked for.

    The result is in the buffers of its MeanField: after the next run there, its methods raise RuntimeError.
    """

    def __init__(self, results: _Results, group: int) -> None:
        self._results, self._group = results, group

    def probabilities(self) -> Float32:
        """Q (C, H, W), which sums to 1 over the classes. Beliefs below e^-20 times the largest may be exactly 0."""
        self._results.check()
        field, run = self._results.field, self._results.run
        maps = np.empty((field.shape[0], field.pixels), np.float32)
        shares = np.empty_like(field.rest)
        passes.write_maps(
            *(run.parts, run.group, run.corners, run.bounded, field.logits, field.rest),
            *(*run.messages(self._results.values), self._group, field.kept, maps, shares),
        )
        if shares.size:
            field.write_dropped(maps, shares)
        return maps.reshape(field.shape)

    def labels(self) -> NDArray[np.integer]:
        """(H, W): the class of the largest belief, the first of equals; uint8 for up to 256 classes, else int32."""
        self._results.check()
        return self._results.labels[self._group].reshape(self._results.field.shape[1:])


class MeanField:
    """Inference on one image: the unary is arranged once, then any lattices and weights can be tried on it.

    An instance reuses its buffers between runs, so use one per thread; the lattices may be shared.

    Args:
        unary: energies (C, H, W), -log probability up to a constant per pixel.
        compact: classes whose probability by the unary is nowhere above this times the pixel's largest send no
            messages; see `active_classes`.

    Raises:
        InputError: `compact` is not from 0 to below 1.
    """

    def __init__(self, unary: Float32, compact: float = 0.0) -> None:
        check_compact(compact)
        classes, height, width = unary.shape
        self.shape, self.pixels = (classes, height, width), height * width
        self._unary = np.ascontiguousarray(unary, dtype=np.float32).reshape(classes, self.pixels)
        self.kept = active_classes(self._unary, compact) if compact else np.arange(classes)
        #: the lanes of one inference in a row of values
        self.width = -(-self.kept.size // vector.LANES) * vector.LANES
        self.logits = aligned(self.pixels * self.width)
        buffers.fill_logits(self._unary, self.kept, self.width, self.logits)
        self.rest: Float32 = _NONE
        self._dropped = np.setdiff1d(np.arange(classes), self.kept)
        if self._dropped.size:
            self.rest = np.empty(self.pixels, np.float32)
            buffers.fill_rest(self._unary, self._dropped, self.rest)
        self._buffers: list[Float32] = [_NONE] * 3
        self.runs = 0

    @property
    def nbytes(self) -> int:
        """The bytes of memory of the unary and of the buffers that runs have taken."""
        return sum(array.nbytes for array in (self._unary, self.logits, self.rest, *self._buffers))

    def run(
        self, pairwise: Pairwise, weights: Sequence[float], iterations: int, normalization: str | Sequence[str]
    ) -> Beliefs:
        """Iterate Q = softmax(-U + sum_k w_k K_k Q) from Q = softmax(-U).

        Args:
            pairwise: the lattices.
            weights: a Potts weight for each lattice.
            iterations: mean field iterations; 0 gives the softmax of the unary.
            normalization: one of `POWERS`, or one for each lattice.
        """
        return next(self.run_each(pairwise, [weights], iterations, normalization))

    def run_each(
        self,
        pairwise: Pairwise,
        weights: Sequence[Sequence[float]],
        iterations: int,
        normalization: str | Sequence[str],
    ) -> Iterator[Beliefs]:
        """`run` with each of several `weights`; what does not depend on the weights is computed once.

        If rows are short, several runs are computed side by side. Use each result before asking for the next.
        """
        after = pairwise.powers(normalization, 1)
        before = pairwise.powers(normalization, 0)
        taken, given = pairwise.scale(after), pairwise.scale(before) if any(before) else None
        # The first iteration does not depend on the weights; it is lost if something else ran in between.
        started: dict[int, Float32] = {}
        number = self.runs
        for bounded, some in _side_by_side(weights, after, max(1, _MOST_LANES // self.width)):
            stride = len(some) * self.width
            strengths = (pairwise.gains[:, None] * np.transpose(some)).astype(np.float32)
            strength = np.repeat(strengths, self.width, axis=1).ravel()
            parts_of = vector.parts_of
            run = PassArguments(
                *(parts_of(stride), parts_of(self.width), pairwise.corners, bounded, pairwise.layout(stride)),
                *(taken, strength, given),
            )
            if iterations and (stride not in started or self.runs != number):
                started = {stride: self._advance(run, None, 0)}
            values = started.get(stride)
            for iteration in range(1, iterations):
                values = self._advance(run, values, 1 + iteration % 2)
            number = self.runs = self.runs + 1
            results = _Results(self, run, values)
            for group in range(len(some)):
                yield Beliefs(results, group)

    def _advance(self, run: PassArguments, values: Float32 | None, to: int) -> Float32:
        """Slice from `values`, softmax, splat into the buffer `to`, blur."""
        if self._buffers[to].size < run.layout.length:
            self._buffers[to] = aligned(run.layout.length)
        splatted = self._buffers[to][: run.layout.length]
        splatted.fill(0)
        passes.step(
            *(run.parts, run.group, run.corners, run.bounded, self.logits, self.rest),
            *(run.layout.places, run.layout.weights, run.taken, run.strength, run.given, values, splatted),
        )
        pixel_rows.blur(run.parts, splatted, run.layout.chains)
        return splatted

    def write_dropped(self, maps: Float32, shares: Float32) -> None:
        """Divide `shares` (N,) among the dropped classes by their unaries, in `maps` (C, N)."""
        lowest = self._unary.min(axis=0)
        factor = np.divide(np.maximum(shares, 0), self.rest, out=np.zeros_like(shares), where=self.rest > 0)
        for c in self._dropped:
            np.exp(lowest - self._unary[c], out=maps[c])
            maps[c] *= factor


def active_classes(unary: Float32, eps: float) -> NDArray[np.intp]:
    """The classes of `unary` (C, N) that are somewhere more probable than `eps` times the pixel's most probable class.

    Compaction keeps these. The other classes send no messages but stay in each softmax; their belief is at most eps,
    and the largest belief is that of a kept class. With all classes, messages that are means ("after") and W = w1 + w2,
    the belief x of a dropped class would satisfy x <= eps * exp(W * x): at most e * eps while W * eps <= 1 / e, so a
    logit lacks at most e * W * eps in an iteration. Above that there is no bound.
    """
    return np.flatnonzero(buffers.least_excess(unary) < -np.log(eps))


def _side_by_side(
    weights: Sequence[Sequence[float]], powers: Sequence[float], most: int
) -> Iterator[tuple[bool, list[Sequence[float]]]]:
    """Weights that can run together, at most `most`, and whether their logits are bounded, so that exp needs no shift.

    A message that is divided by its mass is a mean of beliefs, so it is at most the term's weight.
    """
    means = set(powers) == {-1.0}
    for bounded, same in groupby(weights, lambda terms: means and min(terms) >= 0 and sum(terms) <= _MOST_EXPONENT):
        alike = list(same)
        yield from ((bounded, alike[first : first + most]) for first in range(0, len(alike), most))


def aligned(size: int) -> Float32:
    """An array that begins at a cache line, so that no vector crosses two lines."""
    space = np.empty(size + 16, np.float32)
    start = (-(space.ctypes.data >> 2)) & 15
    return space[start : start + size]
