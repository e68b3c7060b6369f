"""DeepLab's .bin files: three int32 (rows, columns, channels), then the values with the row index fastest.

The file does not state its values' type: its size tells float32 from double. DeepLab's scripts write float32
probabilities for the CRF program, which writes int16 labels. Source: `SaveMatAsBin` and `densecrf` of DeepLab.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..files import replacing, reserve

_HEADER = 12
_FLOATS = ("<f4", "<f8")


def open_bin(path: str | os.PathLike[str], dtype: str | None = None) -> NDArray[Any]:
    """The values (channels, rows, columns), mapped and not read; float32 or double by the file's size.

    `dtype`, such as "<i2" for the labels that the CRF program writes, states the type instead.
    Raises InputError for a file whose size is not what its header says.
    """
    name = os.fspath(path)
    try:
        size = Path(path).stat().st_size
        header = np.fromfile(path, "<i4", 3)
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror}") from None
    if header.size < 3 or header.min() < 1:
        raise InputError(f"{name}: no .bin file: it must begin with rows, columns and channels as three int32")
    rows, columns, channels = (int(n) for n in header)
    count = rows * columns * channels
    wanted: list[np.dtype[Any]] = [np.dtype(name) for name in ([dtype] if dtype else _FLOATS)]
    found = next((kind for kind in wanted if size == _HEADER + count * kind.itemsize), None)
    if found is None:
        raise InputError(
            f"{name}: {size} bytes; {rows} x {columns} x {channels} values of {' or '.join(map(str, wanted))} need "
            f"{' or '.join(str(_HEADER + count * kind.itemsize) for kind in wanted)}: it is cut off, or of another type"
        )
    values = np.memmap(path, found, "r", _HEADER, (rows, columns, channels), "F")
    return values.transpose(2, 0, 1)


def map_bin(
    path: str | os.PathLike[str], shape: tuple[int, int, int], dtype: str, mode: Literal["r+", "w+"] = "r+"
) -> NDArray[Any]:
    """A file of `shape` (channels, rows, columns), mapped for writing; "w+" makes it."""
    channels, rows, columns = shape
    if mode == "w+":
        with open(path, "wb") as file:
            np.array([rows, columns, channels], "<i4").tofile(file)
        reserve(path, _HEADER + rows * columns * channels * np.dtype(dtype).itemsize)
    return np.memmap(path, dtype, "r+", _HEADER, (rows, columns, channels), "F").transpose(2, 0, 1)


def write_bin(path: str | os.PathLike[str], values: NDArray[Any], dtype: str) -> None:
    """Write values (channels, rows, columns), whole or not at all."""
    with replacing(path) as temporary:
        map_bin(temporary, (values.shape[0], values.shape[1], values.shape[2]), dtype, "w+")[:] = values
