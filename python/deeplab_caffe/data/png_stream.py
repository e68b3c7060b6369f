"""An indexed PNG written a few rows at a time, for label maps that are too large to hold."""

from __future__ import annotations

import struct
import zlib
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from .labels import Palette
from .png import PALETTE, SIGNATURE


class PngStream:
    """Writes rows of class indices, from the top, as a PNG of 8 bits with a palette; `close` ends the file."""

    def __init__(self, file: BinaryIO, height: int, width: int, palette: Palette) -> None:
        """`palette`: (K, 3) RGB, K <= 256."""
        self._file, self._packer = file, zlib.compressobj(6)
        file.write(SIGNATURE)
        self._chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, PALETTE, 0, 0, 0))
        self._chunk(b"PLTE", palette.astype(np.uint8).tobytes())

    def write(self, rows: NDArray[np.uint8]) -> None:
        """Append rows (h, width)."""
        filtered = np.zeros((rows.shape[0], rows.shape[1] + 1), np.uint8)  # each row begins with its filter, none
        filtered[:, 1:] = rows
        self._data(self._packer.compress(filtered.data))

    def close(self) -> None:
        """Write what is still packed, and the end."""
        self._data(self._packer.flush())
        self._chunk(b"IEND", b"")

    def _data(self, packed: bytes) -> None:
        if packed:
            self._chunk(b"IDAT", packed)

    def _chunk(self, kind: bytes, data: bytes) -> None:
        self._file.write(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))
