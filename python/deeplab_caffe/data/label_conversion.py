"""Converts label files: colours to class indices, other values, and plain 8-bit grey, which a C++ Caffe can read.

All files are converted before the first one is written to its place, so that a fault leaves the output as it was.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..arrays import Label
from ..errors import InputError
from ..files import put, temporary_folder
from ..progress import tracked
from ..threads import mapped
from .cityscapes import IGNORED, TRAIN_IDS, seem_ids, seem_train_ids
from .labels import read_label, value_counts, values_of, write_grey_label

_OTHER_SUFFIXES = (".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff")

_MOST = 50_000  # values or colours that are counted apart

#: reads a file as the labels to write, (H, W), and notes in a tally what it held
Reader = Callable[[Path, "Tally"], Label]


@dataclass
class Tally:
    """What label files held.

    Attributes:
        pixels: those of each value or colour (0xRRGGBB).
        files: files that have it.
        first: one of them.
    """

    pixels: Counter[int] = field(default_factory=Counter)
    files: Counter[int] = field(default_factory=Counter)
    first: dict[int, Path] = field(default_factory=dict)

    def add(self, path: Path, counts: Mapping[int, int]) -> None:
        """Add the pixels of each value in one file."""
        self.pixels.update(counts)
        self.files.update(counts.keys())
        for value in counts:
            self.first.setdefault(value, path)

    def merge(self, other: Tally) -> None:
        """Add what other files held; of very many colours the first ones are kept, so that memory stays bounded."""
        new = {value for value in other.pixels if value not in self.pixels or len(self.pixels) < _MOST}
        self.pixels.update({value: other.pixels[value] for value in new})
        self.files.update({value: other.files[value] for value in new})
        self.first = {**{value: other.first[value] for value in new}, **self.first}


def value_table(changed: Mapping[int, int], subtract: int = 0, others: int | None = None) -> Label:
    """The new value of each value, (256,) uint8.

    Args:
        changed: old → new values.
        subtract: from all other values but 255; values below 0 or above 255 become 255.
        others: the new value of all values that are not in `changed`; None: they stay.
    """
    table = np.arange(256) - subtract
    table[(table < 0) | (table > 255)], table[255] = 255, 255
    if others is not None:
        table[:] = others
    for old, new in changed.items():
        table[old] = new
    return table.astype(np.uint8)


def by_value(table: Label) -> Reader:
    """Reads class indices and gives each value its new one, (256,)."""

    def read(path: Path, tally: Tally) -> Label:
        label = read_label(path)
        tally.add(path, values_of(value_counts(label)))
        return np.asarray(table[label], np.uint8)

    return read


def accept(tally: Tally) -> None:
    """A check that accepts every tally."""


def refuse_train_ids(folder: str | os.PathLike[str]) -> Callable[[Tally], None]:
    """A check that raises InputError if label files have Cityscapes' train ids already, which are no ids.

    They have 255 and nothing from 19 to 254, and not mostly what is large as ids; or mostly what is large as train ids.
    """

    def check(tally: Tally) -> None:
        pixels = np.array([tally.pixels[value] for value in range(256)])
        only = np.where(np.arange(256) == IGNORED, 0, pixels)
        ends = pixels[IGNORED] and not only[len(TRAIN_IDS) :].any()
        if (ends and not seem_ids(only)) or seem_train_ids(pixels):
            raise InputError(
                f"{os.fspath(folder)}: the labels have Cityscapes' 19 train ids already (*_labelTrainIds.png), not its "
                "ids (*_labelIds.png); nothing was written. They need no conversion"
            )

    return check


def convert_labels(folder: str | os.PathLike[str], output: str | os.PathLike[str], table: Label) -> int:
    """Write every PNG in a folder and its subfolders with other values, as 8-bit grey PNGs, to another folder.

    Args:
        folder: of label files.
        output: where the new files go, under the same relative paths.
        table: (256,), the new value of each value.

    Returns:
        The number of files.

    Raises:
        InputError: there are no label files, one is not a label file, or the folders are the same.
    """
    return len(convert_folder(folder, output, by_value(table))[0])


def convert_folder(
    folder: str | os.PathLike[str],
    output: str | os.PathLike[str],
    read: Reader,
    check: Callable[[Tally], None] = accept,
    in_place: bool = False,
) -> tuple[list[Path], Tally]:
    """Convert every PNG in a folder and its subfolders, and write them as 8-bit grey PNGs.

    Args:
        folder: of label files.
        output: where the new files go, under the same relative paths.
        read: how to convert one file.
        check: raises InputError if what the files held must not be written.
        in_place: whether the output may be the folder itself, whose files are replaced.

    Returns:
        The files that were read, and what they held.

    Raises:
        InputError: there are no label files, one cannot be converted, `check` refuses them, or the folders are the
            same; nothing is written then.
    """
    folder, output = Path(folder), Path(output)
    paths = _label_files(folder, output, in_place)
    tally = Tally()
    with temporary_folder(output) as finished:

        def convert(path: Path) -> Tally:
            own = Tally()
            write_grey_label(finished / path.relative_to(folder), read(path, own))
            return own

        for own in tracked(mapped(convert, paths), "labels", len(paths), unit="label"):
            tally.merge(own)
        check(tally)
        for path in paths:
            target = output / path.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            put(finished / path.relative_to(folder), target)
    return paths, tally


def _label_files(folder: Path, output: Path, in_place: bool) -> list[Path]:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected a folder of label files (PNG)")
    same = output.resolve() == folder.resolve()
    if same and not in_place:
        raise InputError(f"{output}: holds the labels to convert; name another folder for the new ones")
    named = (path for path in folder.rglob("*.*") if path.suffix.lower() == ".png")
    paths = sorted(path for path in named if not _is_hidden(path.relative_to(folder)))
    if not same and folder.resolve() in output.resolve().parents:  # those of an earlier call
        paths = [path for path in paths if output.resolve() not in path.resolve().parents]
    if not paths:
        others = sorted({path.suffix for path in folder.rglob("*.*") if path.suffix.lower() in _OTHER_SUFFIXES})
        raise InputError(f"{folder}: no label files (PNG){f', only {others[0]}' if others else ''}")
    return paths


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
