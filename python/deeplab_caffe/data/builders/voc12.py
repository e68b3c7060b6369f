"""PASCAL VOC 2012 with SBD's labels: download, one label file per image, and lists for ImageSegData."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ...arrays import Label
from ...errors import InputError
from ...formats.mat_files import read_mat
from ...reading import reading
from ..labels import check_labels, read_label, write_grey_label
from .pieces import Need, Piece, absent, find, obtain, size_of
from .request import Builder, Built, Request
from .written import check_size, count_lines, read_names, write_labels, write_lists

COUNTS = {"train": 1464, "val": 1449, "trainval": 2913, "train_aug": 10582, "trainval_aug": 12031}

VOC_ARCHIVE = Piece(
    "VOCtrainval_11-May-2012.tar",
    "http://host.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar",
    size=2_000_000_000,
    limit=4 * 10**9,
    md5="6cd6e144f989b92b3379bac3b3de84fd",
)
SBD_ARCHIVE = Piece(
    "benchmark.tgz",
    "http://www.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/semantic_contours/benchmark.tgz",
    size=1_400_000_000,
    limit=8 * 10**9,
    md5="82b4d87ceb2ed10f6038a1cba92111cb",
    # Its images are those of VOC; its instances and code are not needed.
    wanted=lambda name: "/dataset/cls/" in name or name.endswith((".txt", "README")),
)

_WITHOUT_SBD = (
    f"VOC's own lists are written: train has {COUNTS['train']} images (train_aug would have {COUNTS['train_aug']}). To "
    "train on them:\n  deeplab all voc12/largefov --train-set train --train2-set trainval"
)


def _build(request: Request) -> Built:
    folder = request.folder
    voc, sbd = folder / "VOCdevkit" / "VOC2012", folder / "benchmark_RELEASE" / "dataset"
    count = _obtain_voc(request, voc, sbd)
    count += _write_voc_lists(voc)
    if len(_augmented(voc)) < COUNTS["trainval_aug"]:
        try:
            count += obtain(request, Need(SBD_ARCHIVE, lambda: _missing_of_sbd(sbd, voc)))
        except InputError as error:
            if request.fetch or find(SBD_ARCHIVE, request):
                raise InputError(f"{error}\n{_WITHOUT_SBD}") from None
            print(f"note: train_aug and trainval_aug are not written: {error}\n{_WITHOUT_SBD}", file=sys.stderr)
        else:
            count += _write_augmented(voc, sbd, request.progress)
        count += _write_voc_lists(voc)
    return Built(voc, count_lines(voc, COUNTS), count)


def _obtain_voc(request: Request, voc: Path, sbd: Path) -> int:
    """Find, fetch and unpack VOC's archive; where it is missing, SBD's is named too if that is."""
    try:
        return obtain(request, Need(VOC_ARCHIVE, lambda: _missing_of_voc(voc)))
    except InputError as error:
        if not _missing_of_voc(voc) or find(VOC_ARCHIVE, request) or sbd.is_dir() or find(SBD_ARCHIVE, request):
            raise
        place = request.folder / SBD_ARCHIVE.local
        what = f"{place} does not exist: {SBD_ARCHIVE.url} ({size_of(SBD_ARCHIVE)})"
        raise InputError(f"{error}\nFor train_aug and trainval_aug, {what}") from None


BUILDER = Builder(
    "voc12",
    "PASCAL VOC 2012 with SBD's labels",
    "Downloads VOC 2012 (2.0 GB) and SBD's labels (1.4 GB).",
    _build,
    COUNTS,
)


def build_augmented(voc: str | os.PathLike[str], sbd: str | os.PathLike[str], progress: bool = True) -> list[str]:
    """Write SegmentationClassAug in a VOC folder: one 8-bit grey PNG for each image that VOC or SBD labels.

    If both have a label, VOC's is used, with its border of 255. Existing files are kept.

    Args:
        voc: the VOC folder.
        sbd: SBD's folder `dataset`, with train.txt, val.txt and cls/<image>.mat.
        progress: show a progress bar.

    Returns:
        The names of all images, sorted.

    Raises:
        InputError: a list or label is missing or damaged; names it.
    """
    voc, sbd = Path(voc), Path(sbd)
    _write_augmented(voc, sbd, progress)
    return _all_ids(voc, sbd)


def _write_augmented(voc: Path, sbd: Path, progress: bool) -> int:
    own = set(_trainval(voc))

    def label_of(name: str) -> Label:
        source = voc / "SegmentationClass" / f"{name}.png" if name in own else sbd / "cls" / f"{name}.mat"
        label = read_label(source) if name in own else read_sbd_label(source)
        check_labels(label, 21, 255, source)
        if (image := voc / "JPEGImages" / f"{name}.jpg").is_file():
            check_size(label, source, image)
        return label

    where = voc / "SegmentationClassAug"
    targets = {name: where / f"{name}.png" for name in _all_ids(voc, sbd)}
    # grey, because a C++ Caffe reads a palette's colours instead of the indices
    return write_labels(targets, label_of, where.name, write_grey_label, progress)


def read_sbd_label(path: str | os.PathLike[str]) -> Label:
    """The label map of one of SBD's cls/*.mat, (H, W) uint8: GTcls.Segmentation.

    Raises:
        InputError: the file is missing, damaged or not a label of SBD.
    """
    if not os.path.exists(path):
        raise InputError(f"{os.fspath(path)}: does not exist; unpack SBD's {SBD_ARCHIVE.name} again")
    try:
        with reading(path):
            label = np.asarray(read_mat(path, "GTcls")["Segmentation"])
    except InputError as error:
        reason = str(error).removeprefix(f"{os.fspath(path)}: ")
        raise InputError(
            f"{os.fspath(path)}: damaged or not a label of SBD ({reason}); unpack {SBD_ARCHIVE.name} again"
        ) from error
    if label.ndim != 2 or not label.size or label.dtype != np.uint8:
        raise InputError(
            f"{os.fspath(path)}: expected GTcls.Segmentation (H, W) uint8, got {label.dtype} of shape {label.shape}"
        )
    return np.asarray(label, np.uint8)


def write_voc_lists(root: str | os.PathLike[str]) -> list[Path]:
    """Write list/{train,val,trainval,test}.txt and *_id.txt in a VOC folder; returns the files written.

    Labels are those of SegmentationClass. If SegmentationClassAug (VOC's and SBD's labels, 12031 PNGs) exists, two more
    lists are written: train_aug, without the val images, and trainval_aug, with them. Of each, the images that are not
    in train are written as *_diff_train, for weak supervision. test is written if ImageSets/Segmentation/test.txt
    exists.

    Raises:
        InputError: ImageSets/Segmentation has no train.txt or val.txt.
    """
    root = Path(root)
    _write_voc_lists(root)
    return [root / "list" / f"{part}{end}.txt" for part, _, _ in _voc_lists(root) for end in ("", "_id")]


def _write_voc_lists(root: Path) -> int:
    """Write the lists; returns how many files are new or different."""
    return sum(write_lists(root, part, _words(ids, labels)) for part, ids, labels in _voc_lists(root))


def _voc_lists(root: Path) -> list[tuple[str, list[str], str | None]]:
    """(name, images, folder of labels) of each list that is not empty."""
    names = {part: _read_ids(root, part, part in ("train", "val")) for part in ("train", "val", "test")}
    names["trainval"] = sorted({*names["train"], *names["val"]})
    found = [(part, ids, None if part == "test" else "SegmentationClass") for part, ids in names.items()]
    augmented = _augmented(root)
    held, strong = set(names["val"]), set(names["train"])
    for part, ids in (("train_aug", [i for i in augmented if i not in held]), ("trainval_aug", augmented)):
        found.append((part, ids, "SegmentationClassAug"))
        found.append((f"{part}_diff_train", [i for i in ids if i not in strong], "SegmentationClassAug"))
    return [row for row in found if row[1]]


def _words(ids: Iterable[str], labels: str | None) -> list[tuple[str, str | None]]:
    return [(f"/JPEGImages/{i}.jpg", f"/{labels}/{i}.png" if labels else None) for i in ids]


def _augmented(root: Path) -> list[str]:
    """The images with a file in SegmentationClassAug, except hidden files, which a killed process left."""
    return sorted(path.stem for path in (root / "SegmentationClassAug").glob("*.png") if path.name[0] != ".")


def _trainval(voc: Path) -> list[str]:
    return [name for part in ("train", "val") for name in _read_ids(voc, part, True)]


def _all_ids(voc: Path, sbd: Path) -> list[str]:
    return sorted({*_trainval(voc), *_sbd_ids(sbd)})


def _sbd_ids(sbd: Path) -> list[str]:
    paths = [sbd / "train.txt", sbd / "val.txt"]
    for path in paths:
        if not path.is_file():
            raise InputError(f"{path}: does not exist; expected SBD's folder 'dataset' with train.txt, val.txt and cls")
    return [name for path in paths for name in read_names(path)]


def _missing_of_voc(voc: Path) -> list[Path]:
    """The missing lists, images and labels of train and val."""
    lists = [voc / "ImageSets" / "Segmentation" / f"{part}.txt" for part in ("train", "val")]
    if absent(lists):
        return absent(lists)
    places = (("JPEGImages", ".jpg"), ("SegmentationClass", ".png"))
    return absent([voc / where / (name + suffix) for name in _trainval(voc) for where, suffix in places])


def _missing_of_sbd(sbd: Path, voc: Path) -> list[Path]:
    """The missing lists, and the missing labels that are neither VOC's nor written already."""
    if lists := absent([sbd / "train.txt", sbd / "val.txt"]):
        return lists
    unlabelled = sorted({*_sbd_ids(sbd)} - {*_trainval(voc), *_augmented(voc)})
    return absent([sbd / "cls" / f"{name}.mat" for name in unlabelled])


def _read_ids(root: Path, part: str, required: bool) -> list[str]:
    path = root / "ImageSets" / "Segmentation" / f"{part}.txt"
    if not path.is_file():
        if required:
            raise InputError(f"{path}: does not exist; expected a VOC 2012 folder with ImageSets and JPEGImages")
        return []
    return read_names(path)
