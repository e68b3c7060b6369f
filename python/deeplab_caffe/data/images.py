"""Image files: found by id, decoded, or mapped where they may be larger than the memory and their format allows it."""

from __future__ import annotations

import contextlib
import io
import os
import re
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Size
from ..errors import InputError
from ..formats.encoded_images import decode_image
from ..lazy import imported_on_use
from ..reading import reading
from ..threads import mapped
from .indexed_png import SIGNATURE
from .mapped_arrays import map_values, open_npy

if TYPE_CHECKING:
    import cv2
    from PIL import Image
else:
    cv2 = imported_on_use("cv2")
    Image = imported_on_use("PIL.Image")

#: suffixes of image files; those that are memory-mapped come first
IMAGE_SUFFIXES = (".npy", ".ppm", ".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
_ORIENTATION = 0x0112  # EXIF's tag
_WHAT = "read the image"
_PPM = re.compile(rb"P6(?:\s+#[^\n]*\n|\s)+(\d+)\s+(\d+)\s+255\s")


def read_image(path: str | os.PathLike[str], upright: bool = False) -> NDArray[np.uint8]:
    """The pixels of an image file: (H, W, 3) RGB.

    Args:
        path: the file.
        upright: turn the image as its EXIF data says; otherwise the pixels are those stored.

    Raises:
        InputError: the file is missing or damaged; names it.
    """
    return np.asarray(cv2.cvtColor(read_pixels(path, upright=upright), cv2.COLOR_BGR2RGB), np.uint8)


def read_pixels(path: str | os.PathLike[str], colour: bool = True, upright: bool = False) -> NDArray[np.uint8]:
    """The pixels of an image file, decoded by OpenCV as in Caffe: (H, W, 3) BGR, or (H, W) grey.

    Python's global lock is released while decoding. upright: as in `read_image`.

    Raises:
        InputError: the file is missing or damaged; names it.
    """
    flags = cv2.IMREAD_COLOR if colour else cv2.IMREAD_GRAYSCALE
    with reading(path, "the image", "cannot read the image"):
        image = decode_image(np.fromfile(path, np.uint8), flags | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None:
        raise InputError(f"{os.fspath(path)}: cannot read the image: damaged, or a format that OpenCV does not support")
    pixels = np.asarray(image, np.uint8)
    return turned(pixels, image_header(path).orientation) if upright else pixels


class ImageHeader(NamedTuple):
    """Size in pixels as stored, and the orientation in the EXIF data: 1 upright or not stated, 2 to 8 not upright."""

    height: int
    width: int
    orientation: int

    def size(self, upright: bool = False) -> Size:
        """(height, width), after turning the image as its EXIF data says if `upright`."""
        return (self.width, self.height) if upright and self.orientation >= 5 else (self.height, self.width)


def image_header(path: str | os.PathLike[str], with_orientation: bool = True) -> ImageHeader:
    """The header of an image file; raises InputError if it cannot be read.

    with_orientation: read the EXIF data too; otherwise the orientation is given as 1.
    """
    with reading(path, "the image", "cannot read the image"), Image.open(path) as image:
        return header_of(image, with_orientation)


def header_of(image: Image.Image, with_orientation: bool = True) -> ImageHeader:
    """The header of an image that Pillow has opened."""
    width, height = image.size
    return ImageHeader(height, width, _orientation(image) if with_orientation else 1)


def image_mode(path: str | os.PathLike[str]) -> str:
    """Pillow's name of how an image file stores its pixels, such as RGB or CMYK; InputError if it cannot be read."""
    with reading(path, "the image", "cannot read the image"), Image.open(path) as image:
        return image.mode


def check_complete(path: str | os.PathLike[str]) -> None:
    """Raise InputError for a JPEG or PNG that ends early, whose missing part OpenCV, as in Caffe, fills with grey."""
    with reading(path, "the image", "cannot read the image"):
        load_incomplete(Path(path).read_bytes())


def load_incomplete(data: bytes) -> None:
    """Decode a JPEG or PNG that seems to end early with Pillow, which raises an exception if it does."""
    jpeg_ends = data[:2] != b"\xff\xd8" or data.rfind(b"\xff\xd9") > data.rfind(b"\xff\xda")  # after the last scan
    png_ends = not data.startswith(SIGNATURE) or b"IEND" in data[-64:]
    if not (jpeg_ends and png_ends):  # what seems to lack its end may have unusual bytes behind it
        with Image.open(io.BytesIO(data)) as image:
            image.load()


def _orientation(image: Image.Image) -> int:
    """1 where the EXIF data is missing, damaged or invalid, and for TIFFs, which are always read upright."""
    if image.format == "TIFF":
        return 1
    try:
        exif = _exif_of_png(image) if image.format == "PNG" else image.getexif()
        value = exif.get(_ORIENTATION, 1)
    except Exception:  # Pillow raises almost anything on damaged EXIF data, which says nothing about the pixels
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _exif_of_png(image: Image.Image) -> Image.Exif:
    """Found without decoding the pixels, after which it may stand, and for which Pillow would decode them."""
    exif, file = Image.Exif(), image.fp  # type: ignore[attr-defined]
    file.seek(len(SIGNATURE))
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind == b"eXIf":
            exif.load(b"Exif\0\0" + file.read(length))
            break
        file.seek(length + 4, os.SEEK_CUR)
    return exif


def turned(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Pixels (H, W, …) as stored, turned upright: transposed for 5 to 8, then flipped."""
    pixels = pixels.swapaxes(0, 1) if orientation >= 5 else pixels
    rows, columns = (-1 if orientation in flipped else 1 for flipped in ((3, 4, 7, 8), (2, 3, 6, 7)))
    return np.ascontiguousarray(pixels[::rows, ::columns])


def image_size(path: str | os.PathLike[str], upright: bool = False) -> Size:
    """(height, width) in pixels of an image file, from its header; raises InputError if it cannot be read.

    upright: after turning it as its EXIF data says.
    """
    return image_header(path, with_orientation=upright).size(upright)


def find_images(folder: str | os.PathLike[str]) -> dict[str, Path]:
    """The images of a folder by file name without suffix; of several suffixes the first in IMAGE_SUFFIXES.

    If there are none, those of its subfolders by their relative paths, such as video1/00000.

    Raises:
        InputError: the folder cannot be listed.
    """
    folder = Path(folder)
    try:
        paths = _images_in(folder.iterdir()) or _images_in(folder.rglob("*"))
    except OSError as error:
        raise InputError(f"{os.fspath(folder)}: cannot list the folder of images: {error.strerror}") from None
    ranked = sorted(paths, key=lambda path: IMAGE_SUFFIXES.index(path.suffix.lower()), reverse=True)
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in ranked}


def _images_in(paths: Iterable[Path]) -> list[Path]:
    return [path for path in paths if path.suffix.lower() in IMAGE_SUFFIXES]


def not_upright(paths: Iterable[str | os.PathLike[str]]) -> list[str]:
    """The images whose EXIF data say that the stored pixels are not upright; files that cannot be read are left out."""

    def is_turned(path: str | os.PathLike[str]) -> bool:
        with contextlib.suppress(InputError):
            return image_header(path).orientation != 1
        return False

    listed = list(paths)
    return [os.fspath(path) for path, turned in zip(listed, mapped(is_turned, listed), strict=True) if turned]


def open_image(path: str | os.PathLike[str], upright: bool = False) -> NDArray[Any]:
    """The pixels of an image: (H, W, 3) RGB, or for a .npy as stored, (H, W) or (H, W, bands).

    Files .npy and binary .ppm are memory-mapped, so they may be larger than the memory. upright: as in `read_image`.

    Raises:
        InputError: the file is missing or damaged, or not an image; names it.
    """
    path = Path(path)
    if path.suffix == ".npy":
        return _open_npy(path)
    if path.suffix.lower() == ".ppm":
        mapped = _open_ppm(path)
        if mapped is not None:
            return mapped
    return read_image(path, upright)


def _open_npy(path: Path) -> NDArray[Any]:
    pixels = open_npy(path, _WHAT)
    if pixels.ndim not in (2, 3) or 0 in pixels.shape:
        raise InputError(f"{path}: expected an image (H, W) or (H, W, bands), got shape {pixels.shape}")
    return pixels


def _open_ppm(path: Path) -> NDArray[np.uint8] | None:
    """A binary PPM of 8 bits, memory-mapped; None for another kind, which OpenCV may support."""
    with reading(path, "the image", "cannot read the image"):
        with path.open("rb") as file:
            match = _PPM.match(file.read(1024))
        if match is None:
            return None
        return map_values(path, _WHAT, np.uint8, match.end(), (int(match[2]), int(match[1]), 3))
