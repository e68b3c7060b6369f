"""Mean field inference in the fully connected CRF, on given lattices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32
from ..lazy import imported_on_use
from .lanes import MOST_EFFECT, Lanes, aligned, lanes_for
from .pairwise import Pairwise
from .params import check_compact

if TYPE_CHECKING:
    from ..kernels import mean_field_buffers as buffers
    from ..kernels import mean_field_passes as passes
    from ..kernels import vector
else:
    buffers = imported_on_use("deeplab_caffe.kernels.mean_field_buffers")
    passes = imported_on_use("deeplab_caffe.kernels.mean_field_passes")
    vector = imported_on_use("deeplab_caffe.kernels.vector")

_MOST_EXPONENT = 60.0  # logits up to this need no shift before exp
_MOST_LANES = 32  # of inferences side by side; wider rows are not faster than several runs
_MERGED_WITHIN = 5  # classes that are not negligible after so many iterations hardly become so

#: of each term its vertices' rows of values
Values = tuple[Float32, ...]
#: of each term what is multiplied by before filtering, or None, and after it
Scales = tuple["tuple[Float32, ...] | None", "tuple[Float32, ...]"]


class PassArguments(NamedTuple):
    """The arguments that all passes of one run have in common; see `mean_field_passes`."""

    parts: tuple[int, ...]
    group: tuple[int, ...]
    bounded: bool
    pairwise: Pairwise
    taken: tuple[Float32, ...]
    strength: tuple[Float32, ...]
    given: tuple[Float32, ...] | None

    @classmethod
    def of(
        cls, width: int, bounded: bool, pairwise: Pairwise, weights: Sequence[Sequence[float]], scales: Scales
    ) -> PassArguments:
        """For inferences with several `weights` side by side, each in `width` lanes."""
        strength = tuple(
            np.repeat(np.array(term, np.float64) * gain, width).astype(np.float32)
            for term, gain in zip(np.transpose(weights), pairwise.gains, strict=True)
        )
        parts_of = vector.parts_of
        return cls(parts_of(len(weights) * width), parts_of(width), bounded, pairwise, scales[1], strength, scales[0])

    @property
    def stride(self) -> int:
        """The lanes of a row."""
        return len(self.parts) * vector.LANES

    def messages(self, values: tuple[Float32, ...] | None) -> tuple[Any, ...]:
        """The arguments of the passes for slicing from `values`."""
        return self.pairwise.simplices, self.taken, self.strength, values

    def narrowed(self, width: int) -> PassArguments:
        """The same for one inference in the first `width` lanes."""
        parts = vector.parts_of(width)
        return self._replace(parts=parts, group=parts, strength=tuple(term[:width] for term in self.strength))


class _Results:
    """The values of all groups after the last iteration; labels are computed for all groups at once, on first use."""

    def __init__(self, field: MeanField, lanes: Lanes, run: PassArguments, values: Values | None) -> None:
        self.field, self.lanes, self.run, self.values, self._number = field, lanes, run, values, field.runs

    def check(self) -> None:
        """Raise RuntimeError if another run has used the buffers since."""
        if self._number != self.field.runs:
            raise RuntimeError("these beliefs are no longer available: their MeanField has run again since")

    @cached_property
    def labels(self) -> NDArray[np.integer]:
        """(groups, N)."""
        run, lanes, shape = self.run, self.lanes, self.field.shape
        groups, kind = len(run.parts) // len(run.group), np.uint8 if shape[0] <= 256 else np.int32
        labels: NDArray = np.empty((groups, self.field.pixels), kind)
        messages = run.messages(self.values)
        passes.write_labels(
            run.parts, run.group, run.pairwise.corners, lanes.logits, *messages, lanes.label_of, labels
        )
        if lanes.merged and (labels == lanes.label_of[-1]).any():
            return self.maps(0).argmax(axis=0)[None].astype(kind)
        return labels

    def maps(self, group: int) -> Float32:
        """Q (C, N) of one group."""
        run, lanes = self.run, self.lanes
        maps = np.empty((self.field.shape[0], self.field.pixels), np.float32)
        shares = np.empty(self.field.pixels if lanes.dropped.size else 0, np.float32)
        passes.write_maps(
            *(run.parts, run.group, run.pairwise.corners, run.bounded, lanes.logits, lanes.rest),
            *(*run.messages(self.values), group, lanes.kept, maps, shares),
        )
        if shares.size:
            buffers.divide_shares(lanes.unary, lanes.dropped, shares, maps)
        return maps


class Beliefs:
    """The result of one run of a MeanField; the last step is computed when probabilities or labels are asked for.

    The result is in the buffers of its MeanField: after the next run there, its methods raise RuntimeError.
    """

    def __init__(self, results: _Results, group: int) -> None:
        self._results, self._group = results, group

    def probabilities(self) -> Float32:
        """Q (C, H, W), which sums to 1 over the classes. Beliefs below e^-20 times the largest may be exactly 0."""
        self._results.check()
        return self._results.maps(self._group).reshape(self._results.field.shape)

    def labels(self) -> NDArray[np.integer]:
        """(H, W): the class of the largest belief, the first of equals; uint8 for up to 256 classes, else int32."""
        self._results.check()
        return self._results.labels[self._group].reshape(self._results.field.shape[1:])


class MeanField:
    """Inference on one image: the unary is arranged once, then any lattices and weights can be tried on it.

    Classes that have become negligible (see `Lanes.negligible`) are computed as one for the rest of a run. This changes
    beliefs by a rounding error; those of the merged classes are what their unaries tell without messages.

    An instance reuses its buffers between runs, so use one per thread; the lattices may be shared.

    Args:
        unary: energies (C, H, W), -log probability up to a constant per pixel.
        compact: classes whose probability by the unary is nowhere above this times the pixel's largest send no
            messages; see `active_classes`.
        merge: whether negligible classes are merged.

    Raises:
        InputError: `compact` is not from 0 to below 1.
    """

    def __init__(self, unary: Float32, compact: float = 0.0, *, merge: bool = True) -> None:
        check_compact(compact)
        classes, height, width = unary.shape
        self.shape, self.pixels = (classes, height, width), height * width
        unary = np.ascontiguousarray(unary, dtype=np.float32).reshape(classes, self.pixels)
        self.lanes = Lanes.of(unary, active_classes(unary, compact) if compact else np.arange(classes))
        self._merges = merge and self.lanes.width > vector.LANES and not self.lanes.dropped.size
        self._spaces: dict[str, Float32] = {}
        self.runs = 0

    @property
    def kept(self) -> NDArray[np.intp]:
        """The classes that send messages."""
        return self.lanes.kept

    @property
    def nbytes(self) -> int:
        """The bytes of memory of the unary and of the buffers that runs have taken."""
        return self.lanes.unary.nbytes + self.lanes.nbytes + sum(space.nbytes for space in self._spaces.values())

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
        scales = (pairwise.scale(before) if any(before) else None, pairwise.scale(after))
        # The first iteration does not depend on the weights; it is lost if something else ran in between.
        started: dict[int, Values] = {}
        number = self.runs
        for bounded, some in self._side_by_side(weights, after):
            run = PassArguments.of(self.lanes.width, bounded, pairwise, some, scales)
            if iterations and (run.stride not in started or self.runs != number):
                started = {run.stride: self._advance(self.lanes, run, None, "first")}
            lanes, run, values = self._finish(run, started.get(run.stride), iterations)
            number = self.runs = self.runs + 1
            results = _Results(self, lanes, run, values)
            for group in range(len(some)):
                yield Beliefs(results, group)

    def _side_by_side(
        self, weights: Sequence[Sequence[float]], powers: Sequence[float]
    ) -> Iterator[tuple[bool, list[Sequence[float]]]]:
        """Weights that run together, and whether their logits are bounded, so that exp needs no shift.

        A message that is divided by its mass is a mean of beliefs, so it is at most the term's weight. Where classes
        may be merged each run is alone.
        """
        means = set(powers) == {-1.0}
        for bounded, same in groupby(weights, lambda w: means and min(w) >= 0 and sum(w) <= _MOST_EXPONENT):
            alike = list(same)
            most = 1 if bounded and self._merges else max(1, _MOST_LANES // self.lanes.width)
            yield from ((bounded, alike[first : first + most]) for first in range(0, len(alike), most))

    def _finish(
        self, run: PassArguments, values: Values | None, iterations: int
    ) -> tuple[Lanes, PassArguments, Values | None]:
        """The iterations after the first. Returns what the last step slices from, and how."""
        merges = self._merges and run.bounded
        for iteration in range(1, iterations):
            left = iterations - 1 - iteration
            noted = merges and left > 1 and iteration <= _MERGED_WITHIN
            effects = np.zeros(run.stride, np.float32) if noted else None
            values = self._advance(self.lanes, run, values, ("even", "odd")[iteration % 2], effects)
            kept = None if effects is None else self.lanes.negligible(effects)
            if kept is not None:
                if merged := self._finish_merged(kept, run, values, left):
                    return merged
                merges = False  # what did not stay negligible once hardly does so later
        return self.lanes, run, values

    def _finish_merged(
        self, kept: NDArray[np.intp], run: PassArguments, values: Values, left: int
    ) -> tuple[Lanes, PassArguments, Values] | None:
        """The iterations that are left, with all classes but `kept` as one; None if these become too important."""
        width = lanes_for(kept.size + 1)
        lanes = self.lanes.merge(kept, self._space("merged logits", self.pixels * width))
        run = run.narrowed(width)
        narrow = run.pairwise.values(self._space("merged even", sum(run.pairwise.rows) * width), width)
        for part, target in zip(values, narrow, strict=True):
            self.lanes.merge_rows(kept, part, target)
        values = narrow
        for number in range(left):
            effects = np.zeros(width, np.float32)
            values = self._advance(lanes, run, values, ("merged odd", "merged even")[number % 2], effects)
            if effects[kept.size] > MOST_EFFECT:
                return None
        last = passes.last_effect(
            *(run.parts, run.pairwise.corners, lanes.logits, *run.messages(values), kept.size, np.float32(MOST_EFFECT))
        )
        return (lanes, run, values) if last <= MOST_EFFECT else None

    def _advance(
        self, lanes: Lanes, run: PassArguments, values: Values | None, to: str, effects: Float32 | None = None
    ) -> Values:
        """Slice from `values`, softmax, splat into the space `to`, blur."""
        pairwise = run.pairwise
        splatted = pairwise.values(self._space(to, sum(pairwise.rows) * run.stride), run.stride)
        passes.step(
            *(run.parts, run.group, pairwise.corners, run.bounded, lanes.logits, lanes.rest, pairwise.simplices),
            *(pairwise.reached, run.taken, run.strength, run.given, values, splatted, effects),
        )
        pairwise.blur(run.parts, splatted)
        return splatted

    def _space(self, name: str, size: int) -> Float32:
        """An array of that size that is kept for the next time."""
        if name not in self._spaces or self._spaces[name].size < size:
            self._spaces[name] = aligned(size)
        return self._spaces[name][:size]


def active_classes(unary: Float32, eps: float) -> NDArray[np.intp]:
    """The classes of `unary` (C, N) that are somewhere more probable than `eps` times the pixel's most probable class.

    Compaction keeps these. The other classes send no messages but stay in each softmax; their belief is at most eps,
    and the largest belief is that of a kept class. With all classes, messages that are means ("after") and W = w1 + w2,
    the belief x of a dropped class would satisfy x <= eps * exp(W * x): at most e * eps while W * eps <= 1 / e, so a
    logit lacks at most e * W * eps in an iteration. Above that there is no bound.
    """
    return np.flatnonzero(buffers.least_excess(unary) < -np.log(eps))
