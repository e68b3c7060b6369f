"""Images that may be larger than the memory: found by id, and mapped where their format allows it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .images import read_image
from .npy import map_values, open_npy

#: endings of images, the mapped ones first
IMAGE_SUFFIXES = (".npy", ".ppm", ".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
_WHAT = "read the image"
_PPM = re.compile(rb"P6(?:\s+#[^\n]*\n|\s)+(\d+)\s+(\d+)\s+255\s")


def find_images(folder: str | os.PathLike[str]) -> dict[str, Path]:
    """The images of a folder by their names without ending; of several endings the first of IMAGE_SUFFIXES.

    Raises InputError for a folder that cannot be listed.
    """
    try:
        paths = [path for path in Path(folder).iterdir() if path.suffix.lower() in IMAGE_SUFFIXES]
    except OSError as error:
        raise InputError(f"{os.fspath(folder)}: cannot list the folder of images: {error.strerror}") from None
    ranked = sorted(paths, key=lambda path: IMAGE_SUFFIXES.index(path.suffix.lower()), reverse=True)
    return {path.stem: path for path in ranked}


def open_image(path: str | os.PathLike[str]) -> NDArray[Any]:
    """The pixels (H, W, 3) RGB, or as a .npy holds them (H, W) or (H, W, bands); .npy and binary .ppm are mapped.

    Raises InputError that names the file.
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
        raise InputError(f"{path}: shape {pixels.shape}; an image is wanted as (H, W) or (H, W, bands)")
    return pixels


def _open_ppm(path: Path) -> NDArray[np.uint8] | None:
    """A binary PPM of 8 bits, mapped; None for another kind, which OpenCV may know."""
    try:
        with path.open("rb") as file:
            match = _PPM.match(file.read(1024))
    except OSError as error:
        raise InputError(f"{path}: cannot {_WHAT}: {error.strerror or error}") from None
    if match is None:
        return None
    return map_values(path, _WHAT, np.uint8, match.end(), (int(match[2]), int(match[1]), 3))
