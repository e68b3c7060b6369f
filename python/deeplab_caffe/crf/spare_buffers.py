"""Large float32 buffers that the next image uses again.

The C library gives large arrays back to the system when they are freed, and a worker thread's ones even if they are
smaller. New ones then cost a page fault for each page, which takes longer than a pass over the values.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..arrays import Float32

_LEAST, _MOST = 2**18, 2**24  # values of a buffer that is kept: 1 to 64 MiB
_KEPT = 6  # what two threads need: logits and two sets of vertices each


class SpareBuffers:
    """Buffers that are not in use, the latest `kept` of them. Threads may share it."""

    def __init__(self, kept: int = _KEPT) -> None:
        self._kept = kept
        # By id; each use of it is one atomic operation, as a finalizer may interrupt any method.
        self._spare: dict[int, Float32] = {}

    def take(self, size: int) -> Float32:
        """An aligned array of at least `size` values, which may be anything."""
        for buffer in sorted(self._spare.copy().values(), key=lambda spare: spare.size):
            if buffer.size >= size >= _LEAST and self._spare.pop(id(buffer), None) is not None:
                return buffer
        return aligned(size)

    def give(self, buffers: Iterable[Float32]) -> None:
        """Keep `buffers`, which nobody uses any more, unless they are very small or very large."""
        self._spare.update((id(buffer), buffer) for buffer in buffers if _LEAST <= buffer.size <= _MOST)
        for number in list(self._spare)[: -self._kept]:
            self._spare.pop(number, None)


def aligned(size: int) -> Float32:
    """An array that begins at a cache line, so that no vector crosses two lines."""
    space = np.empty(size + 16, np.float32)
    start = (-(space.ctypes.data >> 2)) & 15
    return space[start : start + size]


#: of all inferences of this process
SPARE = SpareBuffers()
