"""PASCAL VOC 2012: lists in ImageSegData form from the folders that VOC and SBD unpack to."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ..errors import InputError
from ..files import write_text
from .lists import ListEntry, write_list


def write_voc_lists(root: str | os.PathLike[str]) -> list[Path]:
    """Write list/{train,val,trainval,test}.txt and *_id.txt under a VOC folder; returns the files written.

    Labels come from SegmentationClass as VOC ships it: palette files are read as indices. If SegmentationClassAug
    (SBD's labels and VOC's, 12031 PNGs) is there, train_aug and trainval_aug are written too: all of it without and
    with the val images. test is written if ImageSets/Segmentation/test.txt is there.

    Raises:
        InputError: ImageSets/Segmentation has no train.txt or val.txt.
    """
    root = Path(root)
    names = {part: _read_ids(root, part, part in ("train", "val")) for part in ("train", "val", "test")}
    names["trainval"] = sorted({*names["train"], *names["val"]})
    written = []
    for part, ids in names.items():
        if ids:
            written += _write(root, part, ids, None if part == "test" else "SegmentationClass")
    augmented = sorted(path.stem for path in (root / "SegmentationClassAug").glob("*.png"))
    if augmented:
        held = set(names["val"])
        written += _write(root, "train_aug", [i for i in augmented if i not in held], "SegmentationClassAug")
        written += _write(root, "trainval_aug", augmented, "SegmentationClassAug")
    return written


def _read_ids(root: Path, part: str, required: bool) -> list[str]:
    path = root / "ImageSets" / "Segmentation" / f"{part}.txt"
    if not path.is_file():
        if required:
            raise InputError(f"{path}: not there; wanted a VOC 2012 folder with ImageSets and JPEGImages")
        return []
    return path.read_text(encoding="utf-8").split()


def _write(root: Path, part: str, ids: Iterable[str], labels: str | None) -> list[Path]:
    paths = [root / "list" / f"{part}.txt", root / "list" / f"{part}_id.txt"]
    lines = enumerate(ids, 1)
    entries = [ListEntry(f"/JPEGImages/{i}.jpg", f"/{labels}/{i}.png" if labels else None, line) for line, i in lines]
    write_list(paths[0], entries)
    write_text(paths[1], "".join(f"{i}\n" for i in ids))
    return paths
