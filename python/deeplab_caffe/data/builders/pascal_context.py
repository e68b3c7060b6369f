"""PASCAL-Context (Mottaghi et al., CVPR 2014): VOC 2010's images labelled all over, reduced to 59 classes.

An image's `.mat` has `LabelMap`, whose values 1..459 are the lines of labels.txt. The 59 most frequent classes are
those of 59_labels.txt, all else is background; so nothing is ignored. Train and val are VOC 2010's.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ...arrays import Label
from ...errors import InputError
from ...formats.mat_files import read_mat
from ...reading import read_text
from . import voc2010
from .pieces import Need, Piece, obtain
from .request import Builder, Built, Request
from .written import count_lines

COUNTS = {"train": 4998, "val": 5105}
#: the classes in the order of datasets/pascal_context.toml
CLASSES = (
    *("background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "table"),
    *("dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor", "bag", "bed"),
    *("bench", "book", "building", "cabinet", "ceiling", "cloth", "computer", "cup", "door", "fence", "floor"),
    *("flower", "food", "grass", "ground", "keyboard", "light", "mountain", "mouse", "curtain", "platform", "sign"),
    *("plate", "road", "rock", "shelves", "sidewalk", "sky", "snow", "bedclothes", "track", "tree", "truck", "wall"),
    *("water", "window", "wood"),
)
#: names that labels.txt and 59_labels.txt spell differently
SPELLINGS = {"diningtable": "table", "bedcloth": "bedclothes", "clothes": "cloth"}
LABELS = "SegmentationClassContext"

ARCHIVE = Piece(
    "trainval.tar.gz",
    "https://www.cs.stanford.edu/~roozbeh/pascal-context/trainval.tar.gz",
    size=30_700_000,
    limit=10**9,
    into="pascal_context",
    wanted=lambda name: name.endswith((".mat", ".txt")) and "Annotations_Part" not in name,
)
_AGAIN = f"unpack PASCAL-Context's {ARCHIVE.name} again"
_OTHER_SPELLING = {ours: other for other, ours in SPELLINGS.items()}
_MOST = 9999  # more than there are labels; the table of classes is as long as the largest
_LINE = re.compile(r"\s*(\d{1,4})\s*:\s*(\S.*?)\s*")


def _build(request: Request) -> Built:
    folder, root = request.folder, voc2010.root_of(request.folder)
    count = obtain(request, voc2010.need(folder), Need(ARCHIVE, lambda: _missing(folder)))
    if unlabelled := voc2010.unlabelled(root, LABELS):
        count += _write_labels(unlabelled, root, folder, request.progress)
    count += voc2010.write_lists_of(root, LABELS, voc2010.split(root))
    return Built(root, count_lines(root, COUNTS), count)


def _write_labels(names: list[str], root: Path, folder: Path, progress: bool) -> int:
    annotations, names_file = _annotations(folder) or folder, _names_file(folder) or folder
    table = class_table(names_file, names_file.with_name("59_labels.txt"))

    def read(name: str, source: Path) -> Label:
        return read_context_label(source, table)

    return voc2010.write_labels_of(root, LABELS, names, annotations, read, progress)


BUILDER = Builder(
    "pascal_context",
    "PASCAL-Context, 59 classes and background",
    "Downloads VOC 2010 (1.3 GB) and PASCAL-Context's labels (31 MB).",
    _build,
    COUNTS,
)


def class_table(names: str | os.PathLike[str], chosen: str | os.PathLike[str]) -> Label:
    """The class of each value of `LabelMap`, (largest value + 1,) uint8: by name, 0 for those that are no class.

    Args:
        names: labels.txt, with lines such as "34: bedclothes".
        chosen: 59_labels.txt; if it exists, it is checked to name the same 59 classes.

    Raises:
        InputError: a file is damaged, or a class is missing; names file, line and class.
    """
    values = _read_names(names)
    if os.path.isfile(chosen):
        _check_chosen(chosen, _read_names(chosen))
    table = np.zeros(max(values.values()) + 1, np.uint8)
    for index, name in enumerate(CLASSES[1:], 1):
        value = values.get(name) or values.get(_OTHER_SPELLING.get(name, name))
        if not value:
            raise InputError(f"{os.fspath(names)}: has no class '{name}'; {_AGAIN}")
        table[value] = index
    return table


def _check_chosen(path: str | os.PathLike[str], names: Mapping[str, int]) -> None:
    found = {SPELLINGS.get(name, name) for name in names}
    for words, odd in (("lacks the class", set(CLASSES[1:]) - found), ("has the unknown class", found - {*CLASSES})):
        if odd:
            raise InputError(f"{os.fspath(path)}: {words} '{min(odd)}'; expected the 59 classes of PASCAL-Context")


def _read_names(path: str | os.PathLike[str]) -> dict[str, int]:
    """name → number of the lines "number: name"; names without blanks."""
    found: dict[str, int] = {}
    for number, line in enumerate(read_text(path, "the names of the labels").splitlines(), 1):
        match = _LINE.fullmatch(line)
        if match and 1 <= int(match[1]) <= _MOST:
            found[re.sub(r"\s", "", match[2])] = int(match[1])
        elif line.strip():
            expected = f"expected a number from 1 to {_MOST} and a name, such as '1: accordion'"
            raise InputError(f"{os.fspath(path)}:{number}: '{line[:80]}': {expected}")
    if not found:
        raise InputError(f"{os.fspath(path)}: is empty; expected lines such as '1: accordion'")
    return found


def read_context_label(path: str | os.PathLike[str], table: Label) -> Label:
    """The label of one of PASCAL-Context's `.mat` files, (H, W) uint8 classes.

    Args:
        path: the file, with `LabelMap` (H, W).
        table: the class of each value, as `class_table` makes it.

    Raises:
        InputError: the file is missing, damaged or has other values.
    """
    label = read_mat(path, "LabelMap", voc2010.LARGEST)
    if not isinstance(label, np.ndarray) or label.ndim != 2 or not label.size:
        what = f"{label.dtype} of shape {label.shape}" if isinstance(label, np.ndarray) else type(label).__name__
        raise InputError(f"{os.fspath(path)}: expected LabelMap (H, W) of numbers, got {what}; {_AGAIN}")
    low, high = label.min(), label.max()
    inside = bool(low >= 0 and high < len(table))
    if not inside or (label.dtype.kind == "f" and (label % 1).any()):
        values = "values that are not whole" if inside else f"values {low}..{high}"
        raise InputError(f"{os.fspath(path)}: expected LabelMap of 0..{len(table) - 1}, got {values}")
    return table[label.astype(np.intp)]


# -- where things lie


def _annotations(folder: Path) -> Path | None:
    """The folder of `.mat` files: that of the archive, or without its folder trainval, or beside VOC 2010."""
    places = (folder / "pascal_context" / "trainval", folder / "pascal_context")
    return voc2010.first_folder((*places, voc2010.root_of(folder) / "trainval"), "*.mat")


def _names_file(folder: Path) -> Path | None:
    """labels.txt, beside the folder of `.mat` files or within it."""
    annotations = _annotations(folder) or folder / "pascal_context" / "trainval"
    places = [annotations.parent, annotations, folder / "pascal_context"]
    return next((place / "labels.txt" for place in places if (place / "labels.txt").is_file()), None)


def _missing(folder: Path) -> list[Path]:
    root, base = voc2010.root_of(folder), folder / "pascal_context"
    if not voc2010.missing_lists(root) and not voc2010.unlabelled(root, LABELS):
        return []
    lacking = [] if _names_file(folder) else [base / "labels.txt"]
    return lacking + ([] if _annotations(folder) else [base / "trainval" / "*.mat"])
