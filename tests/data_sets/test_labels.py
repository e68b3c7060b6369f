"""Label files: what each kind of image file is read as, and what is refused."""

import cv2
import numpy as np
import pytest
from PIL import Image

from deeplab_caffe.data import check_labels, read_label, voc_palette, write_label
from deeplab_caffe.errors import InputError

LABEL = np.array([[0, 1, 2], [20, 15, 255]], np.uint8)


def grey_png(path, samples, depth):
    """A greyscale PNG of fewer than 8 bits, which neither Pillow nor OpenCV writes."""
    import struct
    import zlib

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    bits = "".join(f"{value:0{depth}b}" for value in samples)
    row = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
    head = struct.pack(">IIBBBBB", len(samples), 1, depth, 0, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" + row)) + chunk(b"IEND", b"")
    )


def test_first_colours_of_voc():
    expected = [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0], [0, 0, 128]]
    assert voc_palette(5).tolist() == expected
    assert voc_palette()[[15, 20, 255]].tolist() == [[192, 128, 128], [0, 64, 128], [224, 224, 192]]


@pytest.mark.parametrize("palette", [None, voc_palette(3), np.full((21, 3), 7, np.uint8)])
def test_indexed_file_gives_back_its_indices(tmp_path, palette):
    write_label(tmp_path / "a.png", LABEL, palette)
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode == "P"
    np.testing.assert_array_equal(read_label(tmp_path / "a.png"), LABEL)


def test_palette_is_not_read_as_grey(tmp_path):
    write_label(tmp_path / "a.png", LABEL)
    assert (cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_GRAYSCALE) != LABEL).any()  # what Caffe saw
    np.testing.assert_array_equal(read_label(tmp_path / "a.png"), LABEL)


def test_pillows_limit_is_for_what_pillow_reads(tmp_path, monkeypatch):
    write_label(tmp_path / "a.png", LABEL)
    grey_png(tmp_path / "b.png", [1] * 9, 4)
    Image.fromarray(np.tile(LABEL, (3, 3))).save(tmp_path / "c.tif")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 4)
    np.testing.assert_array_equal(read_label(tmp_path / "a.png"), LABEL)
    for name in ("b.png", "c.tif"):
        with pytest.raises(InputError, match=f"{name}: the label file is too large for Pillow .*8-bit PNG"):
            read_label(tmp_path / name)


def test_grey_file_is_read_as_it_is(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), LABEL)
    np.testing.assert_array_equal(read_label(tmp_path / "a.png"), LABEL)


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_few_bits_give_the_stored_samples(tmp_path, depth):
    samples = [0, 1, 2**depth - 1, 1, 0]
    grey_png(tmp_path / "a.png", samples, depth)
    assert read_label(tmp_path / "a.png").tolist() == [samples]


def test_few_bits_of_palette(tmp_path):
    image = Image.fromarray(np.array([[0, 1, 3]], np.uint8))
    image.putpalette(voc_palette(4).tobytes())
    image.save(tmp_path / "a.png", bits=2)
    assert read_label(tmp_path / "a.png").tolist() == [[0, 1, 3]]


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((2, 2, 3), np.uint8), "RGB PNG"),
        (np.zeros((2, 2, 4), np.uint8), "alpha"),
        (np.zeros((2, 2), np.uint16), "16-bit"),
    ],
)
def test_colours_and_16_bits_are_refused(tmp_path, array, words):
    cv2.imwrite(str(tmp_path / "a.png"), array)
    with pytest.raises(InputError, match=rf"a\.png: .*{words}.*class indices"):
        read_label(tmp_path / "a.png")


def test_jpeg_damaged_and_missing_files_are_refused(tmp_path):
    cv2.imwrite(str(tmp_path / "a.jpg"), LABEL)
    (tmp_path / "b.png").write_text("no picture")
    write_label(tmp_path / "c.png", np.arange(200, dtype=np.uint8).reshape(10, 20))
    (tmp_path / "c.png").write_bytes((tmp_path / "c.png").read_bytes()[:-60])
    for name, words in {"a.jpg": "JPEG", "b.png": "not an image", "c.png": "damaged", "d.png": "No such file"}.items():
        with pytest.raises(InputError, match=rf"{name}: .*{words}"):
            read_label(tmp_path / name)


def test_labels_in_range_pass():
    check_labels(LABEL, 21, 255, "a.png")
    check_labels(LABEL.astype(np.int32), 21, 255, "a.png")


@pytest.mark.parametrize(
    ("values", "num_classes", "ignore", "words"),
    [
        ([0, 20, 255], 20, 255, r"a\.png: label value 20 in 1 of 3 .*0\.\.19.*too small \(the file needs 21"),
        ([0, 255, 255], 21, None, r"value 255 in 2 of 3 .*none set.*set ignore_label to 255"),
        ([38, 75, 255], 21, 255, r"values 38, 75 in 2 .*grey values of VOC"),
        ([100, 150, 200], 21, 255, r"values 100, 150, 200 .*grey values or colours"),
    ],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_labels_out_of_range_name_the_likely_cause(values, num_classes, ignore, words, dtype):
    with pytest.raises(InputError, match=words):
        check_labels(np.array([values], dtype), num_classes, ignore, "a.png")


def test_values_beyond_8_bits_are_not_written(tmp_path):
    with pytest.raises(InputError, match="256"):
        write_label(tmp_path / "a.png", np.array([[256]]))
    assert not list(tmp_path.iterdir())
