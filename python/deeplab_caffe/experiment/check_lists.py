"""Checks of every image and label of a list: sizes, orientation, invalid values, and what the labels hold."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..data import Dataset, ListEntry, check_labels, read_label
from ..data.images import ImageHeader, check_complete, image_header
from ..data.label_statistics import LabelCounts, value_counts
from ..errors import InputError
from ..files import cpus
from ..progress import tracked


class _Seen(NamedTuple):
    """Of one line: the pixels of each value of the label (256,), its size, and the header of the image."""

    counts: NDArray[np.uint32]
    size: tuple[int, int]
    image: ImageHeader

    def fits(self, upright: bool) -> bool:
        """Whether the label has the size of the image, turned upright or as stored."""
        height, width, orientation = self.image
        return self.size == ((width, height) if upright and orientation >= 5 else (height, width))


def check_list(dataset: Dataset, name: str, entries: Sequence[ListEntry], trained: bool) -> LabelCounts:
    """Read every label once, so that what is wrong is found now and not during training.

    Args:
        dataset: the data set.
        name: of the list.
        entries: its lines, each with a label.
        trained: whether the list is trained on.

    Returns:
        How often each value occurs in each label.

    Raises:
        InputError: a label or image is damaged or of the wrong size, a value is not a class, or images are not upright
            and the data set does not say whether to turn them; names list and line.
    """

    def look(entry: ListEntry) -> _Seen:
        path = dataset.path_of(entry.label or "")
        try:
            label = read_label(path)
            header = image_header(dataset.path_of(entry.image))
            check_complete(dataset.path_of(entry.image))
            seen = _Seen(value_counts(label).astype(np.uint32), (label.shape[0], label.shape[1]), header)
            if dataset.exif or header.orientation == 1:
                _check_size(seen, dataset, entry)
            return seen
        except InputError as error:
            raise InputError(f"{dataset.lists[name]}:{entry.line}: {error}") from None

    with ThreadPoolExecutor(max(2, cpus())) as pool:
        labels = pool.map(look, entries)
        found = list(tracked(labels, f"labels of {name}", len(entries), unit="image"))
    _check_orientation(dataset, name, entries, found)
    files = np.stack([seen.counts for seen in found])
    _check_values(dataset, name, entries, files)
    paths = [entry.label or "" for entry in entries]
    return LabelCounts(where(dataset, name), files, dataset.classes, dataset.ignore_label, trained, paths)


def check_images(dataset: Dataset, name: str, entries: Sequence[ListEntry]) -> None:
    """Check the images of a list without labels, as `check_list` does.

    Raises:
        InputError: an image is damaged, or images are not upright and the data set does not say whether to turn them;
            names list and line.
    """

    def look(entry: ListEntry) -> ImageHeader:
        path = dataset.path_of(entry.image)
        try:
            check_complete(path)
            return image_header(path)
        except InputError as error:
            raise InputError(f"{dataset.lists[name]}:{entry.line}: {error}") from None

    with ThreadPoolExecutor(max(2, cpus())) as pool:
        found = list(tracked(pool.map(look, entries), f"images of {name}", len(entries), unit="image"))
    turned = [(entry, header) for entry, header in zip(entries, found, strict=True) if header.orientation != 1]
    if turned and not dataset.exif:
        entry, header = turned[0]
        raise _not_upright(dataset, name, f"{len(turned)} of {len(entries)}", entry, header.orientation)


def where(dataset: Dataset, name: str) -> str:
    """A list in messages."""
    return f"list '{name}' ({dataset.lists[name]})"


def _check_size(seen: _Seen, dataset: Dataset, entry: ListEntry) -> None:
    if not seen.fits(dataset.upright):
        turned = dataset.upright and seen.image.orientation >= 5
        width, height = (seen.image.height, seen.image.width) if turned else (seen.image.width, seen.image.height)
        raise InputError(
            f"label {dataset.path_of(entry.label or '')} is {seen.size[1]}×{seen.size[0]} pixels, but its image "
            f"{dataset.path_of(entry.image)} is {width}×{height}{' after it is turned' * turned}; both must have the "
            "same size"
        )


def _check_orientation(dataset: Dataset, name: str, entries: Sequence[ListEntry], found: Sequence[_Seen]) -> None:
    """Refuse images whose stored pixels are not upright, unless the data set says which way the labels lie."""
    turned = [(entry, seen) for entry, seen in zip(entries, found, strict=True) if seen.image.orientation != 1]
    if not turned or dataset.exif:
        return
    entry, seen = turned[0]
    fits = {key: all(s.fits(upright) for _, s in turned) for key, upright in (("apply", True), ("ignore", False))}
    key = next((key for key in fits if list(fits.values()).count(True) == 1 and fits[key]), None)
    hint = f' The sizes of the labels say: exif = "{key}".' if key else ""
    count = f"{len(turned)} of {len(entries)}"
    raise _not_upright(dataset, name, count, entry, seen.image.orientation, hint)


def _not_upright(
    dataset: Dataset, name: str, count: str, entry: ListEntry, orientation: int, hint: str = ""
) -> InputError:
    return InputError(
        f"{where(dataset, name)}: {count} images have an EXIF orientation other than 1, such "
        f"as {dataset.path_of(entry.image)} in line {entry.line} (orientation {orientation}): most programs "
        f"show them turned. State in {dataset.file} on which pixels the labels were drawn: "
        f'exif = "apply" on the turned image, exif = "ignore" on the pixels as stored.{hint} Or turn the files '
        "themselves, for instance by: mogrify -auto-orient FILE"
    )


def _check_values(dataset: Dataset, name: str, entries: Sequence[ListEntry], files: NDArray[np.uint32]) -> None:
    """Refuse the first label with a value that is not a class; all values of the list help to tell why."""
    values = {int(value) for value in np.flatnonzero(files.any(0))}
    bad = [value for value in values if value >= dataset.num_classes and value != dataset.ignore_label]
    if not bad:
        return
    entry = entries[int(np.flatnonzero(files[:, bad].any(1))[0])]
    path = dataset.path_of(entry.label or "")
    try:
        check_labels(read_label(path), dataset.num_classes, dataset.ignore_label, path, values)
    except InputError as error:
        raise InputError(f"{dataset.lists[name]}:{entry.line}: {error}") from None
