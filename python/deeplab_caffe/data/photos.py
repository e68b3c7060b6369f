"""Images as a person sees them: upright, without transparency, 8 bits; for predictions on images of any kind."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from ..errors import InputError
from ..formats.encoded_images import decode_image
from ..lazy import imported_on_use
from ..reading import decoding, read_bytes
from .images import header_of, load_incomplete, turned

if TYPE_CHECKING:
    import cv2
else:
    cv2 = imported_on_use("cv2")

#: what one step of 8 bits is in 16 bits: white, 255, is 65535
_STEP_OF_16_BITS = 257
#: of whose values no file says which is white
_FLOATS = "has floating-point pixels, of which it is not known what is white; convert it to 8 or 16 bits"
#: of images that somebody else sends; Pillow has readers of others that start programs, or that few have looked at
PHOTO_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM", "AVIF")


def read_photo(path: str | os.PathLike[str], upright: bool = True) -> NDArray[np.uint8]:
    """The pixels of an image file as a viewer shows them: (H, W, 3) RGB.

    Args:
        path: grey, colour, palette or CMYK; with or without transparency, which is shown on white; 8 or 16 bits, which
            are divided by 257 and rounded; of an animation the first picture.
        upright: turn the image as its EXIF data says; otherwise the pixels are those stored.

    Raises:
        InputError: the file is missing, damaged or cut off, or holds floating-point pixels; names it.
    """
    return decode_photo(read_bytes(path, "the image"), os.fspath(path), upright)


def decode_photo(data: bytes, name: str = "image", upright: bool = True) -> NDArray[np.uint8]:
    """`read_photo` for the bytes of a file; `name` is for messages. First `check_photo` what somebody else sent."""
    with decoding(name, "cannot read the image"):
        load_incomplete(data)
        pixels = decode_image(data, cv2.IMREAD_UNCHANGED)
        if pixels is not None and pixels.dtype.kind == "f":
            raise InputError(f"{name}: {_FLOATS}")
        photo = _with_pillow(data, name) if pixels is None else as_photo(_rgb(pixels), name)
        if not upright:
            return photo
        with Image.open(io.BytesIO(data)) as image:
            return turned(photo, header_of(image).orientation)


def check_photo(data: bytes, name: str, most_pixels: int) -> None:
    """Refuse what is no photo, or has more pixels than `most_pixels` by its header; nothing is decoded.

    Raises:
        InputError: the format is none of `PHOTO_FORMATS`, the header is damaged, or there are too many pixels.
    """
    most = f"at most {most_pixels / 1e6:g} million pixels"
    with decoding(name, "cannot read the image"):
        try:
            Image.init()
            known = [name for name in PHOTO_FORMATS if name in Image.OPEN]  # older Pillows do not know all
            with Image.open(io.BytesIO(data), formats=known) as image:
                height, width, _ = header_of(image, with_orientation=False)
        except Image.DecompressionBombError:
            raise InputError(f"{name}: has very many pixels; expected {most}") from None
        except UnidentifiedImageError:
            raise InputError(f"{name}: not an image that can be read; expected JPEG, PNG, WebP, TIFF, …") from None
    if height * width > most_pixels:
        raise InputError(f"{name}: has {width} × {height} pixels; expected {most}")


def as_photo(pixels: NDArray[Any], name: str = "image") -> NDArray[np.uint8]:
    """An array as (H, W, 3) uint8 RGB.

    Args:
        pixels: (H, W) or (H, W, 1) grey, (H, W, 3) RGB or (H, W, 4) RGBA; uint8, uint16, or float of 0 to 255.
        name: for messages.

    Raises:
        InputError: the array is no such image.

    Example:
        >>> as_photo(np.array([[65535, 257]], np.uint16))[0].tolist()
        [[255, 255, 255], [1, 1, 1]]
        >>> as_photo(np.array([[[10, 20, 30, 0]]], np.uint8)).tolist()
        [[[255, 255, 255]]]
    """
    pixels = np.asarray(pixels)
    if pixels.ndim not in (2, 3) or 0 in pixels.shape or (pixels.ndim == 3 and pixels.shape[2] not in (1, 3, 4)):
        raise InputError(f"{name}: an array of shape {pixels.shape}; expected (H, W), (H, W, 3) RGB or (H, W, 4) RGBA")
    eight = _eight_bits(pixels, name)
    if eight.ndim == 2 or eight.shape[2] == 1:
        return np.repeat(eight.reshape(*eight.shape[:2], 1), 3, axis=2)
    return _on_white(eight) if eight.shape[2] == 4 else np.ascontiguousarray(eight)


def _eight_bits(pixels: NDArray[Any], name: str) -> NDArray[np.uint8]:
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype == np.uint16:
        return ((pixels + np.uint32(_STEP_OF_16_BITS // 2)) // _STEP_OF_16_BITS).astype(np.uint8)
    if pixels.dtype.kind != "f":
        raise InputError(
            f"{name}: pixels of type {pixels.dtype}; expected 8 or 16 bits without sign, or float 0 to 255"
        )
    low, high = float(pixels.min()), float(pixels.max())
    if not (low >= 0 and high <= 255) or 0 < high <= 1:
        hint = "; multiply by 255" if 0 < high <= 1 else ""
        raise InputError(f"{name}: floating-point pixels from {low:.4g} to {high:.4g}; expected 0 to 255{hint}")
    return np.rint(pixels).astype(np.uint8)


def _on_white(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 4) RGBA as it looks on white."""
    alpha = pixels[:, :, 3:].astype(np.uint16)
    if alpha.min() == 255:
        return np.ascontiguousarray(pixels[:, :, :3])
    mixed = pixels[:, :, :3] * alpha + 255 * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)


def _rgb(pixels: NDArray[Any]) -> NDArray[Any]:
    """OpenCV's order of channels as RGB or RGBA."""
    if pixels.ndim == 2 or pixels.shape[2] not in (3, 4):
        return pixels
    return pixels[:, :, [2, 1, 0, 3][: pixels.shape[2]]]


def _with_pillow(data: bytes, name: str) -> NDArray[np.uint8]:
    """A format that OpenCV does not know."""
    with Image.open(io.BytesIO(data)) as image:
        return as_photo(np.asarray(image.convert("RGBA")), name)
