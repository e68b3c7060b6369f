"""The files that a batch writes: label maps and probabilities, in one piece or part by part."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ...arrays import Float32, Palette, Size
from ...data.bin_files import map_bin
from ...data.indexed_png import IndexedPngWriter
from ...data.labels import voc_palette
from ...files import replacing, reserve
from .regions import Region

Probabilities = Float32 | None


class Output(Protocol):
    """A file that is written part by part, in bands of rows from the top."""

    def begin_band(self, height: int) -> None:
        """Begin the next `height` rows."""

    def put(self, part: Region, labels: NDArray[Any], probabilities: Probabilities) -> None:
        """Write the labels (h, w) of a part, and its probabilities (C, h, w) if they are needed; from any thread."""

    def end_band(self) -> None:
        """All parts of these rows have been written."""


class _Png:
    """Labels as an indexed PNG; a band of rows is kept in memory."""

    def __init__(self, path: Path, size: Size, palette: Palette) -> None:
        self._file = path.open("wb")
        self._stream = IndexedPngWriter(self._file, *size, palette)
        self._band = np.empty((0, size[1]), np.uint8)

    def begin_band(self, height: int) -> None:
        self._band = np.empty((height, self._band.shape[1]), np.uint8)

    def put(self, part: Region, labels: NDArray[Any], probabilities: Probabilities) -> None:
        self._band[:, part.left : part.right] = labels

    def end_band(self) -> None:
        self._stream.write(self._band)

    def close(self) -> None:
        self._stream.close()
        self._file.close()


class _Mapped:
    """Values (C, H, W), or labels (1, H, W), in a file; mapped again for each part, so that no pages stay in memory."""

    def __init__(self, path: Path, shape: tuple[int, int, int], dtype: str, labels: bool) -> None:
        self._path, self._shape, self._dtype, self._labels = path, shape, dtype, labels
        self._map("w+")

    def begin_band(self, height: int) -> None:
        pass

    def put(self, part: Region, labels: NDArray[Any], probabilities: Probabilities) -> None:
        self._map("r+")[(slice(None), *part.slices)] = labels if self._labels else probabilities

    def _map(self, mode: Literal["r+", "w+"]) -> NDArray[Any]:
        if self._labels:
            return map_bin(self._path, self._shape, self._dtype, mode)
        new = {"dtype": np.dtype(self._dtype), "shape": self._shape} if mode == "w+" else {}
        values = np.lib.format.open_memmap(self._path, mode, **new)
        if new:
            reserve(self._path, self._path.stat().st_size)
        return values

    def end_band(self) -> None:
        pass

    def close(self) -> None:
        pass


#: the formats of results
FORMATS = {
    "png": "labels as a PNG with the palette's colours",
    "npy": "probabilities (C, H, W), float32",
    "bin": "labels as DeepLab's CRF program writes them, int16",
}


@contextlib.contextmanager
def outputs(
    stem: Path, formats: tuple[str, ...], size: Size, classes: int, palette: Palette | None
) -> Iterator[list[Output]]:
    """The files `<stem>.<format>`; they get their names when the block has succeeded."""
    with contextlib.ExitStack() as stack:
        opened: list[Any] = []
        for name in formats:
            path = stack.enter_context(replacing(stem.with_name(f"{stem.name}.{name}")))
            opened.append(stack.enter_context(contextlib.closing(_open(name, path, size, classes, palette))))
        yield opened


def _open(name: str, path: Path, size: Size, classes: int, palette: Palette | None) -> _Png | _Mapped:
    if name == "bin":
        return _Mapped(path, (1, *size), "<i2", labels=True)
    if name == "npy":
        return _Mapped(path, (classes, *size), "<f4", labels=False)
    colours = voc_palette()
    if palette is not None:
        colours[: len(palette)] = palette
    return _Png(path, size, colours)
