"""PASCAL VOC 2012 with SBD's labels: the archives, one label per image, and lists in ImageSegData form."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.io

from ..errors import InputError
from ..files import cpus, write_text
from ..locks import locked_folder
from ..progress import tracked
from .archive import unpack
from .download import check_sums, download
from .labels import Label, check_labels, read_label, write_label
from .lists import ListEntry, write_list

COUNTS = {"train": 1464, "val": 1449, "trainval": 2913, "train_aug": 10582, "trainval_aug": 12031}


@dataclass(frozen=True)
class Archive:
    """A file to fetch. limit: bytes it unpacks to at most. wanted: which of its entries are unpacked."""

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
    # Its images are VOC's, its instances and code are not needed here.
    lambda name: "/dataset/cls/" in name or name.endswith((".txt", "README")),
)


def prepare_voc(folder: str | os.PathLike[str] = "data", source: str | None = None, fetch: bool = True) -> Path:
    """Bring VOC 2012 and SBD's labels into `folder`, write the lists, print the counts; returns the VOC folder.

    What is there already is kept: archives that lie in `folder`, unpacked folders, label files. So a call that was
    stopped goes on where it was.

    Args:
        source: a folder that holds both archives, or the address of one, in place of the official servers.
        fetch: False downloads nothing. Without SBD's labels there are then no *_aug lists, and a note says so.

    Raises:
        InputError: something cannot be had; says what to put where. VOC's own lists are written even if SBD fails.
    """
    with locked_folder(folder, f"{os.fspath(folder)} is in use"):
        return _prepare(Path(folder), source, fetch)


def _prepare(folder: Path, source: str | None, fetch: bool) -> Path:
    voc, sbd = folder / "VOCdevkit" / "VOC2012", folder / "benchmark_RELEASE" / "dataset"
    _bring(VOC_ARCHIVE, folder, source, fetch, lambda: _absent_of_voc(voc))
    write_voc_lists(voc)
    if len(_augmented(voc)) < COUNTS["trainval_aug"]:
        try:
            _bring(SBD_ARCHIVE, folder, source, fetch, lambda: _absent_of_sbd(sbd, voc))
        except InputError as error:
            if fetch:
                raise
            print(f"note: there will be no train_aug and no trainval_aug: {error}", file=sys.stderr)
        else:
            build_augmented(voc, sbd)
        write_voc_lists(voc)
    _print_counts(voc)
    return voc


def build_augmented(voc: str | os.PathLike[str], sbd: str | os.PathLike[str], progress: bool = True) -> list[str]:
    """Write SegmentationClassAug under a VOC folder: one indexed PNG per image that VOC or SBD labels.

    VOC's label, with its border of 255, is taken where both have one. Files that are there are kept.

    Args:
        sbd: SBD's folder `dataset`, with train.txt, val.txt and cls/<image>.mat.

    Returns: the names of all images, sorted.

    Raises:
        InputError: names a list or label that is missing or damaged.
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
        write_label(target, label)

    names = sorted(own | theirs)
    with ThreadPoolExecutor(max(2, cpus())) as pool:
        written = pool.map(write, names)
        for _ in tracked(written, "SegmentationClassAug", len(names)) if progress else written:
            pass
    return names


def read_sbd_label(path: str | os.PathLike[str]) -> Label:
    """The class map of one of SBD's cls/*.mat, (H, W) uint8: GTcls.Segmentation.

    Raises:
        InputError: the file is missing, damaged or something else.
    """
    try:
        label = scipy.io.loadmat(os.fspath(path), variable_names=["GTcls"])["GTcls"][0, 0]["Segmentation"]
    except FileNotFoundError:
        raise InputError(f"{os.fspath(path)}: not there; unpack SBD's {SBD_ARCHIVE.name} again") from None
    except Exception as error:  # a damaged file makes loadmat raise almost anything
        raise InputError(
            f"{os.fspath(path)}: damaged, or no class map of SBD ({type(error).__name__}: {error}); "
            f"unpack {SBD_ARCHIVE.name} again"
        ) from None
    if label.ndim != 2 or not label.size or label.dtype != np.uint8:
        raise InputError(
            f"{os.fspath(path)}: GTcls.Segmentation is {label.dtype} of shape {label.shape}; wanted (H, W) uint8"
        )
    return np.asarray(label, np.uint8)


