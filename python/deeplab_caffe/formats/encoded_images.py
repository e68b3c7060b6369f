"""Decode the bytes of image files with OpenCV, as Caffe does."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..arrays import NDArray
from ..lazy import imported_on_use

if TYPE_CHECKING:
    import cv2
    import numpy as np
else:
    cv2 = imported_on_use("cv2")
    np = imported_on_use("numpy")

Buffer = Any  # bytes, or an array (N,) uint8

_PNG = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
#: bytes that one byte of a deflate stream can become
_DEFLATE_RATIO = 1032
#: how much of a chunk may be missing at the end of a file that was cut off, in bytes
_CUT_OFF = 1 << 24
#: chunks of an animation: of one that is damaged OpenCV 4.11 and 4.12 read and write beyond their memory
_ANIMATION = (b"acTL", b"fcTL", b"fdAT")


def decode_image(data: Buffer, flags: int) -> NDArray[np.generic] | None:
    """The pixels of an image file: (H, W) or (H, W, C) in OpenCV's order; None if OpenCV cannot read it.

    Of an animated PNG that is the first picture.

    Args:
        data: the whole file.
        flags: cv2.IMREAD_….

    Raises:
        ValueError: a PNG claims a size that so few bytes cannot have; memory is not taken for it.
        cv2.error: the image is larger than OpenCV's limit.
    """
    if not len(data):
        return None
    if bytes(data[:8]) == _PNG:
        check_png(data)
        data = _still(bytes(data))
    return cv2.imdecode(np.frombuffer(data, np.uint8), flags)


def check_png(data: Buffer) -> None:
    """Raise ValueError if a PNG claims a size, or a chunk of a size, that so few bytes cannot have."""
    for place, length, kind in _chunks(data):
        if place + 12 + length > len(data) + _CUT_OFF:
            raise ValueError(f"chunk {kind!r} is said to have {length} bytes, but the file has {len(data)}")
        if kind == b"IHDR" and length == 13 and place + 21 <= len(data):
            width, height, depth, colour = struct.unpack_from(">IIBB", data, place + 8)
            needed = height * (width * depth * _CHANNELS.get(colour, 1) // 8 + 1)
            if needed > _DEFLATE_RATIO * len(data):
                raise ValueError(f"it is said to have {width}×{height} pixels, but {len(data)} bytes cannot hold those")


def _still(data: bytes) -> bytes:
    """A PNG without its animation: its first picture is left."""
    if not any(kind in data for kind in _ANIMATION):
        return data
    kept = [data[place : place + 12 + length] for place, length, kind in _chunks(data) if kind not in _ANIMATION]
    return b"".join([data[:8], *kept])


def _chunks(data: Buffer) -> Iterator[tuple[int, int, bytes]]:
    """Where each chunk of a PNG begins, the length of its content in bytes, and its kind."""
    place = 8
    while place + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        yield place, length, kind
        place += 12 + length
