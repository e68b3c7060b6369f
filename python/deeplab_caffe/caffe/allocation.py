"""How the process gets memory for large tensors, on Linux.

Layers allocate and free tens of megabytes each. The C library gives such memory back to the system at once and asks for
it again for the next layer, and the system clears it page by page: that takes longer than many layers do.
"""

from __future__ import annotations

import ctypes
import os
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_MOST, _MOST_OF_OLD = 2**31 - 1, 2**25
_STATED = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES")


def keep_freed_memory() -> None:
    """Let PyTorch ask for huge pages, and glibc keep what is freed for the next tensor.

    Unless the environment says something else; without effect on other systems and with other allocators. Without huge
    pages nothing is kept: tensors are aligned to them, and at smaller steps glibc before 2.38 finds no room again in
    what it kept.
    """
    huge = os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # read before PyTorch's first tensor is made
    if sys.platform != "linux" or huge != "1" or any(name in os.environ for name in _STATED):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # another C library
        return
    # Older ones refuse thresholds above 32 MiB; the second alone would stop them from raising the first themselves.
    if mallopt(_MMAP_THRESHOLD, _MOST) or mallopt(_MMAP_THRESHOLD, _MOST_OF_OLD):
        mallopt(_TRIM_THRESHOLD, -1)
