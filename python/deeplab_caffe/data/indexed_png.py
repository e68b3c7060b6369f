"""Read and write PNGs of class indices, without converting them to colours.

OpenCV converts a palette to colours, and Pillow holds Python's global lock while it decodes, so that threads that read
labels wait for each other. zlib releases the lock, and is all that the usual files need. Unusual files are left to
OpenCV and Pillow. `IndexedPngWriter` writes label maps that are too large for the memory.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from ..arrays import NDArray, Palette
from ..lazy import imported_on_use

if TYPE_CHECKING:
    import numpy as np
else:
    np = imported_on_use("numpy")

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, INDEXED = 0, 3
_NONE, _SUB, _UP = 0, 1, 2
#: larger images are left to Pillow, which refuses those that would fill the memory; OpenCV's limit is the same
_MOST_PIXELS = 1 << 30


class Header(NamedTuple):
    """The header of a PNG: size in pixels, bits per sample, colour type, and whether it is interlaced."""

    width: int
    height: int
    depth: int
    colour: int
    interlaced: int


def read_header(data: bytes) -> Header | None:
    """The header of a PNG; None if the bytes are not a PNG."""
    if len(data) < 33 or data[:8] != SIGNATURE or data[12:16] != b"IHDR":
        return None
    width, height, depth, colour, _, _, interlaced = struct.unpack_from(">IIBBBBB", data, 16)
    return Header(width, height, depth, colour, interlaced)


def read_palette(data: bytes) -> NDArray[np.uint8] | None:
    """The colours (K, 3) of a PNG's palette, from its first bytes; None if it has none there."""
    place = 8
    while place + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        if kind == b"IDAT":
            return None
        if kind == b"PLTE":
            colours = np.frombuffer(data[place + 8 : place + 8 + length], np.uint8)
            return colours[: colours.size // 3 * 3].reshape(-1, 3)
        place += 12 + length
    return None


def decode_indices(data: bytes) -> NDArray[np.uint8] | None:
    """The samples (H, W) of a palette or grey PNG of 8 bits; None if it is another kind, unusual or damaged.

    Raises:
        ValueError: it has more or fewer samples than its size requires, which other readers accept.
    """
    header = read_header(data)
    if header is None or (header.depth, header.interlaced) != (8, 0) or header.colour not in (GREY, INDEXED):
        return None
    if not 0 < header.width * header.height <= _MOST_PIXELS:
        return None
    size = header.height * (header.width + 1)
    packed = _pixel_bytes(data)
    try:
        unpacker = zlib.decompressobj()
        rows = unpacker.decompress(packed or b"", size + 1)
    except zlib.error:
        return None
    if not unpacker.eof and len(rows) <= size:
        return None
    if len(rows) != size:
        more_or_less = "more" if len(rows) > size else "less"
        raise ValueError(f"it has {more_or_less} data than {header.width}×{header.height} pixels need")
    return _without_filters(np.frombuffer(rows, np.uint8).reshape(header.height, header.width + 1))


def _pixel_bytes(data: bytes) -> bytes | None:
    """The content of the IDAT chunks; None if a chunk is truncated or its checksum is wrong."""
    place = 8
    parts: list[bytes] = []
    while place + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, place)
        body, end = place + 8, place + 8 + length
        kind = data[place + 4 : body]
        if end + 4 > len(data) or zlib.crc32(data[place + 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
            return None
        if kind == b"IEND":
            return b"".join(parts)
        if kind == b"IDAT":
            parts.append(data[body:end])
        place = end + 4
    return None


def _without_filters(rows: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """The samples of rows that begin with the number of their filter; None for filters that need a loop over pixels."""
    kinds, samples = set(rows[:, 0].tolist()), rows[:, 1:]
    if kinds == {_NONE}:
        return np.ascontiguousarray(samples)
    if kinds == {_SUB}:
        return np.cumsum(samples, axis=1, dtype=np.uint8)
    if kinds == {_UP}:
        return np.cumsum(samples, axis=0, dtype=np.uint8)
    return None


class IndexedPngWriter:
    """Writes rows of class indices, from the top, as a PNG of 8 bits with a palette; `close` completes the file."""

    def __init__(self, file: BinaryIO, height: int, width: int, palette: Palette) -> None:
        """`palette`: (K, 3) RGB, K <= 256."""
        self._file, self._packer = file, zlib.compressobj(6)
        file.write(SIGNATURE)
        self._chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, INDEXED, 0, 0, 0))
        self._chunk(b"PLTE", palette.astype(np.uint8).tobytes())

    def write(self, rows: NDArray[np.uint8]) -> None:
        """Append rows (h, width)."""
        filtered = np.zeros((rows.shape[0], rows.shape[1] + 1), np.uint8)  # each row begins with its filter: none
        filtered[:, 1:] = rows
        self._data(self._packer.compress(filtered.data))

    def close(self) -> None:
        """Write the remaining data and the end of the file."""
        self._data(self._packer.flush())
        self._chunk(b"IEND", b"")

    def _data(self, packed: bytes) -> None:
        if packed:
            self._chunk(b"IDAT", packed)

    def _chunk(self, kind: bytes, data: bytes) -> None:
        self._file.write(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))
