"""Image files as bytes: a PNG that claims more than so few bytes can hold takes no memory and no time."""

from __future__ import annotations

import io
import re
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import deeplab_caffe
from deeplab_caffe.data import read_label
from deeplab_caffe.data.checking.pairs import _of_pixels as faults_of_image
from deeplab_caffe.data.label_colours import _colours_of as colours_of_label
from deeplab_caffe.errors import InputError
from deeplab_caffe.formats.encoded_images import decode_image

_PIXELS = np.arange(12, dtype=np.uint8).reshape(3, 4)


def _png() -> bytes:
    return bytes(cv2.imencode(".png", _PIXELS)[1])


def _with_size(width: int, height: int) -> bytes:
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return _png()[:12] + head + struct.pack(">I", zlib.crc32(head)) + _png()[33:]


def _with_long_chunk() -> bytes:
    data = bytearray(_png())
    data[data.index(b"IDAT") - 4] = 0xE3
    return bytes(data)


def test_a_png_is_decoded() -> None:
    np.testing.assert_array_equal(decode_image(_png(), cv2.IMREAD_UNCHANGED), _PIXELS)


def test_no_bytes_are_no_image() -> None:
    assert decode_image(b"", cv2.IMREAD_COLOR) is None


def test_a_size_that_the_file_cannot_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="said to have 30000×30000 pixels, but [0-9]+ bytes cannot hold those"):
        decode_image(_with_size(30000, 30000), cv2.IMREAD_UNCHANGED)


def test_a_chunk_longer_than_the_file_is_refused() -> None:
    with pytest.raises(ValueError, match="chunk b'IDAT' is said to have 38[0-9]+ bytes, but the file has"):
        decode_image(_with_long_chunk(), cv2.IMREAD_UNCHANGED)


def test_a_label_file_says_which_file_it_is(tmp_path) -> None:
    path = tmp_path / "label.png"
    path.write_bytes(_with_size(30000, 30000))
    with pytest.raises(InputError, match=r"label\.png: damaged label file.*30000×30000 pixels"):
        read_label(path)


def test_all_image_files_are_decoded_here() -> None:
    package = Path(deeplab_caffe.__file__).parent
    calls = re.compile(r"cv2\.(imdecode|imread)")
    found = [path.name for path in package.rglob("*.py") if calls.search(path.read_text(encoding="utf-8"))]
    assert found == ["encoded_images.py"]


@pytest.mark.parametrize("read", [colours_of_label, faults_of_image])
def test_other_readers_take_no_memory_either(tmp_path, read) -> None:
    """Refused before a gigabyte is reserved for a chunk or an image that the file cannot hold."""
    path = tmp_path / "image.png"
    for data in (_with_size(30000, 30000), _with_long_chunk()):
        path.write_bytes(data)
        with pytest.raises(InputError, match=r"image\.png: .*(cannot hold those|but the file has)"):
            read(path)


def _animated() -> tuple[bytes, np.ndarray]:
    """An animated PNG of two pictures, and the first of them."""
    first, file = np.random.default_rng(0).integers(0, 255, (24, 32, 3), dtype=np.uint8), io.BytesIO()
    Image.fromarray(first).save(file, "PNG", save_all=True, append_images=[Image.fromarray(255 - first)])
    return file.getvalue(), first


@pytest.mark.parametrize("width", [None, 1, 31, 33, 60000, 0xFFFFFFFF])
def test_of_an_animation_the_first_picture_whatever_the_rest_says(width: int | None) -> None:
    data, first = _animated()
    if width is not None:  # of the second picture, in its chunk fcTL
        place = data.rindex(b"fcTL") + 8
        data = data[:place] + struct.pack(">I", width) + data[place + 4 :]
    pixels = decode_image(data, cv2.IMREAD_UNCHANGED)
    assert pixels is not None and np.array_equal(pixels[:, :, ::-1], first)
