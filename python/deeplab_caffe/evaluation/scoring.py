"""Scores of many images: one confusion matrix over all of them, a row for each, and the bands of a trimap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Label
from ..errors import InputError
from ..progress import tracked
from ..threads import mapped
from ..words import some_lines, some_of
from .bootstrap import pixel_counts
from .confusion import Matrix, Scores, class_ious, confusion_matrices, mean_iou
from .trimap import BandScore, Trimap, band_scores


class Pair(NamedTuple):
    """One image to score: its id, its ground truth and its result."""

    id: str
    label: Path
    result: Path


#: reads (label, result) of a pair; raises InputError for what cannot be read or has values that are no classes
Reader = Callable[[Pair], tuple[Label, Label]]


class ImageScore(NamedTuple):
    """Scores of one image alone, fractions 0..1, NaN where nothing is scored; pixels: how many are, and are ignored."""

    id: str
    pixels: int
    ignored: int
    mean_iou: float
    pixel_accuracy: float
    mean_accuracy: float


@dataclass(frozen=True, eq=False)
class Counts:
    """What was counted in a list of images.

    Attributes:
        ids: of the N images.
        matrix: (C, C) over all images, ground truth in rows.
        images: (N, 3, C) of each image and class: pixels right, in the label, and predicted.
        ignored: (N,) pixels of each image that are not scored.
        bands: (W, C, C) of the bands of `trimap`, each with the narrower ones in it; None without a trimap.
        trimap: the bands, or None.
    """

    ids: tuple[str, ...]
    matrix: Matrix
    images: NDArray[np.int64]
    ignored: NDArray[np.int64]
    bands: Matrix | None = None
    trimap: Trimap | None = None

    @property
    def scores(self) -> Scores:
        """The scores over all images."""
        return Scores.from_matrix(self.matrix)

    def per_image(self) -> list[ImageScore]:
        """The scores of each image alone. Their mean is not the score of the list."""
        hits, truth, found = np.asarray(self.images, np.float64).transpose(1, 0, 2)
        recall = np.divide(hits, truth, out=np.full(hits.shape, np.nan), where=truth > 0)
        pixels = truth.sum(1)
        right = np.divide(hits.sum(1), pixels, out=np.full(pixels.shape, np.nan), where=pixels > 0)
        columns = self.ignored, mean_iou(class_ious(hits, truth, found)), right, mean_iou(recall)
        rows = zip(self.ids, pixels.astype(int).tolist(), *(column.tolist() for column in columns), strict=True)
        return [ImageScore(*row) for row in rows]

    def band_scores(self) -> list[BandScore]:
        """The scores within each band; empty without a trimap."""
        return [] if self.trimap is None or self.bands is None else band_scores(self.trimap.widths, self.bands)


def count_pairs(
    pairs: Sequence[Pair],
    read: Reader,
    num_classes: int,
    ignore_label: int | None,
    trimap: Trimap | None = None,
    what: str = "score",
) -> Counts:
    """Count the pixels of images by ground truth and prediction, each image once.

    Args:
        pairs: the images.
        read: reads a pair.
        num_classes: C.
        ignore_label: label of pixels that do not count, or None.
        trimap: bands to count as well.
        what: title of the progress.

    Raises:
        InputError: files cannot be read, sizes differ or values are out of range: says in how many images, and names
            the first; or no image has a border for the trimap.
    """
    bands = len(trimap.widths) if trimap else 0

    def count(pair: Pair) -> tuple[Matrix, int] | str:
        try:
            label, result = read(pair)
            check_sizes(pair, label, result)
            check_result(pair, label, result, num_classes, ignore_label)
            groups = trimap.groups(label, ignore_label) if trimap else None
            return confusion_matrices(label, result, num_classes, ignore_label, groups, bands + 1), label.size
        except InputError as error:
            return str(error)

    total = np.zeros((bands + 1, num_classes, num_classes), np.int64)
    images, sizes, problems = [], [], []
    for counted in tracked(mapped(count, pairs), what, len(pairs)):
        if isinstance(counted, str):
            problems.append(counted)
            continue
        total += counted[0]
        images.append(pixel_counts(counted[0].sum(0)[None])[0])
        sizes.append(counted[1])
    refuse(problems, len(pairs), "images cannot be scored")
    if trimap:
        _check_band(trimap, total, ignore_label)
    stacked = np.stack(images)
    return Counts(
        tuple(pair.id for pair in pairs),
        total.sum(0),
        stacked,
        np.array(sizes, np.int64) - stacked[:, 1].sum(1),
        total[:-1].cumsum(0) if trimap else None,
        trimap,
    )


def refuse(problems: Sequence[str], total: int, what: str) -> None:
    """Raise InputError if there are problems: how many, and the first of them; a single one speaks for itself."""
    if not problems:
        return
    if len(problems) == 1 and total == 1:
        raise InputError(problems[0])
    raise InputError(f"{len(problems)} of {total} {what}:{some_lines(problems)}")


def check_sizes(pair: Pair, label: Label, result: Label) -> None:
    """Raise InputError if label and result differ in size."""
    if label.shape != result.shape:
        raise InputError(
            f"{pair.result}: {_size(result)} (width × height), but the label {pair.label} is {_size(label)}; "
            "scores need results at the label's own size: resize or crop the scores before taking the best class"
        )


def check_result(pair: Pair, label: Label, result: Label, num_classes: int, ignore_label: int | None) -> None:
    """Raise InputError if a pixel that is scored has a value that is no class."""
    if not result.size or int(result.max()) < num_classes:
        return
    scored = result if ignore_label is None else result[label != ignore_label]
    counts = np.bincount(scored.ravel(), minlength=256)
    bad = [int(value) for value in np.flatnonzero(counts) if value >= num_classes]
    if not bad:
        return
    raise InputError(
        f"{pair.result}: value{'s' * (len(bad) > 1)} {some_of(bad, 8)} in {counts[bad].sum()} of the {scored.size} "
        f"pixels that are scored; expected classes 0..{num_classes - 1}. {_cause(bad, ignore_label)}"
    )


def _cause(bad: Sequence[int], ignore_label: int | None) -> str:
    if list(bad) == [ignore_label]:
        return f"{ignore_label} is the ignore label, which a result must not have where the ground truth has a class"
    return "Check that it was made for these classes, and saved as class indices, not as ids or grey values of colours"


def _size(label: Label) -> str:
    return f"{label.shape[1]}×{label.shape[0]}"


def _check_band(trimap: Trimap, total: Matrix, ignore_label: int | None) -> None:
    """Raise InputError if no pixel lies in any band."""
    if total[:-1].any():
        return
    if trimap.source == "ignore":
        raise InputError(
            f"trimap: no pixel beside one of the ignore label ({ignore_label}) in any label, so there is no band to "
            "score; for labels without an ignored border use their own boundaries: --trimap-from boundaries"
        )
    raise InputError("trimap: no label has two classes, so there are no boundaries and no band to score")
