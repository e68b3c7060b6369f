"""Checks of every image and label of a list: sizes, orientation, invalid values, and what the labels hold."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..data import Dataset, ListEntry
from ..data.checking import KINDS, NOTE, Seen, look, value_fault
from ..data.label_statistics import LabelCounts
from ..data.lists import read_words
from ..errors import InputError
from ..progress import tracked
from ..threads import mapped


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
    found = _look_at_all(dataset, name, entries, "labels")
    _check_orientation(dataset, name, entries, found)
    counted = [(entry.label or "", seen.counts) for entry, seen in zip(entries, found, strict=True)]
    files = np.stack([counts for _, counts in counted if counts is not None])
    _check_values(dataset, name, entries, found, files)
    paths = [path for path, counts in counted if counts is not None]
    return LabelCounts(dataset.where(name), files, dataset.classes, dataset.ignore_label, trained, paths)


def check_images(dataset: Dataset, name: str, entries: Sequence[ListEntry]) -> None:
    """Check the images of a list without labels, as `check_list` does.

    Raises:
        InputError: an image is damaged, or images are not upright and the data set does not say whether to turn them;
            names list and line.
    """
    _check_orientation(dataset, name, entries, _look_at_all(dataset, name, entries, "images"))


def _look_at_all(dataset: Dataset, name: str, entries: Sequence[ListEntry], what: str) -> list[Seen]:
    """Read the files of all lines; raises InputError for the first fault."""

    def look_at(entry: ListEntry) -> Seen:
        seen = look(dataset, entry)
        for fault in seen.faults:
            if fault.kind != "not-upright" and KINDS[fault.kind].severity != NOTE:
                raise InputError(f"{dataset.lists[name]}:{entry.line}: {fault.text}")
        return seen

    return list(tracked(mapped(look_at, entries), f"{what} of {name}", len(entries)))


def warn_of_more_words(dataset: Dataset, names: Iterable[str]) -> None:
    """Warn of lines with more than two words, of which the third and all others are ignored, as in Caffe."""
    for name in names:
        longer = [(number, words) for number, words in read_words(dataset.list_path(name)) if len(words) > 2]
        if longer:
            number, words = longer[0]
            print(
                f"warning: {dataset.where(name)}: {len(longer)} lines have more than two words, such as line {number}: "
                f"'{' '.join(words)}'; the third and all others are ignored. {KINDS['more-words'].advice}",
                file=sys.stderr,
                flush=True,
            )


def _check_orientation(dataset: Dataset, name: str, entries: Sequence[ListEntry], found: Sequence[Seen]) -> None:
    """Refuse images whose stored pixels are not upright, unless the data set says which way the labels lie."""
    turned = [(entry, seen) for entry, seen in zip(entries, found, strict=True) if _is_turned(seen)]
    if not turned or dataset.exif:
        return
    entry, seen = turned[0]
    fits = {key: all(s.fits(upright) for _, s in turned) for key, upright in (("apply", True), ("ignore", False))}
    key = next((key for key in fits if list(fits.values()).count(True) == 1 and fits[key]), None)
    hint = f' The sizes of the labels say: exif = "{key}".' if key else ""
    orientation = seen.header.orientation if seen.header else 1
    raise InputError(
        f"{dataset.where(name)}: {len(turned)} of {len(entries)} images have an EXIF orientation other than 1, such "
        f"as {dataset.path_of(entry.image)} in line {entry.line} (orientation {orientation}): most programs "
        f"show them turned. State in {dataset.file} on which pixels the labels were drawn: "
        f'exif = "apply" on the turned image, exif = "ignore" on the pixels as stored.{hint} Or turn the files '
        "themselves, for instance by: mogrify -auto-orient FILE"
    )


def _is_turned(seen: Seen) -> bool:
    return seen.header is not None and seen.header.orientation != 1


def _check_values(
    dataset: Dataset, name: str, entries: Sequence[ListEntry], found: Sequence[Seen], files: NDArray[np.uint32]
) -> None:
    """Refuse the first label with a value that is not a class; all values of the list help to tell why."""
    values = {int(value) for value in np.flatnonzero(files.any(0))}
    for entry, seen in zip(entries, found, strict=True):
        fault = value_fault(seen, dataset, dataset.path_of(entry.label or ""), values)
        if fault:
            raise InputError(f"{dataset.lists[name]}:{entry.line}: {fault.text}")
