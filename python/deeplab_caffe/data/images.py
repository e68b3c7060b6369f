"""Image files: found by id, decoded, or mapped where they may be larger than the memory and their format allows it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import InputError
from .mapped_arrays import map_values, open_npy

#: suffixes of image files; those that are memory-mapped come first
IMAGE_SUFFIXES = (".npy", ".ppm", ".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
_WHAT = "read the image"
_PPM = re.compile(rb"P6(?:\s+#[^\n]*\n|\s)+(\d+)\s+(\d+)\s+255\s")


def read_image(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """The pixels of an image file as stored: (H, W, 3) RGB.

    The orientation in EXIF data is not applied: labels are drawn on the stored pixels, and ImageSegData trains on them.

    Raises:
        InputError: the file is missing or damaged; names it.
    """
    return np.asarray(cv2.cvtColor(read_pixels(path), cv2.COLOR_BGR2RGB), np.uint8)


def read_pixels(path: str | os.PathLike[str], colour: bool = True) -> NDArray[np.uint8]:
    """The pixels of an image file as stored, decoded by OpenCV as in Caffe: (H, W, 3) BGR, or (H, W) grey.

    Python's global lock is released while decoding.

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
        raise InputError(f"{os.fspath(path)}: cannot read the image: damaged, or a format that OpenCV does not support")
    return np.asarray(image, np.uint8)


def image_size(path: str | os.PathLike[str]) -> tuple[int, int]:
    """(height, width) in pixels of an image file as stored, from its header; raises InputError if it cannot be read."""
    try:
        with Image.open(path) as image:
            width, height = image.size
    except (OSError, Image.DecompressionBombError) as error:
        raise InputError(f"{os.fspath(path)}: cannot read the image: {error}") from None
    return height, width


def find_images(folder: str | os.PathLike[str]) -> dict[str, Path]:
    """The images of a folder by file name without suffix; of several suffixes the first in IMAGE_SUFFIXES.

    Raises:
        InputError: the folder cannot be listed.
    """
    try:
        paths = [path for path in Path(folder).iterdir() if path.suffix.lower() in IMAGE_SUFFIXES]
    except OSError as error:
        raise InputError(f"{os.fspath(folder)}: cannot list the folder of images: {error.strerror}") from None
    ranked = sorted(paths, key=lambda path: IMAGE_SUFFIXES.index(path.suffix.lower()), reverse=True)
    return {path.stem: path for path in ranked}


def open_image(path: str | os.PathLike[str]) -> NDArray[Any]:
    """The pixels of an image: (H, W, 3) RGB, or for a .npy as stored, (H, W) or (H, W, bands).

    Files .npy and binary .ppm are memory-mapped, so they may be larger than the memory.

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
    return read_image(path)


def _open_npy(path: Path) -> NDArray[Any]:
    pixels = open_npy(path, _WHAT)
    if pixels.ndim not in (2, 3) or 0 in pixels.shape:
        raise InputError(f"{path}: expected an image (H, W) or (H, W, bands), got shape {pixels.shape}")
    return pixels


def _open_ppm(path: Path) -> NDArray[np.uint8] | None:
    """A binary PPM of 8 bits, memory-mapped; None for another kind, which OpenCV may support."""
    try:
        with path.open("rb") as file:
            match = _PPM.match(file.read(1024))
    except OSError as error:
        raise InputError(f"{path}: cannot {_WHAT}: {error.strerror or error}") from None
    if match is None:
        return None
    return map_values(path, _WHAT, np.uint8, match.end(), (int(match[2]), int(match[1]), 3))
