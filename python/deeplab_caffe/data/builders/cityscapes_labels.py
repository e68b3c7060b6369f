"""The label files of one image of Cityscapes: train ids made from label ids or polygons, and checks of those there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ...arrays import Label
from ...errors import InputError
from ...progress import tracked
from ...threads import mapped
from ..cityscapes import CLASSES, IDS, IGNORED, TRAIN_IDS, wrong_kind
from ..label_conversion import value_table
from ..labels import check_labels, read_label, value_counts
from .cityscapes_polygons import draw_polygons
from .written import check_size

_TO_TRAIN_IDS = value_table(TRAIN_IDS, others=IGNORED)
_SAMPLE = 16  # label files that tell whether they hold ids


@dataclass(frozen=True)
class LabelFiles:
    """The label files of an image.

    Attributes:
        stem: their path without suffix, such as …/gtFine/train/aachen/aachen_000000_000019_gtFine.
        root: the data set's folder.
        chosen: the folder of the labels of train ids; None: beside the others.
    """

    stem: Path
    root: Path
    chosen: Path | None = None

    SUFFIXES: ClassVar = ("_labelTrainIds.png", "_labelIds.png", "_polygons.json")

    def __getitem__(self, suffix: str) -> Path:
        return self.stem.with_name(self.stem.name + suffix)

    @property
    def train_ids(self) -> Path:
        beside = self["_labelTrainIds.png"]
        return self.chosen / beside.relative_to(self.root) if self.chosen else beside

    @property
    def image(self) -> Path:
        """The image, which has the same name in another folder."""
        kind, split, city = self.stem.relative_to(self.root).parts[:3]
        name = self.stem.name.removesuffix(f"_{kind}") + "_leftImg8bit.png"
        return self.root / "leftImg8bit" / split / city / name


def train_ids_of(files: LabelFiles) -> Label:
    """The label of train ids (H, W): from the label ids, or drawn from the polygons where those are missing.

    Raises:
        InputError: both are missing, one is damaged, has values that are no ids, or another size than the image.
    """
    path = next((files[end] for end in ("_labelIds.png", "_polygons.json") if files[end].is_file()), None)
    if path is None:
        raise InputError(f"{files['_labelIds.png']}: does not exist, nor its polygons; unpack the labels again")
    ids = read_label(path) if path.suffix == ".png" else draw_polygons(path)
    check_labels(ids, len(IDS) - 1, None, path)
    check_size(ids, path, files.image)
    return _TO_TRAIN_IDS[ids]


def check_train_ids(new: Sequence[LabelFiles], progress: bool = True) -> None:
    """Check labels of train ids that exist already.

    Raises:
        InputError: a file is damaged, has values that are no train ids or another size than its image; or all together
            seem to have label ids.
    """
    if not new:
        return
    counts = mapped(_checked, new)
    pixels = sum(tracked(counts, "existing train ids", len(new)) if progress else counts)
    _refuse(
        CLASSES, np.asarray(pixels), [files.train_ids for files in new], "remove them and run the same command again"
    )


def check_ids(labels: Sequence[LabelFiles]) -> None:
    """Refuse label ids that are train ids, from a sample of files."""
    paths = [files["_labelIds.png"] for files in labels if files["_labelIds.png"].is_file()]
    sample = paths[:: max(1, len(paths) // _SAMPLE)]
    if sample:
        pixels = sum(value_counts(read_label(path)) for path in sample)
        _refuse(tuple(IDS)[:-1], np.asarray(pixels), sample, "unpack gtFine_trainvaltest.zip or gtCoarse.zip again")


def _refuse(classes: Sequence[str], pixels: NDArray[np.int64], paths: Sequence[Path], advice: str) -> None:
    why = wrong_kind(classes, pixels, list(map(str, paths)))
    if why:
        raise InputError(f"{paths[0]} and {len(paths) - 1} others: {why}; or {advice}")


def _checked(files: LabelFiles) -> NDArray[np.int64]:
    """The pixels of each value of a label of train ids, after it was checked."""
    label = read_label(files.train_ids)
    check_labels(label, len(CLASSES), IGNORED, files.train_ids)
    check_size(label, files.train_ids, files.image)
    return value_counts(label)


