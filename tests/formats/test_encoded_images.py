"""Image files as bytes: a PNG that claims more than so few bytes can hold takes no memory and no time."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest

from deeplab_caffe.data import read_label
from deeplab_caffe.errors import InputError
from deeplab_caffe.formats.encoded_images import decode_image

_PIXELS = np.arange(12, dtype=np.uint8).reshape(3, 4)


def _png() -> bytes:
    return bytes(cv2.imencode(".png", _PIXELS)[1])


def _with_size(width: int, height: int) -> bytes:
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return _png()[:12] + head + struct.pack(">I", zlib.crc32(head)) + _png()[33:]


def test_a_png_is_decoded() -> None:
    np.testing.assert_array_equal(decode_image(_png(), cv2.IMREAD_UNCHANGED), _PIXELS)


def test_no_bytes_are_no_image() -> None:
    assert decode_image(b"", cv2.IMREAD_COLOR) is None


def test_a_size_that_the_file_cannot_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="said to have 30000×30000 pixels, but [0-9]+ bytes cannot hold those"):
        decode_image(_with_size(30000, 30000), cv2.IMREAD_UNCHANGED)


def test_a_chunk_longer_than_the_file_is_refused() -> None:
    data = bytearray(_png())
    place = data.index(b"IDAT") - 4
    data[place] = 0xE3
    with pytest.raises(ValueError, match="chunk b'IDAT' is said to have 38[0-9]+ bytes, but the file has"):
        decode_image(bytes(data), cv2.IMREAD_UNCHANGED)


def test_a_label_file_says_which_file_it_is(tmp_path) -> None:
    path = tmp_path / "label.png"
    path.write_bytes(_with_size(30000, 30000))
    with pytest.raises(InputError, match=r"label\.png: damaged label file.*30000×30000 pixels"):
        read_label(path)
