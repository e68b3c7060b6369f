"""Memory-mapped arrays: .npy files, and values behind the header of another format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..errors import InputError


def open_npy(path: Path, what: str) -> NDArray[Any]:
    """Memory-map a .npy file; raises InputError `cannot <what>`, which names the file."""
    try:
        return np.lib.format.open_memmap(path, mode="r")
    except (OSError, ValueError) as error:
        raise _unreadable(path, what, error) from None


def map_values(path: Path, what: str, dtype: DTypeLike, offset: int, shape: tuple[int, ...]) -> NDArray[Any]:
    """Memory-map values from byte `offset` on; raises InputError `cannot <what>`, which names the file."""
    try:
        return np.memmap(path, dtype, "r", offset, shape)
    except (OSError, ValueError) as error:
        raise _unreadable(path, what, error) from None


def _unreadable(path: Path, what: str, error: Exception) -> InputError:
    reason = getattr(error, "strerror", None) or str(error)
    if "mmap length" in reason:
        reason = f"truncated, at {path.stat().st_size} bytes"
    elif "magic string" in reason:
        reason = "not a .npy file"
    return InputError(f"{path}: cannot {what}: {reason}")
