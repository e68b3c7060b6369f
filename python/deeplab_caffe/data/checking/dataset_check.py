"""The check of a whole data set: every file of every list is read once; it goes on after a fault."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np

from ...errors import InputError
from ...progress import tracked
from ...threads import mapped
from ..dataset import Dataset
from ..image_statistics import crop_for
from ..label_statistics import LabelCounts, check_class_count, examine
from ..list_advice import advice, advice_for_word
from ..lists import ListEntry, read_words
from .findings import Finding, Findings
from .pairs import Seen, look, value_fault


class Line(NamedTuple):
    """A line of a list, and what its files hold, which all lines with the same two files share."""

    number: int
    entry: ListEntry
    seen: Seen


@dataclass
class ListCheck:
    """A list that was read.

    Attributes:
        name: in the data set.
        trained: whether it is trained on: its name begins with "train".
        lines: those that name an image.
    """

    name: str
    trained: bool
    lines: list[Line] = field(default_factory=list)

    @property
    def images(self) -> set[str]:
        """The words that name its images."""
        return {line.entry.image for line in self.lines}

    def counts(self, dataset: Dataset) -> LabelCounts | None:
        """What its labels hold; None if it has none."""
        labels = [(line.entry.label or "", line.seen.counts) for line in self.lines]
        files = [counts for _, counts in labels if counts is not None]
        if not files:
            return None
        paths = [path for path, counts in labels if counts is not None]
        where = dataset.where(self.name)
        return LabelCounts(where, np.stack(files), dataset.classes, dataset.ignore_label, self.trained, paths)

    def sizes(self, upright: bool) -> list[tuple[int, int]]:
        """(height, width) of each image whose header could be read."""
        return [line.seen.header.size(upright) for line in self.lines if line.seen.header]


@dataclass
class DatasetCheck:
    """The data set, the lists that were read, and what was found."""

    dataset: Dataset
    lists: list[ListCheck] = field(default_factory=list)
    findings: Findings = field(default_factory=Findings)


def check_dataset(dataset: Dataset, names: Sequence[str] = ()) -> DatasetCheck:
    """Read every list, image and label of a data set once.

    Args:
        dataset: the data set.
        names: of the lists; without names all that exist.

    Raises:
        InputError: a named list is unknown, or no list exists.
    """
    check = DatasetCheck(dataset)
    wanted = list(dict.fromkeys(names)) or [name for name in dataset.lists if _exists(check, name)]
    message = dataset.missing(wanted or list(dataset.lists)[:1])
    if message or not wanted:
        raise InputError(message or f"{dataset.file}: has no lists; add them under [lists]")
    check_class_count(dataset.classes, str(dataset.file))
    entries = {name: _entries(check, name) for name in wanted}
    pairs = {_files(entry): (name, entry) for name in reversed(wanted) for entry in reversed(entries[name])}
    seen: dict[tuple[str, str | None], Seen] = {}
    firsts = list(reversed(pairs.values()))
    for (name, entry), found in zip(firsts, _looks(dataset, [entry for _, entry in firsts]), strict=True):
        seen[_files(entry)] = found
        for kind, text, file in found.faults:
            check.findings.add(
                kind, Finding(f"{dataset.lists[name]}:{entry.line}", text + _hint(kind, dataset, entry), file)
            )
    _judge_values(check, firsts, seen)
    for name in wanted:
        lines = [Line(entry.line, entry, seen[_files(entry)]) for entry in entries[name]]
        check.lists.append(ListCheck(name, name.startswith("train"), lines))
    for rule in _RULES:
        rule(check)
    return check


def _files(entry: ListEntry) -> tuple[str, str | None]:
    return entry.image, entry.label


def _exists(check: DatasetCheck, name: str) -> bool:
    path = check.dataset.lists[name]
    if path.exists():
        return True
    check.findings.add("missing-list", Finding(str(path), f"list '{name}': there is no such file"))
    return False


def _entries(check: DatasetCheck, name: str) -> list[ListEntry]:
    """The lines of a list that name an image; what is wrong with the others is found."""
    path = check.dataset.lists[name]
    try:
        lines = read_words(path)
    except InputError as error:
        check.findings.add("list", Finding(str(path), str(error)))
        return []
    labelled = any(len(words) > 1 for _, words in lines)
    entries = []
    for number, words in lines:
        place = f"{path}:{number}"
        if not words:
            check.findings.add("blank-line", Finding(place, "is blank; expected '<image> <label>'"))
            continue
        if labelled and len(words) == 1:
            check.findings.add("no-label", Finding(place, f"'{words[0]}' has no label. {advice_for_word(words[0])}"))
        if len(words) > 2:
            check.findings.add("more-words", Finding(place, f"'{' '.join(words)}' has {len(words)} words"))
        entries.append(ListEntry(words[0], words[1] if len(words) > 1 else None, number))
    return entries


def _looks(dataset: Dataset, entries: Sequence[ListEntry]) -> Iterator[Seen]:
    """What each line's files hold, in order."""
    seen = mapped(partial(look, dataset, pixels=True), entries)
    return tracked(seen, "images and labels", len(entries))


