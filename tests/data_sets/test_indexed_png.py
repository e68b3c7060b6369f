"""PNGs of class indices: decoded as Pillow decodes them, or left to it."""

from __future__ import annotations

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from deeplab_caffe.data import indexed_png, read_label
from deeplab_caffe.errors import InputError

_LABEL = np.random.default_rng(0).integers(0, 256, (7, 5), dtype=np.uint8)


def _png(rows: bytes, colour: int = indexed_png.INDEXED, depth: int = 8, interlaced: int = 0, parts: int = 1) -> bytes:
    """A PNG of 5×7 pixels with these rows, filters included; its data in some parts."""
    packed = zlib.compress(rows)
    cuts = np.linspace(0, len(packed), parts + 1).astype(int)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", 5, 7, depth, colour, 0, 0, interlaced))]
    chunks += [(b"PLTE", bytes(768))] if colour == indexed_png.INDEXED else []
    chunks += [(b"IDAT", packed[a:b]) for a, b in zip(cuts[:-1], cuts[1:], strict=True)] + [(b"IEND", b"")]
    text = b"".join(struct.pack(">I", len(c)) + k + c + struct.pack(">I", zlib.crc32(k + c)) for k, c in chunks)
    return indexed_png.SIGNATURE + text


def _rows(kinds: list[int]) -> bytes:
    """The rows of the label under the filters 0 (none), 1 (difference to the left) and 2 (to above)."""
    above, text = np.zeros(5, np.uint8), b""
    for kind, row in zip(kinds, _LABEL, strict=True):
        before = {0: np.zeros(5, np.uint8), 1: np.append(np.uint8(0), row[:-1]), 2: above}[kind]
        text += bytes([kind]) + (row - before).tobytes()
        above = row
    return text


@pytest.mark.parametrize("kind", [0, 1, 2])
@pytest.mark.parametrize("colour", [indexed_png.GREY, indexed_png.INDEXED])
def test_rows_of_one_filter(kind, colour):
    data = _png(_rows([kind] * 7), colour, parts=3)
    np.testing.assert_array_equal(indexed_png.decode_indices(data), _LABEL)
    np.testing.assert_array_equal(np.array(Image.open(io.BytesIO(data))), _LABEL)


@pytest.mark.parametrize("kinds", [[0, 1, 2, 0, 1, 2, 0], [0, 0, 0, 0, 0, 0, 2]])
def test_mixed_filters_are_left_to_others(tmp_path, kinds):
    data = _png(_rows(kinds))
    assert indexed_png.decode_indices(data) is None
    (tmp_path / "a.png").write_bytes(data)
    np.testing.assert_array_equal(read_label(tmp_path / "a.png"), _LABEL)


def test_what_pillow_and_opencv_write(tmp_path):
    label = cv2.resize(_LABEL, (50, 70), interpolation=cv2.INTER_NEAREST)
    palette = Image.fromarray(label)
    palette.putpalette(list(range(256)) * 3)
    for image, name in ((Image.fromarray(label), "grey"), (palette, "palette")):
        image.save(tmp_path / f"{name}.png")
    cv2.imwrite(str(tmp_path / "opencv.png"), label)
    for name in ("grey", "palette", "opencv"):
        np.testing.assert_array_equal(read_label(tmp_path / f"{name}.png"), label)
    assert indexed_png.decode_indices((tmp_path / "palette.png").read_bytes()) is not None


def test_unusual_kinds_are_left_to_others():
    sixteen_bits = _png(bytes(7 * 11), depth=16, colour=indexed_png.GREY)
    for data in (sixteen_bits, _png(bytes(7 * 2), depth=1), _png(b"", interlaced=1)):
        assert indexed_png.decode_indices(data) is None
    assert indexed_png.read_header(b"\x89PNG") is None
    assert indexed_png.read_header(_png(b""))[:4] == (5, 7, 8, indexed_png.INDEXED)


@pytest.mark.parametrize("damage", ["cut", "flipped", "too short", "too long", "checksum"])
def test_damaged_data_are_refused_by_all(tmp_path, damage):
    rows = _rows([0] * 7)
    data = bytearray(_png({"too short": rows[:-6], "too long": rows + b"\0" * 6}.get(damage, rows)))
    if damage == "cut":
        data = data[:-30]
    elif damage == "flipped":
        data[data.index(b"IDAT") + 9] ^= 255
    elif damage == "checksum":
        data[-17] ^= 255  # of the data
    (tmp_path / "a.png").write_bytes(data)
    words = {"too short": "it has less data than 5×7 pixels need", "too long": "it has more data than"}.get(damage, "")
    with pytest.raises(InputError, match=rf"a\.png: damaged label file: .*{words}"):
        read_label(tmp_path / "a.png")
