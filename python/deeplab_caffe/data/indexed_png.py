"""The bytes of a PNG of class indices, decoded without a detour through colours.

OpenCV turns a palette into colours, and Pillow holds Python's lock while it decodes, so that threads that read labels
wait for each other. zlib does not, and how palettes are stored leaves nothing else to do. Whatever is unusual is left
to those two.
"""

from __future__ import annotations

import struct
import zlib
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Palette

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, INDEXED = 0, 3
_NONE, _SUB, _UP = 0, 1, 2
#: larger pictures are left to Pillow, which refuses what would fill the memory; OpenCV draws the line here, too
_MOST_PIXELS = 1 << 30


class Header(NamedTuple):
    """What a PNG says of itself: size in pixels, bits per sample, colour type, whether it is interlaced."""

    width: int
    height: int
    depth: int
    colour: int
    interlaced: int


def read_header(data: bytes) -> Header | None:
    """The header of a PNG; None for bytes that begin otherwise."""
    if len(data) < 33 or data[:8] != SIGNATURE or data[12:16] != b"IHDR":
        return None
    width, height, depth, colour, _, _, interlaced = struct.unpack_from(">IIBBBBB", data, 16)
    return Header(width, height, depth, colour, interlaced)


def decode_indices(data: bytes) -> NDArray[np.uint8] | None:
    """The samples (H, W) of a palette or grey PNG of 8 bits; None where it is another kind, unusual or damaged.

    Raises ValueError where it holds more or fewer samples than its size says, which other readers let pass.
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
        raise ValueError(f"its data are {more_or_less} than {header.width}×{header.height} pixels take")
    return _without_filters(np.frombuffer(rows, np.uint8).reshape(header.height, header.width + 1))


def _pixel_bytes(data: bytes) -> bytes | None:
    """What the IDAT chunks hold; None where a chunk is cut short or its checksum is wrong."""
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
    """Samples from rows that begin with the number of their filter; None for filters that go pixel by pixel."""
    kinds, samples = set(rows[:, 0].tolist()), rows[:, 1:]
    if kinds == {_NONE}:
        return np.ascontiguousarray(samples)
    if kinds == {_SUB}:
        return np.cumsum(samples, axis=1, dtype=np.uint8)
    if kinds == {_UP}:
        return np.cumsum(samples, axis=0, dtype=np.uint8)
    return None


class IndexedPngWriter:
    """Writes rows of class indices, from the top, as a PNG of 8 bits with a palette; `close` ends the file."""

    def __init__(self, file: BinaryIO, height: int, width: int, palette: Palette) -> None:
        """`palette`: (K, 3) RGB, K <= 256."""
        self._file, self._packer = file, zlib.compressobj(6)
        file.write(SIGNATURE)
        self._chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, INDEXED, 0, 0, 0))
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
