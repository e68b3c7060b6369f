"""How often each class occurs in the labels of a list, as a table, and what is wrong or unusual about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ..arrays import NDArray
from ..errors import InputError
from ..lazy import imported_on_use
from ..words import some_of
from .cityscapes import wrong_kind

if TYPE_CHECKING:
    import numpy as np
else:
    np = imported_on_use("numpy")

#: more ignored pixels than this are more than borders between objects (VOC's take 5 %)
_BORDER = 0.2


@dataclass(frozen=True, eq=False)
class LabelCounts:
    """What the labels of one list hold.

    Attributes:
        where: the list, for messages, such as "list 'train' (lists/train.txt)".
        files: (N, 256) pixels of each value in each label file.
        classes: the names of the classes.
        ignore_label: value of ignored pixels.
        trained: whether the list is trained on.
        paths: of the label files, whose names may say what they hold; empty if not known.
    """

    where: str
    files: NDArray[np.integer]
    classes: Sequence[str]
    ignore_label: int | None
    trained: bool = True
    paths: Sequence[str] = ()

    @property
    def pixels(self) -> NDArray[np.int64]:
        """Pixels of each value, (256,)."""
        return self.files.sum(0, dtype=np.int64)

    @property
    def images(self) -> NDArray[np.int64]:
        """Label files that hold each value, (256,)."""
        return (self.files > 0).sum(0)

    @property
    def present(self) -> list[int]:
        """The values that occur and are not ignored."""
        return [int(value) for value in np.flatnonzero(self.pixels) if value != self.ignore_label]

    @property
    def ignored(self) -> NDArray[np.float64]:
        """Fraction of ignored pixels in each file, (N,)."""
        if self.ignore_label is None:
            return np.zeros(len(self.files))
        return self.files[:, self.ignore_label] / np.maximum(self.files.sum(1), 1)

    def name(self, value: int) -> str:
        """A value with the name of its class: 3 'car'."""
        return f"{value} '{self.classes[value]}'" if value < len(self.classes) else str(value)

    def names(self, values: Sequence[int]) -> str:
        """At most ten values with their names."""
        return some_of([*map(self.name, values)], 10)


class Findings(NamedTuple):
    """Messages: `errors` are certainly mistakes, `warnings` may be intended."""

    errors: list[str]
    warnings: list[str]


def examine(taught: Sequence[LabelCounts], others: Sequence[LabelCounts]) -> Findings:
    """Look for labels that make no sense, in each list and between lists.

    Args:
        taught: the lists of the first training stage.
        others: lists to test on, and lists of a second training stage.
    """
    found = Findings([], [])
    for counts in (*taught, *others):
        if message := _first(_ERRORS, counts):
            found.errors.append(message)
            continue
        found.warnings.extend(message for rule in _WARNINGS if (message := rule(counts)))
    if taught and not found.errors:
        found.warnings.extend(_never_trained(taught, [counts for counts in others if not counts.trained]))
    return Findings(found.errors, list(dict.fromkeys(found.warnings)))


def check_class_count(classes: Sequence[str], where: str) -> None:
    """Raise InputError for fewer than two classes, of which a softmax can learn nothing."""
    if len(classes) < 2:
        raise InputError(
            f"{where}: classes has one entry, '{classes[0]}': the softmax over one class is 1 and the loss 0, whatever "
            f'the labels are. Name the background as a class too: classes = ["background", "{classes[0]}"], with '
            "labels of 0 and 1"
        )


def histogram(lists: Mapping[str, LabelCounts]) -> str:
    """A table: percent of the pixels, and number of images, per class and list; the last row is of ignored pixels."""
    first = next(iter(lists.values()))
    values = [*range(len(first.classes))]
    if first.ignore_label is not None and first.ignore_label >= len(values):
        values.append(first.ignore_label)
    names = [f"{v:>3} {first.classes[v] if v < len(first.classes) else '(ignored)'}" for v in values]
    width = max(map(len, [*names, "labels"]))
    columns = [_column(name, counts, values) for name, counts in lists.items()]
    rows = zip(["labels", *names], *columns, strict=True)
    return "\n".join(f"{name:<{width}}" + "".join(cells) for name, *cells in rows)


def _column(name: str, counts: LabelCounts, values: Sequence[int]) -> list[str]:
    pixels, images = counts.pixels, counts.images
    total = max(int(pixels.sum()), 1)
    cells = [f"{100 * pixels[v] / total:.3g} %" if pixels[v] else "-" for v in values]
    lines = [f"{cell:>9} {images[v]:>7}" for cell, v in zip(cells, values, strict=True)]
    width = max(len(name), 9)
    return [f"  {name:>{width}}  images", *(f"  {line:>{width + 8}}" for line in lines)]


# -- rules about one list


def _all_ignored(counts: LabelCounts) -> str | None:
    if counts.present:
        return None
    purpose = "learn" if counts.trained else "score"
    return (
        f"{counts.where}: every pixel of all {len(counts.files)} labels is {counts.ignore_label}, the ignore label: "
        f"there is nothing to {purpose}. Either ignore_label is wrong, or the files are not the labels"
    )


def _one_value(counts: LabelCounts) -> str | None:
    """A training list of one class: the net learns to answer it everywhere, and scores 100."""
    if len(counts.present) != 1 or not counts.trained:
        return None
    return f"{_only(counts)}: the loss falls to 0, whatever the images show. {_cause_of_one_value(counts)}"


def _one_value_tested(counts: LabelCounts) -> str | None:
    if len(counts.present) != 1 or counts.trained:
        return None
    return f"{_only(counts)}: scores on this list say nothing. {_cause_of_one_value(counts)}"


def _only(counts: LabelCounts) -> str:
    apart = ", apart from ignored ones," if counts.ignored.any() else ""
    return f"{counts.where}: every pixel of all {len(counts.files)} labels{apart} is {counts.name(counts.present[0])}"


def _cause_of_one_value(counts: LabelCounts) -> str:
    (value,), ignored = counts.present, counts.ignore_label
    if value == 0 and counts.ignored.mean() > 0:
        return (
            f"Labels of only 0 and {ignored} are masks, whose {ignored} is the object, not 'ignored': write it as "
            f"class 1: deeplab dataset convert-labels FOLDER -o NEW_FOLDER --map {ignored}=1"
        )
    return "Check that the second word of each line names the label, and that it was not saved empty"


def _mostly_ignored(counts: LabelCounts) -> str | None:
    share = counts.files[:, counts.ignore_label].sum() / counts.files.sum() if counts.ignore_label is not None else 0
    many = int((counts.ignored > 0.5).sum())
    if share <= _BORDER and many * 10 <= len(counts.files):
        return None
    return (
        f"{counts.where}: {100 * share:.0f} % of the pixels are {counts.ignore_label}, the ignore label; in {many} of "
        f"{len(counts.files)} labels more than half. That is more than borders between objects: if it is not "
        "intended, a class was written with this value, or ignore_label is wrong"
    )


def _from_one(counts: LabelCounts) -> str | None:
    present = counts.present
    if len(present) < 2 or present[0] != 1 or counts.ignore_label == 0:
        return None
    return (
        f"{counts.where}: the values {present[0]} to {present[-1]} occur, but never 0 '{counts.classes[0]}'. If the "
        "labels count the classes from 1, subtract 1: deeplab dataset convert-labels FOLDER -o NEW_FOLDER --subtract 1"
    )


def _ignored_class(counts: LabelCounts) -> str | None:
    if counts.ignore_label is None or counts.ignore_label >= len(counts.classes):
        return None
    return (
        f"ignore_label = {counts.ignore_label} is also the class {counts.name(counts.ignore_label)}: its pixels are "
        "neither trained on nor scored. Set ignore_label = 255 if the class is to be learned"
    )


def _other_kind(counts: LabelCounts) -> str | None:
    """Cityscapes' ids and train ids: both look like classes to the other."""
    why = wrong_kind(counts.classes, counts.pixels, counts.paths)
    return f"{counts.where}: {why}" if why else None


