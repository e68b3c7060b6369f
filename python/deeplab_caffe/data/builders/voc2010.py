"""PASCAL VOC 2010: the images of PASCAL-Context and PASCAL-Person-Part, and their split into train and val."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from ...arrays import Label
from .pieces import Need, Piece, absent
from .written import check_size, read_names, write_labels, write_lists

ARCHIVE = Piece(
    "VOCtrainval_03-May-2010.tar",
    "http://host.robots.ox.ac.uk/pascal/VOC/voc2010/VOCtrainval_03-May-2010.tar",
    size=1_300_000_000,
    limit=3 * 10**9,
    md5="da459979d0c395079b5c75ee67908abb",
)
PARTS = ("train", "val")
#: the most bytes of an annotation of one image: its masks are a few hundred kB each
LARGEST = 1 << 28


def root_of(folder: Path) -> Path:
    """VOC 2010's folder below the data folder."""
    return folder / "VOCdevkit" / "VOC2010"


def need(folder: Path) -> Need:
    """The archive of VOC 2010, of which the split and all its images are needed."""
    return Need(ARCHIVE, lambda: _missing(root_of(folder)))


def missing_lists(root: Path) -> list[Path]:
    """The lists of the split that are not there."""
    return absent([_split(root, part) for part in PARTS])


def _missing(root: Path) -> list[Path]:
    if lists := missing_lists(root):
        return lists
    return absent([image_of(root, name) for part in PARTS for name in ids(root, part)])


def _split(root: Path, part: str) -> Path:
    return root / "ImageSets" / "Main" / f"{part}.txt"


def split(root: Path) -> dict[str, list[str]]:
    """The images of train and val."""
    return {part: ids(root, part) for part in PARTS}


def ids(root: Path, part: str) -> list[str]:
    """The names of the images of VOC 2010's train or val: all that are annotated for detection, 4,998 and 5,105."""
    return read_names(_split(root, part))


def image_of(root: Path, name: str) -> Path:
    """The path of an image."""
    return root / "JPEGImages" / f"{name}.jpg"


def label_of(root: Path, labels: str, name: str) -> Path:
    """The path of an image's label in the folder `labels`."""
    return root / labels / f"{name}.png"


def unlabelled(root: Path, labels: str) -> list[str]:
    """The images of train and val that have no label in the folder `labels` yet."""
    return [name for part in split(root).values() for name in part if not label_of(root, labels, name).is_file()]


def write_labels_of(
    root: Path,
    labels: str,
    names: Iterable[str],
    annotations: Path,
    read: Callable[[str, Path], Label | None],
    progress: bool = True,
) -> int:
    """Write the labels of images that have an annotation, and check their sizes.

    Args:
        root: VOC 2010's folder.
        labels: the name of the folder of labels in it.
        names: the images.
        annotations: the folder of `.mat` files.
        read: the label (H, W) of an image, from its name and `.mat`; None writes nothing.
        progress: show a progress bar.

    Returns:
        The number of files written.

    Raises:
        InputError: what `read` raises, or a label has another size than its image.
    """

    def checked(name: str) -> Label | None:
        source = annotations / f"{name}.mat"
        label = read(name, source)
        if label is not None:
            check_size(label, source, image_of(root, name))
        return label

    targets = {name: label_of(root, labels, name) for name in annotated(names, annotations)}
    return write_labels(targets, checked, labels, progress=progress)


def first_folder(places: Iterable[Path], pattern: str) -> Path | None:
    """The first of the folders that has a file of this pattern."""
    return next((place for place in places if next(place.glob(pattern), None)), None)


def annotated(names: Iterable[str], annotations: Path) -> list[str]:
    """Those of the images that have a `.mat` in the folder of annotations; says how many have none."""
    names = list(names)
    lacking = [name for name in names if not (annotations / f"{name}.mat").is_file()]
    if lacking:
        first = annotations / f"{lacking[0]}.mat"
        print(f"warning: left out are {len(lacking)} images without an annotation, first {first}", file=sys.stderr)
    return sorted(set(names) - set(lacking))


def write_lists_of(root: Path, labels: str, names: Mapping[str, Iterable[str]]) -> int:
    """Write lists of images: those of each list's names that have a file in the folder `labels`.

    Args:
        root: VOC 2010's folder.
        labels: the name of the folder of labels in it.
        names: the images of each list.

    Returns:
        How many files are new or different.
    """
    count = 0
    for part, images in names.items():
        labelled = [name for name in images if label_of(root, labels, name).is_file()]
        words = [(f"/JPEGImages/{name}.jpg", f"/{labels}/{name}.png") for name in labelled]
        count += write_lists(root, part, words)
    return count