def write_voc_lists(root: str | os.PathLike[str]) -> list[Path]:
    """Write list/{train,val,trainval,test}.txt and *_id.txt under a VOC folder; returns the files written.

    Labels come from SegmentationClass as VOC ships it: palette files are read as indices. If SegmentationClassAug
    (SBD's labels and VOC's, 12031 PNGs) is there, train_aug and trainval_aug are written too: all of it without and
    with the val images, and what of them train has not, for weak supervision, as *_diff_train. test is written if
    ImageSets/Segmentation/test.txt is there.

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
    """The images with a file in SegmentationClassAug; hidden files are those of a run that was killed."""
    return sorted(path.stem for path in (root / "SegmentationClassAug").glob("*.png") if path.name[0] != ".")


def _trainval(voc: Path) -> list[str]:
    return [name for part in ("train", "val") for name in _read_ids(voc, part, True)]


def _sbd_ids(sbd: Path) -> list[str]:
    paths = [sbd / "train.txt", sbd / "val.txt"]
    for path in paths:
        if not path.is_file():
            raise InputError(f"{path}: not there; wanted SBD's folder 'dataset' with train.txt, val.txt and cls")
    return [name for path in paths for name in path.read_text(encoding="utf-8").split()]


def _absent_of_voc(voc: Path) -> list[Path]:
    """The lists, images and labels of train and val that are not there."""
    lists = [voc / "ImageSets" / "Segmentation" / f"{part}.txt" for part in ("train", "val")]
    if not all(path.is_file() for path in lists):
        return [path for path in lists if not path.is_file()]
    places = (("JPEGImages", ".jpg"), ("SegmentationClass", ".png"))
    files = [voc / where / (name + suffix) for name in _trainval(voc) for where, suffix in places]
    return [path for path in files if not path.is_file()]


def _absent_of_sbd(sbd: Path, voc: Path) -> list[Path]:
    """The lists, and the labels that are neither VOC's nor written already, that are not there."""
    lists = [path for path in (sbd / "train.txt", sbd / "val.txt") if not path.is_file()]
    if lists:
        return lists
    files = [sbd / "cls" / f"{name}.mat" for name in sorted({*_sbd_ids(sbd)} - {*_trainval(voc), *_augmented(voc)})]
    return [path for path in files if not path.is_file()]


def _bring(archive: Archive, folder: Path, source: str | None, fetch: bool, absent: Callable[[], list[Path]]) -> None:
    """Find or fetch and unpack an archive, unless nothing of it is absent."""
    if not absent():
        return
    packed = _find(archive, folder, source)
    if packed:
        check_sums(packed, archive.md5)
    elif fetch:
        base = source.rstrip("/") + f"/{archive.name}" if source else archive.url
        print(f"fetching {base}", file=sys.stderr)
        packed = download(base, folder / archive.name, archive.md5)
    else:
        raise InputError(
            f"{absent()[0]} is not there, nor is {folder / archive.name}. Fetch {archive.url}, put it there and run "
            "the same command again"
        )
    unpack(packed, folder, archive.limit, archive.wanted)
    if lacking := absent():
        raise InputError(f"{packed}: unpacked, but still absent are {len(lacking)}, first {lacking[0]}")


def _find(archive: Archive, folder: Path, source: str | None) -> Path | None:
    """The archive where it lies already."""
    local = source is not None and "://" not in source
    if local and not Path(str(source)).is_dir():
        raise InputError(f"{source}: no such folder; wanted one that holds {archive.name}, or an address: http://…")
    folders = [Path(str(source)), folder] if local else [folder]
    found = next((place / archive.name for place in folders if (place / archive.name).is_file()), None)
    if local and not found:
        raise InputError(f"{Path(str(source)) / archive.name}: not there; fetch {archive.url} and put it there")
    return found


def _print_counts(voc: Path) -> None:
    counts = {}
    for name in COUNTS:
        path = voc / "list" / f"{name}_id.txt"
        counts[name] = len(path.read_text(encoding="utf-8").split()) if path.is_file() else 0
    print(f"{voc}: images in the lists: " + ", ".join(f"{name} {count}" for name, count in counts.items()))
    for name, count in counts.items():
        if count != COUNTS[name]:
            print(f"warning: {name} has {count} images, the published list {COUNTS[name]}", file=sys.stderr)


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
