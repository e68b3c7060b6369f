"""Bootstrapping on hard images (DeepLab v3, arXiv 1706.05587): images with some classes stand twice in a list."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from ..spelling import did_you_mean
from .checking import count_labels
from .dataset import Dataset
from .lists import read_list, write_list


@dataclass(frozen=True)
class Duplicated:
    """A list that was written.

    Attributes:
        path: its file.
        before, after: the number of lines of the list that it was made from, and its own.
        images: class → lines of the former list whose label has it.
    """

    path: Path
    before: int
    after: int
    images: dict[str, int]

    def lines(self) -> list[str]:
        """What was done, in words."""
        found = ", ".join(f"{name} in {count}" for name, count in self.images.items())
        lines = [f"{self.before} images; {found}", f"wrote {self.path}: {self.after} lines"]
        absent = [name for name, count in self.images.items() if not count]
        return lines + ([f"warning: no label has {', '.join(absent)}"] if absent else [])


def duplicate_images(
    dataset: Dataset, list_name: str, classes: Sequence[str], name: str, force: bool = False
) -> Duplicated:
    """Write a list in which the lines of images that have one of these classes stand twice, one behind the other.

    Args:
        dataset: the data set; every label of the list is read.
        list_name: the list to read.
        classes: names of classes.
        name: the list to write: to the file that the data set names for it, else beside the list that was read.
        force: overwrite an existing list that differs.

    Raises:
        InputError: a class or list is unknown, a label cannot be read, or the file exists and differs.
    """
    if not classes:
        raise InputError("no classes are named; expected names such as bicycle,chair")
    values = [_value(dataset, word) for word in classes]
    message = dataset.missing([list_name])
    if message:
        raise InputError(message)
    source = dataset.list_path(list_name)
    if name not in dataset.lists and not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        raise InputError(f"'{name}': expected a name for the list of letters, digits, '_' and '-', such as train_hard")
    target = dataset.lists.get(name, source.with_name(f"{name}{source.suffix}"))
    if target.resolve() == source.resolve():
        raise InputError(f"{target}: is the list '{list_name}' itself; choose another name for the new list")
    entries = dataset.entries(list_name)
    shown = count_labels(dataset, list_name).files[:, values] > 0
    twice = [bool(row.any()) for row in shown]
    lines = [entry for entry, again in zip(entries, twice, strict=True) for _ in range(2 if again else 1)]
    _check_target(target, [(entry.image, entry.label) for entry in lines], force)
    write_list(target, lines)
    images = dict(zip(classes, map(int, shown.sum(0)), strict=True))
    return Duplicated(target, len(entries), len(entries) + sum(twice), images)


def _value(dataset: Dataset, word: str) -> int:
    if word not in dataset.classes:
        hint = did_you_mean(word, dataset.classes, f"; its classes are {', '.join(dataset.classes)}")
        raise InputError(f"{dataset.file}: has no class '{word}'{hint}")
    return dataset.classes.index(word)


def _check_target(target: Path, lines: Sequence[tuple[str, str | None]], force: bool) -> None:
    if force or not target.exists():
        return
    if [(entry.image, entry.label) for entry in read_list(target, needs_label=False)] != lines:
        raise InputError(f"{target}: exists and has other lines; choose another name, or overwrite it with --force")
