"""PASCAL-Person-Part: VOC 2010's images of persons, whose parts are merged to six.

PASCAL-Part (Chen et al., CVPR 2014) has a `.mat` for each image: `anno.objects` with `class`, `mask` and `parts`, each
with `part_name` and `mask`. "Attention to Scale" (Chen et al., CVPR 2016) merges the parts of persons to head, torso,
upper and lower arms, upper and lower legs. Which part belongs to which is our reading of that sentence and of the names
of the parts. The authors published their merged labels too; where they lie below the data folder, they are used.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from ...arrays import Label
from ...errors import InputError
from ...files import write_text
from ...formats.mat_files import read_mat
from ...reading import read_text
from ...spelling import did_you_mean
from ..labels import check_labels, read_label
from . import voc2010
from .pieces import Need, Piece, absent, find, obtain
from .request import Builder, Built, Option, Request
from .written import check_size, count_lines, read_names, write_labels

COUNTS = {"person_train": 1716, "person_val": 1817}
#: the merged parts, in the order of datasets/person_part.toml from class 1 on, and the parts that they are made of
MERGED = {
    "head": ("head", "leye", "reye", "lear", "rear", "lebrow", "rebrow", "nose", "mouth", "hair"),
    "torso": ("torso", "neck"),
    "upper arm": ("luarm", "ruarm"),
    "lower arm": ("llarm", "rlarm", "lhand", "rhand"),
    "upper leg": ("luleg", "ruleg"),
    "lower leg": ("llleg", "rlleg", "lfoot", "rfoot"),
}
CLASS_OF = {part: index for index, parts in enumerate(MERGED.values(), 1) for part in parts}
#: folders of the labels that are made of the parts, and of the authors' labels: two, so that they cannot be mixed
LABELS, AUTHORS_LABELS = "SegmentationPart", "SegmentationPartAuthors"
SOURCES = ("auto", "parts", "authors")
#: in `LABELS`: the images whose annotation was read and has no person
WITHOUT = "without_person.txt"

ARCHIVE = Piece(
    "trainval.tar.gz",
    "http://roozbehm.info/pascal-parts/trainval.tar.gz",
    size=78_000_000,
    limit=2 * 10**9,
    into="pascal_part",
    wanted=lambda name: "Annotations_Part/" in name,
)
_AGAIN = f"unpack PASCAL-Part's {ARCHIVE.name} again"
AUTHORS_ARCHIVE = Piece(
    "pascal_person_part.zip",
    limit=10**9,
    # what else the archive has comes from a Mac's file manager
    wanted=lambda name: name.startswith("pascal_person_part/") and name.endswith((".png", ".txt")),
    page="http://liangchiehchen.com/projects/DeepLab.html",
)


def _build(request: Request) -> Built:
    authors = _uses_authors(request)
    built = (_build_from_authors if authors else _build_from_parts)(request)
    print(f"labels: the authors' own, {AUTHORS_LABELS}" if authors else f"labels: PASCAL-Part's, merged, {LABELS}")
    return built


def _uses_authors(request: Request) -> bool:
    """Whether the authors' labels are asked for, or are there."""
    chosen = request.options.get("labels", "auto")
    there = find(AUTHORS_ARCHIVE, request) or not _missing_of_authors(request.folder)
    return bool(there if chosen == "auto" else chosen == "authors")


BUILDER = Builder(
    "person_part",
    "PASCAL-Person-Part, six parts of persons and background",
    "Downloads VOC 2010 (1.3 GB) and PASCAL-Part (78 MB), or uses the authors' merged labels where they are.",
    _build,
    COUNTS,
    (
        Option(
            "--labels",
            "parts: merge PASCAL-Part's parts; authors: the authors' merged labels, pascal_person_part.zip; auto: "
            "these if they are there, otherwise the parts (%(default)s)",
            str,
            "auto",
            SOURCES,
        ),
    ),
)


# -- from PASCAL-Part's parts


def _build_from_parts(request: Request) -> Built:
    folder, root = request.folder, voc2010.root_of(request.folder)
    count = obtain(request, voc2010.need(folder), Need(ARCHIVE, lambda: _missing(folder)))
    without = _without(root)
    try:
        count += _write_labels(_unread(root), without, folder, request.progress)
    finally:
        _record(root / LABELS / WITHOUT, without)
    count += voc2010.write_lists_of(root, LABELS, _named(voc2010.split(root)))
    return Built(root, count_lines(root, COUNTS), count)


def _write_labels(names: list[str], without: set[str], folder: Path, progress: bool) -> int:
    """Write the labels of images; those that have no person are added to `without`."""
    root, annotations = voc2010.root_of(folder), _annotations(folder) or folder

    def read(name: str, source: Path) -> Label | None:
        label = read_parts_label(source)
        if label is None:
            without.add(name)
        return label

    return voc2010.write_labels_of(root, LABELS, names, annotations, read, progress)


def _without(root: Path) -> set[str]:
    """The images that were read and have no person."""
    record = root / LABELS / WITHOUT
    return set(read_names(record)) if record.is_file() else set()


def _unread(root: Path) -> list[str]:
    """The images of which it is not known yet whether they have persons."""
    without = _without(root)
    return [name for name in voc2010.unlabelled(root, LABELS) if name not in without]


def _record(path: Path, names: set[str]) -> None:
    """Write the names of images to a file, unless it has them."""
    content = "".join(f"{name}\n" for name in sorted(names))
    if names and not (path.is_file() and path.read_text(encoding="utf-8") == content):
        write_text(path, content)


