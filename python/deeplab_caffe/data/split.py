"""What is measured on a list before training: a held-out part, the mean colour, the largest image."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import cv2
import numpy as np

from ..errors import InputError
from ..files import cpus
from ..progress import tracked
from .images import image_size, read_image
from .lists import ListEntry, full_path

Result = TypeVar("Result")


def hold_out(
    entries: Sequence[ListEntry], part: float = 0.1, blocks: int = 5
) -> tuple[list[ListEntry], list[ListEntry]]:
    """Split a list into (rest, held out), the same way every time.

    The held-out lines are `blocks` contiguous blocks spread evenly over the list, not every n-th line: in lists made
    of video frames a held-out frame would otherwise have its near twin in the training part.

    Args:
        part: the share to hold out, 0..1; at least one line is held out and one is left.

    Raises:
        InputError: fewer than two lines, or `part` not between 0 and 1.
    """
    if len(entries) < 2 or not 0 < part < 1:
        raise InputError(f"cannot hold out {part:g} of {len(entries)} list lines; wanted a share 0..1 of two or more")
    count = min(max(round(len(entries) * part), 1), len(entries) - 1)
    blocks = min(blocks, count)
    held: set[int] = set()
    for block in range(blocks):
        end = len(entries) * (block + 1) // blocks
        held.update(range(end - (count * (block + 1) // blocks - count * block // blocks), end))
    rest = [entry for place, entry in enumerate(entries) if place not in held]
    return rest, [entries[place] for place in sorted(held)]


def mean_bgr(
    entries: Sequence[ListEntry], root_folder: str | os.PathLike[str], progress: bool = False
) -> tuple[float, float, float]:
    """Mean colour of all pixels of the list's images: blue, green, red, 0..255."""
    sums = np.zeros(3)
    pixels = 0
    for total, count in _map(_colour_sum, entries, root_folder, progress, "mean colour"):
        sums += total
        pixels += count
    blue, green, red = (sums / pixels).tolist()
    return blue, green, red


def largest_image(
    entries: Sequence[ListEntry], root_folder: str | os.PathLike[str], progress: bool = False
) -> tuple[int, int]:
    """Largest height and largest width (pixels) among the images, read from their headers without decoding."""
    sizes = list(_map(image_size, entries, root_folder, progress, "image sizes"))
    return max(height for height, _ in sizes), max(width for _, width in sizes)


def crop_for(size: tuple[int, int], step: int = 8) -> tuple[int, int]:
    """Smallest (height, width) of the form step*k + 1 that holds `size`: strides then keep both edges aligned."""
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
        raise InputError(f"{what}: the list has no lines")
    paths = [full_path(root_folder, entry.image) for entry in entries]
    with ThreadPoolExecutor(max_workers=min(8, cpus())) as pool:
        results = pool.map(function, paths)
        yield from tracked(results, what, len(paths)) if progress else results


def _colour_sum(path: str) -> tuple[np.ndarray, int]:
    image = read_image(path)
    pixels = image.shape[0] * image.shape[1]
    return np.array(cv2.mean(image))[2::-1] * pixels, pixels
