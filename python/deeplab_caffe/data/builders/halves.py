"""A copy of a data set with images and labels of half the width and height."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...arrays import Label
from ...errors import InputError
from ...files import replacing
from ...lazy import imported_on_use
from ..images import read_pixels
from ..labels import read_label, write_grey_label
from ..lists import ListEntry, full_path, read_list
from .written import write_labels, write_lists

if TYPE_CHECKING:
    import cv2
else:
    cv2 = imported_on_use("cv2")


def halve_image(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """An image (H, W, 3) at half the size, each pixel the mean of four (cv2.INTER_AREA); odd sizes are rounded up."""
    return np.asarray(cv2.resize(pixels, _half(pixels), interpolation=cv2.INTER_AREA), np.uint8)


def halve_label(label: Label) -> Label:
    """A label (H, W) at half the size, each pixel the upper left of four (cv2.INTER_NEAREST): no class is mixed."""
    return np.asarray(cv2.resize(label, _half(label), interpolation=cv2.INTER_NEAREST), np.uint8)


def _half(pixels: NDArray[np.uint8]) -> tuple[int, int]:
    return (pixels.shape[1] + 1) // 2, (pixels.shape[0] + 1) // 2


def build_half(root: Path, half: Path, names: Iterable[str], progress: bool = True) -> int:
    """Write the images, labels and lists of a data set at half the size; existing files are kept.

    Args:
        root: the data set's folder, with its lists in `list`.
        half: the folder of the new one, with files of the same relative paths.
        names: of the lists; those that do not exist are left out.
        progress: show progress bars.

    Returns:
        The number of files written.

    Raises:
        InputError: an image or label is missing or damaged.
    """
    lists = {name: root / "list" / f"{name}.txt" for name in names}
    entries = {name: read_list(path, needs_label=False) for name, path in lists.items() if path.is_file()}
    every = [entry for listed in entries.values() for entry in listed]
    images = {entry.image: half / _inside(entry.image) for entry in every}
    labels = {entry.label: half / _inside(entry.label) for entry in every if entry.label}

    def image_of(word: str) -> NDArray[np.uint8]:
        return halve_image(read_pixels(_there(root, word)))

    def label_of(word: str) -> Label:
        return halve_label(read_label(_there(root, word)))

    count = write_labels(images, image_of, "images of half the size", _write, progress)
    count += write_labels(labels, label_of, "labels of half the size", write_grey_label, progress)
    return count + sum(write_lists(half, name, map(_words, listed)) for name, listed in entries.items())


def _there(root: Path, word: str) -> str:
    path = full_path(root, word)
    if not os.path.isfile(path):
        raise InputError(f"{path}: does not exist; build the data set of full size again")
    return path


def _inside(word: str) -> str:
    """The relative path for a word of a list, also where it leads out of the root."""
    return os.path.normpath("/" + word).lstrip("/")


def _words(entry: ListEntry) -> tuple[str, str | None]:
    return "/" + _inside(entry.image), "/" + _inside(entry.label) if entry.label else None


def _write(path: Path, pixels: NDArray[np.uint8]) -> None:
    with replacing(path) as temporary:
        if not cv2.imwrite(os.fspath(temporary), pixels):
            raise InputError(f"{path}: cannot write the image")
