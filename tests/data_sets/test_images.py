"""Reading images: the stored pixels, in one order, whatever the camera said about the way up."""

import cv2
import numpy as np
import pytest
from PIL import Image

from deeplab_caffe.data import ListEntry, image_size, largest_image, mean_bgr, read_image
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
