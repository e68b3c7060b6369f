"""Cityscapes: unpacks its archives, makes labels of train ids from label ids or polygons, writes lists.

The archives need a registration, so nothing is downloaded.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ...errors import InputError
from ...words import some_of
from ..labels import write_grey_label
from ..lists import read_list
from .cityscapes_labels import LabelFiles, check_ids, check_train_ids, train_ids_of
from .halves import build_half
from .pieces import Need, Piece, find, obtain, size_of
from .request import Builder, Built, Option, Request
from .written import count_lines, word_of, write_labels, write_lists

_PAGE = "https://www.cityscapes-dataset.com/downloads (after registering)"
_IMAGE = "_leftImg8bit.png"


class _Split(NamedTuple):
    """A folder of images: the folder of its labels, "" if it has none, and the published number of images."""

    name: str
    labels: str
    size: int


_SPLITS = (
    _Split("train", "gtFine", 2975),
    _Split("val", "gtFine", 500),
    _Split("test", "", 1525),
    _Split("train_extra", "gtCoarse", 19998),
)
#: the splits of each list; those of train_extra have coarse labels, and are written if it is there
_LISTS = {
    "train": ("train",),
    "val": ("val",),
    "trainval": ("train", "val"),
    "test": ("test",),
    "train_extra": ("train_extra",),
    "train_coarse": ("train", "train_extra"),
    "trainval_coarse": ("train", "val", "train_extra"),
}
COUNTS = {name: sum(split.size for split in _SPLITS if split.name in parts) for name, parts in _LISTS.items()}


def _is_wanted(name: str) -> bool:
    return name.endswith((_IMAGE, *LabelFiles.SUFFIXES))


def _piece(name: str, size: int, limit: int) -> Piece:
    return Piece(name, size=size, limit=limit, wanted=_is_wanted, into="cityscapes", page=_PAGE)


#: the archive that each folder comes from; they may unpack to the last number of bytes
_FINE = {
    "leftImg8bit/train": _piece("leftImg8bit_trainvaltest.zip", 11_000_000_000, 16 * 10**9),
    "gtFine/train": _piece("gtFine_trainvaltest.zip", 241_000_000, 8 * 10**9),
}
_COARSE = {
    "leftImg8bit/train_extra": _piece("leftImg8bit_trainextra.zip", 44_000_000_000, 64 * 10**9),
    "gtCoarse/train_extra": _piece("gtCoarse.zip", 1_300_000_000, 24 * 10**9),
}
OPTIONS = (
    Option(
        "--labels-in",
        "folder for the labels of train ids; without it they lie beside the label ids",
        str,
        "",
        metavar="FOLDER",
    ),
)


class _Item(NamedTuple):
    """An image, and its label files: none for test."""

    image: Path
    label: LabelFiles | None


def build(request: Request) -> Built:
    """Build the data set; `labels_in` of the options: where labels of train ids lie, if not beside the label ids."""
    root, chosen = request.folder / "cityscapes", request.options.get("labels_in")
    count = obtain(request, *_needs(root, _FINE)) + _obtain_coarse(request, root)
    found = {split.name: _items(root, split, Path(chosen) if chosen else None) for split in _SPLITS}
    count += _write_train_ids(root, [item.label for items in found.values() for item in items if item.label], request)
    for name, parts in _LISTS.items():
        if all(found[part] for part in parts):
            count += write_lists(root, name, (_words(root, item) for part in parts for item in found[part]))
    return Built(root, counts_of(root), count)


def counts_of(root: Path) -> dict[str, int]:
    """The number of images in each list; those with coarse labels only if they were written."""
    counts = count_lines(root, COUNTS)
    return {name: count for name, count in counts.items() if count or "train_extra" not in _LISTS[name]}


def _build_with_half(request: Request) -> Built:
    built = build(request)
    if not request.options.get("half"):
        return built
    half = request.folder / "cityscapes_half"
    written = build_half(built.root, half, COUNTS, request.progress)
    print(f"{half}: {'' if written else 'already there; '}images and labels of half the size")
    return Built(built.root, built.counts, built.written + written)


BUILDER = Builder(
    "cityscapes",
    "Cityscapes",
    "Nothing is downloaded: put leftImg8bit_trainvaltest.zip (11 GB) and gtFine_trainvaltest.zip (241 MB) into "
    "data/cityscapes; for coarse labels leftImg8bit_trainextra.zip (44 GB) and gtCoarse.zip (1.3 GB) too.",
    _build_with_half,
    COUNTS,
    (Option("--half", "make data/cityscapes_half too: images and labels of half the width and height"), *OPTIONS),
)


# -- archives


def _needs(root: Path, pieces: Mapping[str, Piece]) -> list[Need]:
    return [_need(root / where, piece) for where, piece in pieces.items()]


def _need(folder: Path, piece: Piece) -> Need:
    return Need(piece, lambda: [] if any(folder.glob("*/*")) else [folder])


def _obtain_coarse(request: Request, root: Path) -> int:
    """Unpack the images with coarse labels if all of them are there; else say what to put where."""
    needs = _needs(root, _COARSE)
    absent = [need.piece for need in needs if need.missing() and not find(need.piece, request)]
    if not absent:
        return obtain(request, *needs)
    names = " and ".join(f"{piece.name} ({size_of(piece)})" for piece in absent)
    lists = ", ".join(name for name, parts in _LISTS.items() if "train_extra" in parts)
    print(f"note: {lists} (coarse labels) are not written: they need {names} of {_PAGE}, in {root}", file=sys.stderr)
    return 0


# -- images and labels


def _items(root: Path, split: _Split, chosen: Path | None) -> list[_Item]:
    """The images of a split with their labels; names those that have no label, and labels that have no image."""
    images = _files(root / "leftImg8bit" / split.name, (_IMAGE,))
    if not split.labels:
        return [_Item(path, None) for path in images.values()]
    where = root / split.labels / split.name
    labels = {
        name.removesuffix(f"_{split.labels}"): LabelFiles(where / name, root, chosen)
        for name in _files(where, LabelFiles.SUFFIXES)
    }
    _name_difference(split.name, images, labels, "image", "label")
    if images:
        _name_difference(split.name, labels, images, "label", "image")
    return [_Item(path, labels[name]) for name, path in images.items() if name in labels]


def _files(folder: Path, suffixes: Sequence[str]) -> dict[str, Path]:
    """The files <city>/<name><suffix> by city/name, except hidden ones, which a killed process left."""
    paths = (path for path in folder.glob("*/*.*") if path.name[0] != "." and path.name.endswith(tuple(suffixes)))
    found = {}
    for path in paths:
        suffix = next(end for end in suffixes if path.name.endswith(end))
        found[f"{path.parent.name}/{path.name.removesuffix(suffix)}"] = path
    return dict(sorted(found.items()))


def _name_difference(split: str, some: Iterable[str], others: Iterable[str], what: str, lacks: str) -> None:
    alone = sorted({*some} - {*others})
    if alone:
        shown = some_of(alone, 3)
        print(f"warning: {split}: {len(alone)} {what}s without {lacks} are left out: {shown}", file=sys.stderr)


def _write_train_ids(root: Path, labels: Sequence[LabelFiles], request: Request) -> int:
    """Write the labels of train ids that are missing, and check the others."""
    targets = {label: label.train_ids for label in labels}
    check_train_ids(_unchecked(root, labels), request.progress)
    check_ids([label for label in labels if not label.train_ids.is_file()])
    return write_labels(targets, train_ids_of, "train ids", write_grey_label, request.progress)


def _unchecked(root: Path, labels: Sequence[LabelFiles]) -> list[LabelFiles]:
    """Labels of train ids that exist, except those of the lists that are older than these: they were checked before."""
    times: dict[str | None, float] = {}
    for path in (root / "list" / f"{split.name}.txt" for split in _SPLITS if split.labels):
        with contextlib.suppress(InputError):  # it is written anew
            times |= dict.fromkeys((entry.label for entry in read_list(path)), path.stat().st_mtime)
    there = [label for label in labels if label.train_ids.is_file()]
    return [label for label in there if label.train_ids.stat().st_ctime >= times.get(word_of(root, label.train_ids), 0)]


def _words(root: Path, item: _Item) -> tuple[str, str | None]:
    return word_of(root, item.image), word_of(root, item.label.train_ids) if item.label else None
