"""PASCAL VOC 2012 with SBD's labels: download, one label file per image, and lists for ImageSegData."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..arrays import Label
from ..errors import InputError
from ..files import cpus, write_text
from ..formats.mat_files import read_mat
from ..locks import locked_folder
from ..progress import tracked
from ..reading import read_text, reading
from .archive import unpack
from .download import check_sums, download
from .labels import check_labels, read_label, write_grey_label
from .lists import ListEntry, write_list

COUNTS = {"train": 1464, "val": 1449, "trainval": 2913, "train_aug": 10582, "trainval_aug": 12031}


@dataclass(frozen=True)
class Archive:
    """An archive to download. limit: the most bytes that it may unpack to; wanted: which entries are unpacked."""

    name: str
    url: str
    md5: str
    limit: int
    wanted: Callable[[str], bool] | None = None


VOC_ARCHIVE = Archive(
    "VOCtrainval_11-May-2012.tar",
    "http://host.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar",
    "6cd6e144f989b92b3379bac3b3de84fd",
    4 * 10**9,
)
SBD_ARCHIVE = Archive(
    "benchmark.tgz",
    "http://www.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/semantic_contours/benchmark.tgz",
    "82b4d87ceb2ed10f6038a1cba92111cb",
    8 * 10**9,
    # Its images are those of VOC; its instances and code are not needed.
    lambda name: "/dataset/cls/" in name or name.endswith((".txt", "README")),
)


def prepare_voc(folder: str | os.PathLike[str] = "data", source: str | None = None, fetch: bool = True) -> Path:
    """Download and unpack VOC 2012 and SBD's labels, write the lists and print their sizes; returns the VOC folder.

    Existing archives, unpacked folders and label files are kept, so an interrupted call can be repeated.

    Args:
        folder: where to put the data.
        source: a folder with both archives, or its URL, instead of the official servers.
        fetch: False downloads nothing. Without SBD's labels there are then no *_aug lists, and a note is printed.

    Raises:
        InputError: a file is missing and cannot be downloaded; says what to put where. VOC's own lists are written
            even if SBD fails.
    """
    with locked_folder(folder, f"{os.fspath(folder)} is in use"):
        return _prepare(Path(folder), source, fetch)


def _prepare(folder: Path, source: str | None, fetch: bool) -> Path:
    voc, sbd = folder / "VOCdevkit" / "VOC2012", folder / "benchmark_RELEASE" / "dataset"
    _obtain(VOC_ARCHIVE, folder, source, fetch, lambda: _missing_of_voc(voc))
    write_voc_lists(voc)
    if len(_augmented(voc)) < COUNTS["trainval_aug"]:
        try:
            _obtain(SBD_ARCHIVE, folder, source, fetch, lambda: _missing_of_sbd(sbd, voc))
        except InputError as error:
            if fetch:
                raise
            print(f"note: train_aug and trainval_aug are not written: {error}", file=sys.stderr)
        else:
            build_augmented(voc, sbd)
        write_voc_lists(voc)
    _print_counts(voc)
    return voc


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
    own, theirs = set(_trainval(voc)), set(_sbd_ids(sbd))

    def write(name: str) -> None:
        target = voc / "SegmentationClassAug" / f"{name}.png"
        if target.is_file():
            return
        source = voc / "SegmentationClass" / f"{name}.png" if name in own else sbd / "cls" / f"{name}.mat"
        label = read_label(source) if name in own else read_sbd_label(source)
        check_labels(label, 21, 255, source)
        write_grey_label(target, label)

    names = sorted(own | theirs)
    with ThreadPoolExecutor(max(2, cpus())) as pool:
        written = pool.map(write, names)
        for _ in tracked(written, "SegmentationClassAug", len(names)) if progress else written:
            pass
    return names


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
    names = {part: _read_ids(root, part, part in ("train", "val")) for part in ("train", "val", "test")}
    names["trainval"] = sorted({*names["train"], *names["val"]})
    written = []
    for part, ids in names.items():
        if ids:
            written += _write(root, part, ids, None if part == "test" else "SegmentationClass")
    augmented = _augmented(root)
    held, strong = set(names["val"]), set(names["train"])
    for part, ids in (("train_aug", [i for i in augmented if i not in held]), ("trainval_aug", augmented)):
        if ids:
            written += _write(root, part, ids, "SegmentationClassAug")
            others = [i for i in ids if i not in strong]
            written += _write(root, f"{part}_diff_train", others, "SegmentationClassAug")
    return written


def _augmented(root: Path) -> list[str]:
    """The images with a file in SegmentationClassAug, except hidden files, which a killed process left."""
    return sorted(path.stem for path in (root / "SegmentationClassAug").glob("*.png") if path.name[0] != ".")


def _trainval(voc: Path) -> list[str]:
    return [name for part in ("train", "val") for name in _read_ids(voc, part, True)]


def _sbd_ids(sbd: Path) -> list[str]:
    paths = [sbd / "train.txt", sbd / "val.txt"]
    for path in paths:
        if not path.is_file():
            raise InputError(f"{path}: does not exist; expected SBD's folder 'dataset' with train.txt, val.txt and cls")
    return [name for path in paths for name in read_text(path, "the list").split()]


def _missing_of_voc(voc: Path) -> list[Path]:
    """The missing lists, images and labels of train and val."""
    lists = [voc / "ImageSets" / "Segmentation" / f"{part}.txt" for part in ("train", "val")]
    if not all(path.is_file() for path in lists):
        return [path for path in lists if not path.is_file()]
    places = (("JPEGImages", ".jpg"), ("SegmentationClass", ".png"))
    files = [voc / where / (name + suffix) for name in _trainval(voc) for where, suffix in places]
    return [path for path in files if not path.is_file()]


def _missing_of_sbd(sbd: Path, voc: Path) -> list[Path]:
    """The missing lists, and the missing labels that are neither VOC's nor written already."""
    lists = [path for path in (sbd / "train.txt", sbd / "val.txt") if not path.is_file()]
    if lists:
        return lists
    files = [sbd / "cls" / f"{name}.mat" for name in sorted({*_sbd_ids(sbd)} - {*_trainval(voc), *_augmented(voc)})]
    return [path for path in files if not path.is_file()]


