"""Arrays that stay on disk: .npy files, and the values behind another format's header, mapped and not read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..errors import InputError


def open_npy(path: Path, what: str) -> NDArray[Any]:
    """The array of a .npy. `what` it should hold is for the message. Raises InputError that names the file."""
    try:
        return np.lib.format.open_memmap(path, mode="r")
    except (OSError, ValueError) as error:
        raise _unreadable(path, what, error) from None


def map_values(path: Path, what: str, dtype: DTypeLike, offset: int, shape: tuple[int, ...]) -> NDArray[Any]:
    """Values from the byte `offset` on. Raises InputError that names the file."""
    try:
        return np.memmap(path, dtype, "r", offset, shape)
    except (OSError, ValueError) as error:
        raise _unreadable(path, what, error) from None


def _unreadable(path: Path, what: str, error: Exception) -> InputError:
    reason = getattr(error, "strerror", None) or str(error)
    if "mmap length" in reason:
        reason = f"it is cut off, at {path.stat().st_size} bytes"
    elif "magic string" in reason:
        reason = "it is no .npy file"
    return InputError(f"{path}: cannot {what}: {reason}")
