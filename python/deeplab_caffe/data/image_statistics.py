"""What is measured on the images of a list before training: the mean colour and the largest size."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from ..errors import InputError
from ..lazy import imported_on_use
from ..progress import tracked
from ..threads import mapped
from .images import image_size, read_image
from .lists import ListEntry, full_path

if TYPE_CHECKING:
    import cv2
else:
    cv2 = imported_on_use("cv2")

Result = TypeVar("Result")


def mean_bgr(
    entries: Sequence[ListEntry], root_folder: str | os.PathLike[str], progress: bool = False
) -> tuple[float, float, float]:
    """The mean colour of all pixels of the images in a list: (blue, green, red), 0..255.

    Args:
        entries: the images, such as `read_list` returns them; all of them are read.
        root_folder: put before each name.
        progress: show a progress bar.

    Raises:
        InputError: an image cannot be read; names the file.
    """
    sums = np.zeros(3)
    pixels = 0
    for total, count in _map(_colour_sum, entries, root_folder, progress, "mean colour"):
        sums += total
        pixels += count
    blue, green, red = (sums / pixels).tolist()
    return blue, green, red


def largest_image(
    entries: Sequence[ListEntry],
    root_folder: str | os.PathLike[str],
    progress: bool = False,
    upright: bool = False,
) -> tuple[int, int]:
    """The largest height and the largest width (pixels) of the images in a list, read from their headers.

    upright: after turning them as their EXIF data says.
    """
    sizes = list(_map(partial(image_size, upright=upright), entries, root_folder, progress, "image sizes"))
    return max(height for height, _ in sizes), max(width for _, width in sizes)


def crop_for(size: tuple[int, int], step: int = 8) -> tuple[int, int]:
    """The smallest (height, width) of the form step*k + 1 that contains `size`: strides then keep both edges aligned.

    Example:
        >>> crop_for((375, 500))
        (377, 505)
    """
    height, width = (-(-(side - 1) // step) * step + 1 for side in size)
    return height, width


def _map(
    function: Callable[[str], Result],
    entries: Sequence[ListEntry],
    root_folder: str | os.PathLike[str],
    progress: bool,
    what: str,
) -> Iterable[Result]:
    if not entries:
        raise InputError(f"{what}: the list is empty")
    paths = [full_path(root_folder, entry.image) for entry in entries]
    results = mapped(function, paths)
    yield from tracked(results, what, len(paths)) if progress else results


def _colour_sum(path: str) -> tuple[np.ndarray, int]:
    image = read_image(path)
    pixels = image.shape[0] * image.shape[1]
    return np.array(cv2.mean(image))[2::-1] * pixels, pixels
