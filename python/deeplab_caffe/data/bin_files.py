"""DeepLab's .bin files: three int32 (rows, columns, channels), then the values with the row index fastest.

The file does not have the type of its values; float32 and double are distinguished by the file's size. DeepLab's
scripts write float32 probabilities for the CRF program, which writes int16 labels. Mirrors `SaveMatAsBin` and
`densecrf` of DeepLab.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..files import replacing, reserve
from ..reading import reading

_HEADER = 12
_FLOATS = ("<f4", "<f8")


def open_bin(path: str | os.PathLike[str], dtype: str | None = None) -> NDArray[Any]:
    """The values (channels, rows, columns) of a file, memory-mapped.

    Args:
        path: the file.
        dtype: the type of the values, such as "<i2" for labels of the CRF program; None decides between float32 and
            double by the file's size.

    Raises:
        InputError: the file cannot be read, or its size does not match its header.
    """
    name = os.fspath(path)
    with reading(path):
        size = Path(path).stat().st_size
        header = np.fromfile(path, "<i4", 3)
    if header.size < 3 or header.min() < 1:
        raise InputError(f"{name}: not a .bin file: expected rows, columns and channels as three int32 at its start")
    rows, columns, channels = (int(n) for n in header)
    count = rows * columns * channels
    expected: list[np.dtype[Any]] = [np.dtype(name) for name in ([dtype] if dtype else _FLOATS)]
    found = next((kind for kind in expected if size == _HEADER + count * kind.itemsize), None)
    if found is None:
        raise InputError(
            f"{name}: truncated, or values of another type: it has {size} bytes, but {rows} x {columns} x {channels} "
            f"values of {' or '.join(map(str, expected))} need "
            f"{' or '.join(str(_HEADER + count * kind.itemsize) for kind in expected)}"
        )
    with reading(path):
        values = np.memmap(path, found, "r", _HEADER, (rows, columns, channels), "F")
    return values.transpose(2, 0, 1)


def map_bin(
    path: str | os.PathLike[str], shape: tuple[int, int, int], dtype: str, mode: Literal["r+", "w+"] = "r+"
) -> NDArray[Any]:
    """A file of `shape` (channels, rows, columns), memory-mapped for writing; mode "w+" creates it."""
    channels, rows, columns = shape
    if mode == "w+":
        with open(path, "wb") as file:
            np.array([rows, columns, channels], "<i4").tofile(file)
        reserve(path, _HEADER + rows * columns * channels * np.dtype(dtype).itemsize)
    return np.memmap(path, dtype, "r+", _HEADER, (rows, columns, channels), "F").transpose(2, 0, 1)


def write_bin(path: str | os.PathLike[str], values: NDArray[Any], dtype: str) -> None:
    """Write values (channels, rows, columns) as a .bin file, whole or not at all."""
    with replacing(path) as temporary:
        map_bin(temporary, (values.shape[0], values.shape[1], values.shape[2]), dtype, "w+")[:] = values