def _named(ids: Mapping[str, list[str]]) -> dict[str, list[str]]:
    return {f"person_{part}": names for part, names in ids.items()}


def read_parts_label(path: str | os.PathLike[str]) -> Label | None:
    """The merged parts of the persons of one of PASCAL-Part's `.mat` files, (H, W) uint8; None if there are none.

    What is no part of a person is background. Where parts overlap, the later one counts, in the order of the file.

    Raises:
        InputError: the file is missing, damaged or no annotation of PASCAL-Part, or a person has an unknown part.
    """
    label: Label | None = None
    for part in _parts_of_persons(path):
        mask, name = part.get("mask"), part.get("part_name")
        if name not in CLASS_OF:
            near = did_you_mean(str(name), CLASS_OF)
            raise InputError(f"{os.fspath(path)}: a person has the unknown part {name!r}{near}; {_AGAIN}")
        if not isinstance(mask, np.ndarray) or mask.ndim != 2 or not mask.size:
            raise _not_annotation(path, f"the mask of the part '{name}' is not (H, W)")
        label = np.zeros(mask.shape, np.uint8) if label is None else label
        if mask.shape != label.shape:
            sizes = f"the mask of the part '{name}' is {mask.shape}, that of another {label.shape}"
            raise _not_annotation(path, sizes)
        label[mask != 0] = CLASS_OF[name]
    return label if label is not None and label.any() else None


def _parts_of_persons(path: str | os.PathLike[str]) -> Iterator[dict[str, Any]]:
    anno = read_mat(path, "anno", voc2010.LARGEST)
    if not isinstance(anno, dict) or "objects" not in anno:
        raise _not_annotation(path, "anno has no field 'objects'")
    for thing in _rows(anno["objects"]):
        if not isinstance(thing.get("class"), str):
            raise _not_annotation(path, "an object has no field 'class' of text")
        if thing["class"] == "person":
            yield from _rows(thing.get("parts"))


def _rows(value: Any) -> list[dict[str, Any]]:
    """The elements of an array of structs; none if MATLAB's [] stands for it."""
    return [value] if isinstance(value, dict) else value if isinstance(value, list) else []


def _not_annotation(path: str | os.PathLike[str], what: str) -> InputError:
    return InputError(f"{os.fspath(path)}: not an annotation of PASCAL-Part: {what}; {_AGAIN}")


def _annotations(folder: Path) -> Path | None:
    """The folder Annotations_Part: where the archive is unpacked, or beside or in VOC 2010."""
    base, root = folder / "pascal_part", voc2010.root_of(folder)
    places = (base, base / "trainval", root, root.parent)
    return voc2010.first_folder([place / "Annotations_Part" for place in places], "*.mat")


def _missing(folder: Path) -> list[Path]:
    root = voc2010.root_of(folder)
    done = not voc2010.missing_lists(root) and not _unread(root)
    return [] if done or _annotations(folder) else [folder / "pascal_part" / "Annotations_Part" / "*.mat"]


# -- the authors' merged labels


def _build_from_authors(request: Request) -> Built:
    folder, root = request.folder, voc2010.root_of(request.folder)
    need = Need(AUTHORS_ARCHIVE, lambda: _missing_of_authors(folder))
    count = obtain(request, voc2010.need(folder), need)
    ids = {part: _authors_ids(folder, part) for part in voc2010.PARTS}

    def label_of(name: str) -> Label:
        source = _authors_label(folder, name)
        label = read_label(source)
        check_labels(label, len(MERGED) + 1, 255, source)
        check_size(label, source, voc2010.image_of(root, name))
        return label

    targets = {name: _copied_label(folder, name) for names in ids.values() for name in names}
    count += write_labels(targets, label_of, AUTHORS_LABELS, progress=request.progress)
    count += voc2010.write_lists_of(root, AUTHORS_LABELS, _named(ids))
    return Built(root, count_lines(root, COUNTS), count)


def _authors_label(folder: Path, name: str) -> Path:
    return folder / "pascal_person_part" / "pascal_person_part_gt" / f"{name}.png"


def _copied_label(folder: Path, name: str) -> Path:
    return voc2010.root_of(folder) / AUTHORS_LABELS / f"{name}.png"


def _authors_list(folder: Path, part: str) -> Path:
    """train_id.txt, of names, or train.txt, of lines "/JPEGImages/ID.jpg /…/ID.png"; or the list made of it."""
    lists = folder / "pascal_person_part" / "pascal_person_part_trainval_list"
    there = [path for path in (lists / f"{part}_id.txt", lists / f"{part}.txt") if path.is_file()]
    made = _made_list(folder, part)
    return there[0] if there else made if _names_authors_labels(made) else lists / f"{part}_id.txt"


def _made_list(folder: Path, part: str) -> Path:
    return voc2010.root_of(folder) / "list" / f"person_{part}.txt"


def _names_authors_labels(path: Path) -> bool:
    """Whether a list was made of the authors' labels."""
    return path.is_file() and f" /{AUTHORS_LABELS}/" in read_text(path, "the list").partition("\n")[0]


def _authors_ids(folder: Path, part: str) -> list[str]:
    lines = read_text(_authors_list(folder, part), "the list").splitlines()
    return [PurePosixPath(line.split()[0]).stem for line in lines if line.strip()]


def _missing_of_authors(folder: Path) -> list[Path]:
    if lists := absent([_authors_list(folder, part) for part in voc2010.PARTS]):
        return lists
    names = [name for part in voc2010.PARTS for name in _authors_ids(folder, part)]
    return absent([_authors_label(folder, name) for name in names if not _copied_label(folder, name).is_file()])