Rule = Callable[[LabelCounts], str | None]
_ERRORS: tuple[Rule, ...] = (_all_ignored, _one_value, _other_kind)
_WARNINGS: tuple[Rule, ...] = (_one_value_tested, _ignored_class, _mostly_ignored, _from_one)


def _first(rules: Sequence[Rule], counts: LabelCounts) -> str | None:
    return next((message for rule in rules if (message := rule(counts))), None)


# -- rules about several lists


def _never_trained(trained: Sequence[LabelCounts], tested: Sequence[LabelCounts]) -> list[str]:
    """Classes that no label that is trained on has."""
    first, warnings = trained[0], []
    known = {value for counts in trained for value in counts.present}
    wanted = [v for v in range(len(first.classes)) if v != first.ignore_label]
    absent = [value for value in wanted if value not in known]
    where = " and ".join(counts.where for counts in trained)
    for counts in tested:
        only = [value for value in absent if value in counts.present]
        if only:
            text = f"{counts.where} has classes that {where} does not have: {first.names(only)}; their IoU will be 0"
            warnings.append(f"{text}. Split the images so that each class is in both lists")
    if absent:
        text = f"{where}: no label has {first.names(absent)}, so the net cannot learn "
        warnings.append(f"{text}{'it' if len(absent) == 1 else 'them'}. Remove unused classes from `classes`")
    return warnings
