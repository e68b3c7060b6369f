"""Memory-mapped arrays: .npy files, and values behind the header of another format."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..arrays import NDArray
from ..errors import InputError
from ..lazy import imported_on_use
from ..reading import reading

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import DTypeLike
else:
    np = imported_on_use("numpy")


def open_npy(path: Path, what: str) -> NDArray[Any]:
    """Memory-map a .npy file; raises InputError `cannot <what>`, which names the file."""
    with _reading(path, what):
        return np.lib.format.open_memmap(path, mode="r")


def map_values(path: Path, what: str, dtype: DTypeLike, offset: int, shape: tuple[int, ...]) -> NDArray[Any]:
    """Memory-map values from byte `offset` on; raises InputError `cannot <what>`, which names the file."""
    with _reading(path, what):
        return np.memmap(path, dtype, "r", offset, shape)


@contextmanager
def _reading(path: Path, what: str) -> Iterator[None]:
    """As `reading`, with NumPy's messages in plain words."""
    try:
        with reading(path, damaged=f"cannot {what}", cannot=f"{{path}}: cannot {what}: {{reason}}"):
            yield
    except InputError as error:
        reason = str(error.__cause__)
        if "mmap length" in reason or "larger than file size" in reason:
            raise InputError(f"{path}: cannot {what}: truncated, at {path.stat().st_size} bytes") from None
        if "magic string" in reason:
            raise InputError(f"{path}: cannot {what}: not a .npy file") from None
        raise