def _hint(kind: str, dataset: Dataset, entry: ListEntry) -> str:
    """What to do about a file that is missing."""
    if not kind.startswith("missing-"):
        return ""
    word = entry.image if kind == "missing-image" else entry.label or ""
    words = [entry.image, entry.label or ""]
    return f". {advice(word, dataset.root_folder(word), words)}"


def _judge_values(
    check: DatasetCheck, firsts: Sequence[tuple[str, ListEntry]], seen: dict[tuple[str, str | None], Seen]
) -> None:
    dataset, total = check.dataset, np.zeros(256, np.int64)
    for found in seen.values():
        if found.counts is not None:
            total += found.counts
    values = {int(value) for value in np.flatnonzero(total)}
    for name, entry in firsts:
        fault = value_fault(seen[_files(entry)], dataset, dataset.path_of(entry.label or ""), values)
        if fault:
            check.findings.add("value", Finding(f"{dataset.lists[name]}:{entry.line}", fault.text, fault.file))


# -- rules about whole lists


def _repeated_lines(check: DatasetCheck) -> None:
    for checked in check.lists:
        first: dict[tuple[str, str | None], int] = {}
        for line in checked.lines:
            before = first.setdefault(_files(line.entry), line.number)
            if before != line.number:
                place = f"{check.dataset.lists[checked.name]}:{line.number}"
                check.findings.add("repeated", Finding(place, f"'{line.entry.image}' as in line {before}"))


def _label_findings(check: DatasetCheck) -> None:
    """What `deeplab data` refuses or warns of, for all lists; those named train… are trained on."""
    counted = [(checked, checked.counts(check.dataset)) for checked in check.lists]
    taught = [c for checked, c in counted if c is not None and _is_taught(checked.name)]
    others = [c for checked, c in counted if c is not None and not _is_taught(checked.name)]
    found = examine(taught, others)
    for kind, texts in (("useless-labels", found.errors), ("labels", found.warnings)):
        for text in texts:
            check.findings.add(kind, Finding("", text))


def _is_taught(name: str) -> bool:
    """Whether a list is one of stage 1: train, train_aug …, but not trainval, which has the images of val too."""
    return name.startswith("train") and not name.startswith("trainval")


def _shared_images(check: DatasetCheck) -> None:
    tested = [checked for checked in check.lists if checked.name.startswith(("val", "test"))]
    for first in [checked for checked in check.lists if _is_taught(checked.name)]:
        for second in tested:
            both = first.images & second.images
            if both:
                line = next(line for line in first.lines if line.entry.image in both)
                text = f"{len(both)} images of list '{first.name}' are also in list '{second.name}': {line.entry.image}"
                place = f"{check.dataset.lists[first.name]}:{line.number}"
                check.findings.add("shared-images", Finding(place, text, line.entry.image))


def _test_size(check: DatasetCheck) -> None:
    dataset = check.dataset
    for checked in check.lists:
        sizes = checked.sizes(dataset.upright)
        if checked.trained or not sizes or not dataset.test_size:
            continue
        largest = max(height for height, _ in sizes), max(width for _, width in sizes)
        if largest[0] > dataset.test_size[0] or largest[1] > dataset.test_size[1]:
            text = (
                f"{dataset.where(checked.name)}: images are up to {largest[0]}×{largest[1]} (height × width), but "
                f"test_size is {dataset.test_size[0]}×{dataset.test_size[1]}; set test_size = {list(crop_for(largest))}"
            )
            check.findings.add("test-size", Finding(str(dataset.lists[checked.name]), text))


_RULES = (_repeated_lines, _label_findings, _shared_images, _test_size)
