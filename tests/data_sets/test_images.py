"""Reading images: the stored pixels, in one order, whatever the camera said about the way up."""

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from deeplab_caffe.data import ListEntry, image_size, largest_image, mean_bgr, read_image
from deeplab_caffe.data.images import find_images, not_upright
from deeplab_caffe.errors import InputError


@pytest.fixture
def turned(tmp_path):
    """A JPEG of 16 rows and 32 columns, left half red, that asks viewers to turn it by a quarter."""
    pixels = np.zeros((16, 32, 3), np.uint8)
    pixels[:, :16, 0] = 200
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "turned.jpg", quality=95, exif=exif)
    assert cv2.imread(str(tmp_path / "turned.jpg")).shape == (32, 16, 3)
    return tmp_path / "turned.jpg"


def test_orientation_is_not_applied(turned):
    image = read_image(turned)
    assert image.shape == (16, 32, 3) and image.dtype == np.uint8 and image_size(turned) == (16, 32)
    assert (image[:, :15, 0] > 180).all() and (image[..., 1:] < 20).all() and (image[:, 17:] < 20).all()


def test_what_is_measured_on_lists_reads_the_same_way(turned):
    entries = [ListEntry(f"/{turned.name}", None, 1)]
    assert largest_image(entries, turned.parent) == (16, 32)
    assert mean_bgr(entries, turned.parent) == pytest.approx((0, 0, 100), abs=2)


def test_grey_images_get_three_equal_channels(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.arange(6, dtype=np.uint8).reshape(2, 3))
    np.testing.assert_array_equal(read_image(str(tmp_path / "a.png")), np.arange(6).reshape(2, 3, 1).repeat(3, 2))


@pytest.mark.parametrize("read", [read_image, image_size])
def test_files_that_are_no_images_are_named(tmp_path, read):
    with pytest.raises(InputError, match=r"none\.png: cannot read the image"):
        read(tmp_path / "none.png")
    (tmp_path / "text.png").write_text("hello")
    with pytest.raises(InputError, match=r"text\.png: cannot read the image"):
        read(tmp_path / "text.png")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_upright_images_agree_with_pillow(orientation, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (6, 9, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / "a.png")))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", upright=True), expected)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), pixels)
    assert image_size(tmp_path / "a.png", upright=True) == expected.shape[:2]
    assert not_upright([tmp_path / "a.png"]) == [str(tmp_path / "a.png")] * (orientation != 1)


def test_damaged_exif_data_and_tiffs_count_as_upright(tmp_path):
    Image.new("RGB", (3, 2)).save(tmp_path / "a.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (3, 2)).save(tmp_path / "a.tif", exif=exif)
    assert not_upright([tmp_path / "a.jpg", tmp_path / "a.tif", tmp_path / "missing.jpg"]) == []


def test_images_of_subfolders_are_found_by_their_relative_paths(tmp_path):
    for name in ("v1/00000.png", "v2/00000.png"):
        (tmp_path / name).parent.mkdir()
        Image.new("RGB", (3, 2)).save(tmp_path / name)
    assert sorted(find_images(tmp_path)) == ["v1/00000", "v2/00000"]
    Image.new("RGB", (3, 2)).save(tmp_path / "a.png")
    assert sorted(find_images(tmp_path)) == ["a"]


def test_the_orientation_of_a_png_is_found_after_its_pixels(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 8
    Image.new("RGB", (30, 20)).save(tmp_path / "a.png", exif=exif)
    data = (tmp_path / "a.png").read_bytes()
    start = data.index(b"eXIf") - 4
    end = start + 12 + int.from_bytes(data[start : start + 4], "big")
    moved = data[:start] + data[end:-12] + data[start:end] + data[-12:]
    (tmp_path / "b.png").write_bytes(moved)
    assert not_upright([tmp_path / "a.png", tmp_path / "b.png"]) == [
        str(tmp_path / name) for name in ("a.png", "b.png")
    ]