def _obtain(archive: Archive, folder: Path, source: str | None, fetch: bool, missing: Callable[[], list[Path]]) -> None:
    """Find or download an archive and unpack it, unless all its files exist."""
    if not missing():
        return
    packed = _find(archive, folder, source)
    if packed:
        check_sums(packed, archive.md5)
    elif fetch:
        base = source.rstrip("/") + f"/{archive.name}" if source else archive.url
        print(f"downloading {base}", file=sys.stderr)
        packed = download(base, folder / archive.name, archive.md5)
    else:
        raise InputError(
            f"{missing()[0]} and {folder / archive.name} do not exist. Download {archive.url}, put it there and run "
            "the same command again"
        )
    unpack(packed, folder, archive.limit, archive.wanted)
    if left := missing():
        raise InputError(f"{packed}: unpacked, but {len(left)} files are still missing, the first is {left[0]}")


def _find(archive: Archive, folder: Path, source: str | None) -> Path | None:
    """The path of the archive if it exists already."""
    local = source is not None and "://" not in source
    if local and not Path(str(source)).is_dir():
        raise InputError(f"{source}: no such folder; expected one with {archive.name}, or a URL: http://…")
    folders = [Path(str(source)), folder] if local else [folder]
    found = next((place / archive.name for place in folders if (place / archive.name).is_file()), None)
    if local and not found:
        raise InputError(f"{Path(str(source)) / archive.name}: does not exist; download {archive.url} and put it there")
    return found


def _print_counts(voc: Path) -> None:
    counts = {}
    for name in COUNTS:
        path = voc / "list" / f"{name}_id.txt"
        counts[name] = len(read_text(path, "the list").split()) if path.is_file() else 0
    print(f"{voc}: images in the lists: " + ", ".join(f"{name} {count}" for name, count in counts.items()))
    for name, count in counts.items():
        if count != COUNTS[name]:
            print(f"warning: {name} has {count} images, but the published list has {COUNTS[name]}", file=sys.stderr)


def _read_ids(root: Path, part: str, required: bool) -> list[str]:
    path = root / "ImageSets" / "Segmentation" / f"{part}.txt"
    if not path.is_file():
        if required:
            raise InputError(f"{path}: does not exist; expected a VOC 2012 folder with ImageSets and JPEGImages")
        return []
    return read_text(path, "the list").split()


def _write(root: Path, part: str, ids: Iterable[str], labels: str | None) -> list[Path]:
    paths = [root / "list" / f"{part}.txt", root / "list" / f"{part}_id.txt"]
    lines = enumerate(ids, 1)
    entries = [ListEntry(f"/JPEGImages/{i}.jpg", f"/{labels}/{i}.png" if labels else None, line) for line, i in lines]
    write_list(paths[0], entries)
    write_text(paths[1], "".join(f"{i}\n" for i in ids))
    return paths
