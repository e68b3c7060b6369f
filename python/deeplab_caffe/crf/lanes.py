"""Which classes stand in the lanes of a row of values, and how the others are accounted for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32
from ..lazy import imported_on_use

if TYPE_CHECKING:
    from ..kernels import mean_field_buffers as buffers
    from ..kernels import vector
else:
    buffers = imported_on_use("deeplab_caffe.kernels.mean_field_buffers")
    vector = imported_on_use("deeplab_caffe.kernels.vector")

#: classes are merged while their messages change no belief by more than this
MOST_EFFECT = 2.0**-16
_NONE = np.empty(0, np.float32)


class Lanes:
    """The logits of one image's pixels in rows of lanes, a multiple of eight.

    Classes without a lane send and receive no messages, but have their part in every softmax: either as a sum that is
    added to each pixel's (`rest`), or, merged, as one more class in the lane behind the kept ones.
    """

    def __init__(self, unary: Float32, kept: NDArray[np.intp], logits: Float32, *, merged: bool = False) -> None:
        #: energies (C, N)
        self.unary = unary
        #: the classes in the lanes, ascending
        self.kept = kept
        self.dropped = np.setdiff1d(np.arange(len(unary)), kept)
        #: (N * width,)
        self.logits = logits
        self.width = logits.size // unary.shape[1]
        self.merged = merged
        self.rest: Float32 = _NONE
        if self.dropped.size and not merged:
            self.rest = np.empty(unary.shape[1], np.float32)
            buffers.fill_rest(unary, self.dropped, self.rest)

    @classmethod
    def of(cls, unary: Float32, kept: NDArray[np.intp]) -> Lanes:
        """Rows for the `kept` classes of energies (C, N)."""
        width = lanes_for(kept.size)
        logits = aligned(unary.shape[1] * width)
        buffers.fill_logits(unary, kept, width, logits)
        return cls(unary, kept, logits)

    def negligible(self, effects: Float32) -> NDArray[np.intp] | None:
        """The classes to keep if others can be merged and rows get shorter; None if not, or if no message matters.

        effects: (width,), each lane's largest product of a belief and the message in it, which is what the message adds
        to the belief, to first order. Their sum bounds what the merged classes' messages add to all of their beliefs.
        """
        order = np.argsort(-effects[: self.kept.size], kind="stable")
        together = np.cumsum(effects[order][::-1], dtype=float)[::-1]
        least = np.count_nonzero(together > MOST_EFFECT)
        if not least:
            return None  # classes of equal beliefs would no longer be told apart by their order
        width = lanes_for(least + 1)
        return np.sort(order[: width - 1]) if width < self.width else None

    def merge(self, kept: NDArray[np.intp], logits: Float32) -> Lanes:
        """Lanes for `kept` and one for all others, whose logits are written to `logits`."""
        self.merge_rows(kept, self.logits, logits, logarithms=True)
        return Lanes(self.unary, kept, logits, merged=True)

    def merge_rows(self, kept: NDArray[np.intp], rows: Float32, target: Float32, *, logarithms: bool = False) -> None:
        """Rows of all lanes as rows of those of `kept`, and the sum of the others, or its logarithm."""
        mask = np.zeros(self.width, np.float32)
        mask[: self.kept.size] = 1
        mask[kept] = 0
        parts, width = vector.parts_of(self.width), lanes_for(kept.size + 1)
        buffers.merge_rows(parts, rows, kept, mask, width, logarithms, target)

    @property
    def label_of(self) -> NDArray[np.intp]:
        """The class that each lane stands for; one of the merged classes for all of them."""
        return np.append(self.kept, self.dropped[0]) if self.merged else self.kept

    @property
    def nbytes(self) -> int:
        """The bytes of memory of the logits and of what is added to them."""
        return self.logits.nbytes + self.rest.nbytes


def lanes_for(classes: int) -> int:
    """The lanes of a row for so many classes."""
    return -(-classes // vector.LANES) * vector.LANES


def aligned(size: int) -> Float32:
    """An array that begins at a cache line, so that no vector crosses two lines."""
    space = np.empty(size + 16, np.float32)
    start = (-(space.ctypes.data >> 2)) & 15
    return space[start : start + size]
