"""Memory for large results that is used again and again, so that passes neither ask the system for it nor grow.

What is freed to the C library comes back in pieces: small objects are put into the gaps, and in the next pass a large
result finds no room there again.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence
from math import prod

import torch


class Buffers:
    """Blocks of float32 on the CPU. A block is free again when no tensor or array lies in it any more."""

    def __init__(self) -> None:
        self._free: list[torch.Tensor] = []
        self._lock = threading.RLock()  # a block may be freed while another is looked for

    def empty(self, count: int) -> torch.Tensor:
        """Uninitialized, flat, at an address that vectors of 64 bytes divide."""
        block = self._taken(count)
        values = block.numpy()[:count]
        weakref.finalize(values, self._give_back, block)
        return torch.from_numpy(values)

    def image(self, shape: Sequence[int]) -> torch.Tensor:
        """Uninitialized (N, C, H, W) in channels_last."""
        images, channels, height, width = shape
        return self.empty(prod(shape)).view(images, height, width, channels).permute(0, 3, 1, 2)

    def _taken(self, count: int) -> torch.Tensor:
        """The smallest free block that is large enough, or a new one, in place of those that are too small."""
        with self._lock:
            fitting = [block for block in self._free if block.numel() >= count]
            if fitting:
                best = min(fitting, key=torch.Tensor.numel)
                self._free = [block for block in self._free if block is not best]
                return best
            self._free.clear()
        return torch.empty(count)

    def _give_back(self, block: torch.Tensor) -> None:
        with self._lock:
            self._free.append(block)


#: those of all plans of the process
buffers = Buffers()
