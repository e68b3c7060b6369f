"""Images and label files as arrays, by OpenCV or Pillow, whichever is there; resizing by OpenCV's rules."""

from __future__ import absolute_import, division

import struct

import numpy as np

try:
    import cv2
except ImportError:
    cv2 = None
try:
    from PIL import Image
except ImportError:
    Image = None

_NEITHER = "neither OpenCV (cv2) nor Pillow is there to read image files: install one of them for this Python"
_GREY = 0
_NO_INDICES = {2: "an RGB PNG", 4: "a PNG of grey with alpha", 6: "an RGB PNG with alpha"}


class ImageError(ValueError):
    """A file that cannot be read as what was expected; the message begins with its path."""


#: EXIF's tag of the orientation
_ORIENTATION = 0x0112


def read_image(path, is_color, upright=False):
    """The pixels of an image: (H, W, 3) BGR or (H, W, 1) grey, uint8; as stored, or turned upright by EXIF."""
    if cv2 is None and Image is None:
        raise ImageError(_NEITHER)
    pixels = _read_by_opencv(path, is_color) if cv2 is not None else _read_by_pillow(path, is_color)
    if pixels is None:
        raise ImageError("%s does not exist or is not an image that can be read" % path)
    if upright:
        pixels = _turned(pixels, _orientation(path))
    return pixels if pixels.ndim == 3 else pixels[:, :, None]


def _orientation(path):
    """EXIF's orientation, 1 to 8; 1 for TIFFs too, which are always read upright."""
    if Image is None:
        raise ImageError("%s: Pillow is needed to read the orientation in EXIF data; install it" % path)
    try:
        image = Image.open(path)
        exif = image.getexif() if hasattr(image, "getexif") else getattr(image, "_getexif", dict)()
        value = (exif or {}).get(_ORIENTATION, 1)
    except Exception:  # Pillow raises almost anything on damaged EXIF data, which says nothing about the pixels
        return 1
    return value if image.format != "TIFF" and value in range(1, 9) else 1


def _turned(pixels, orientation):
    """Pixels as stored, turned upright: transposed for 5 to 8, then flipped."""
    pixels = pixels.swapaxes(0, 1) if orientation >= 5 else pixels
    pixels = pixels[::-1] if orientation in (3, 4, 7, 8) else pixels
    return np.ascontiguousarray(pixels[:, ::-1] if orientation in (2, 3, 6, 7) else pixels)


def _read_by_opencv(path, is_color):
    flags = 1 if is_color else 0  # spelt otherwise in every release: IMREAD_COLOR, IMREAD_GRAYSCALE
    return cv2.imread(path, flags | getattr(cv2, "IMREAD_IGNORE_ORIENTATION", 0))


def _read_by_pillow(path, is_color):
    try:
        image = Image.open(path)
        return np.array(image.convert("RGB"))[:, :, ::-1] if is_color else np.array(image.convert("L"))
    except (IOError, OSError, SyntaxError, ValueError):
        return None


def read_label(path):
    """A label file as its class indices, (H, W) uint8: a palette PNG gives its indices, grey its stored samples."""
    try:
        with open(path, "rb") as source:
            head = source.read(26)
    except (IOError, OSError) as error:
        raise ImageError("%s: cannot read the label file: %s" % (path, error.strerror))
    if len(head) < 26 or head[:8] != b"\x89PNG\r\n\x1a\n":
        return _read_indices(path, None)
    depth, colour = struct.unpack_from("BB", head, 24)
    if colour in _NO_INDICES or depth == 16:
        raise _no_indices(path, _NO_INDICES.get(colour, "a 16-bit PNG"))
    if Image is None and (colour, depth) != (_GREY, 8):
        raise ImageError("%s: Pillow is needed to read the indices of a PNG with a palette; install it" % path)
    indices = _read_indices(path, Image)
    return indices // (255 // (2**depth - 1)) if colour == _GREY and depth in (2, 4) else indices


def _read_indices(path, pillow):
    """The one channel of a file, by Pillow if it is there."""
    if Image is None and cv2 is None:
        raise ImageError(_NEITHER)
    if Image is None:
        pixels = cv2.imread(path, -1)
        if pixels is None or pixels.ndim != 2 or pixels.dtype != np.uint8:
            raise _no_indices(path, "not an image, or one of several channels,")
        return pixels
    try:
        image = Image.open(path)
        if image.format == "JPEG" or image.mode not in ("1", "L", "P"):
            raise _no_indices(path, "a %s of mode %s" % (image.format, image.mode))
        return np.array(image, dtype=np.uint8)
    except (IOError, OSError, SyntaxError) as error:
        raise ImageError("%s: damaged label file: %s" % (path, error))


def _no_indices(path, what):
    return ImageError(
        "%s: %s is not a label file; expected class indices, 8-bit grey or with a palette" % (path, what)
    )


def resize_linear(pixels, rows, columns):
    """(rows, columns, C) from (H, W, C) uint8, bilinear, pixel centres at halves."""
    if cv2 is None:
        return _resize_linear(pixels, rows, columns)
    resized = cv2.resize(pixels, (columns, rows), interpolation=cv2.INTER_LINEAR)
    return resized if resized.ndim == 3 else resized[:, :, None]


def _resize_linear(pixels, rows, columns):
    """The same without OpenCV, in its fixed-point arithmetic of 11 bits."""
    (before, after), (keep, take) = _places(pixels.shape[1], columns, False)
    x = pixels.astype(np.int32)
    x = (x[:, before] * keep[:, None] + x[:, after] * take[:, None]) >> 4
    (before, after), (keep, take) = _places(pixels.shape[0], rows, True)
    x = (x[before] * keep[:, None, None] >> 16) + (x[after] * take[:, None, None] >> 16)
    return (x + 2 >> 2).astype(np.uint8)


def _places(size, out, keeps_shares):
    """Along an axis: the pixels before and after each of `out` places, and their shares of 2048.

    Beyond the outermost centres the outermost pixel counts: alone, or with `keeps_shares` as both of the two.
    """
    place = ((np.arange(out) + 0.5) * (size / out) - 0.5).astype(np.float32)
    before = np.floor(place).astype(np.int64)
    share = place - before.astype(np.float32)
    if not keeps_shares:
        share[(before < 0) | (before >= size - 1)] = 0
    shares = np.rint((1 - share) * 2048).astype(np.int32), np.rint(share * 2048).astype(np.int32)
    return (np.clip(before, 0, size - 1), np.clip(before + 1, 0, size - 1)), shares


def resize_nearest(pixels, rows, columns):
    """(rows, columns) from (H, W), each pixel that of the truncated position, as OpenCV has it."""
    picked = pixels
    for axis, size in ((1, columns), (0, rows)):
        places = (np.arange(size) * (1 / (size / pixels.shape[axis]))).astype(np.int64)  # rounded as OpenCV does
        picked = np.take(picked, np.minimum(places, pixels.shape[axis] - 1), axis)
    return picked
