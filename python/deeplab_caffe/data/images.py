"""Reading image files."""

from __future__ import annotations

import os

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import InputError


def read_image(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """The pixels of an image file, (H, W, 3) RGB, as they are stored.

    EXIF's orientation is not applied: labels are drawn on the stored pixels, and ImageSegData trains on them.

    Raises:
        InputError: the file is missing or damaged; names it.
    """
    return np.asarray(cv2.cvtColor(read_pixels(path), cv2.COLOR_BGR2RGB), np.uint8)


def read_pixels(path: str | os.PathLike[str], colour: bool = True) -> NDArray[np.uint8]:
    """The pixels of an image file as OpenCV, and so Caffe, decodes it: (H, W, 3) BGR, or (H, W) grey.

    Likewise as they are stored. Python's lock is free meanwhile.

    Raises:
        InputError: the file is missing or damaged; names it.
    """
    flags = cv2.IMREAD_COLOR if colour else cv2.IMREAD_GRAYSCALE
    try:
        data = np.fromfile(path, np.uint8)
        image = cv2.imdecode(data, flags | cv2.IMREAD_IGNORE_ORIENTATION) if data.size else None
    except (OSError, ValueError, cv2.error) as error:
        raise InputError(f"{os.fspath(path)}: cannot read the image: {getattr(error, 'strerror', error)}") from None
    if image is None:
        raise InputError(f"{os.fspath(path)}: cannot read the image: it is damaged, or no image that OpenCV can read")
    return np.asarray(image, np.uint8)


def image_size(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Height and width (pixels) of an image file as it is stored, from its header. Raises InputError."""
    try:
        with Image.open(path) as image:
            width, height = image.size
    except (OSError, Image.DecompressionBombError) as error:
        raise InputError(f"{os.fspath(path)}: cannot read the image: {error}") from None
    return height, width
