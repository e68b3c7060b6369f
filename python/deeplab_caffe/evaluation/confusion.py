"""The confusion matrix, and the scores computed from it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from ..arrays import NDArray
from ..errors import InputError
from ..lazy import imported_on_use
from .score_text import none_if_nan, percent

if TYPE_CHECKING:
    import numpy as np

    Matrix = NDArray[np.int64]
else:
    np = imported_on_use("numpy")
    Matrix = Any


def confusion_matrix(
    label: NDArray[np.integer[Any]],
    prediction: NDArray[np.integer[Any]],
    num_classes: int,
    ignore_label: int | None = 255,
) -> Matrix:
    """Count pixels by ground truth and prediction.

    Args:
        label: ground truth, any shape, values 0..C-1 or `ignore_label`.
        prediction: same shape, values 0..C-1; not used where the label is `ignore_label`.
        num_classes: C.
        ignore_label: label of pixels that do not count; None: all pixels count.

    Returns:
        (C, C) int64, ground truth in rows, predictions in columns.

    Raises:
        InputError: the shapes differ, or a value is out of range.

    Example:
        >>> confusion_matrix(np.array([0, 1, 1, 255]), np.array([0, 1, 0, 0]), num_classes=2)
        array([[1, 0],
               [1, 1]])
    """
    return confusion_matrices(label, prediction, num_classes, ignore_label)[0]


def confusion_matrices(
    label: NDArray[np.integer[Any]],
    prediction: NDArray[np.integer[Any]],
    num_classes: int,
    ignore_label: int | None = 255,
    groups: NDArray[np.integer[Any]] | None = None,
    num_groups: int = 1,
) -> Matrix:
    """The confusion matrix of each group of pixels, (G, C, C), from one joint histogram.

    Args:
        label, prediction, num_classes, ignore_label: as for `confusion_matrix`.
        groups: same shape, the number 0..G-1 of each pixel's group; None: one group.
        num_groups: G.

    Raises:
        InputError: the shapes differ, or a value is out of range.
    """
    label, prediction = np.asarray(label), np.asarray(prediction)
    if label.shape != prediction.shape:
        raise InputError(
            f"confusion matrix: label is {label.shape}, but prediction is {prediction.shape}; crop or resize"
        )
    if ignore_label is not None:
        keep = label != ignore_label
        if not keep.all():
            label, prediction = label[keep], prediction[keep]
            groups = None if groups is None else groups[keep]
    _check_range("label", label, num_classes, f" and ignore_label {ignore_label}")
    _check_range("prediction", prediction, num_classes, "")
    index = label.ravel().astype(np.intp)
    if groups is not None:
        index += groups.ravel().astype(np.intp) * num_classes
    index *= num_classes
    index += prediction.ravel()
    counts = np.bincount(index, minlength=num_groups * num_classes**2)
    return counts.reshape(num_groups, num_classes, num_classes).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of a confusion matrix, as fractions 0..1; NaN if there are no pixels to score.

    Attributes:
        mean_iou: mean over the classes that occur in ground truth or prediction.
        per_class_iou: (C,), NaN for classes that occur in neither.
        pixel_accuracy: fraction of correct pixels.
        mean_accuracy: mean recall of the classes that occur in the ground truth.
        frequency_weighted_iou: mean weighted by ground truth pixels.

    Example:
        >>> scores = Scores.from_matrix(np.array([[1, 0], [1, 1]]))
        >>> scores.per_class_iou, scores.mean_iou
        (array([0.5, 0.5]), 0.5)
    """

    mean_iou: float
    per_class_iou: NDArray[np.float64]
    pixel_accuracy: float
    mean_accuracy: float
    frequency_weighted_iou: float

    @classmethod
    def from_matrix(cls, matrix: NDArray[np.integer[Any]]) -> Scores:
        """Compute the scores of a (C, C) matrix with ground truth in rows (Long et al. 2015, section 5)."""
        matrix = np.asarray(matrix, np.float64)
        hits, truth = np.diag(matrix), matrix.sum(1)
        iou = class_ious(hits, truth, matrix.sum(0))
        recall = hits[truth > 0] / truth[truth > 0]
        total = truth.sum()
        return cls(
            mean_iou=float(mean_iou(iou)),
            per_class_iou=iou,
            pixel_accuracy=float(hits.sum() / total) if total else math.nan,
            mean_accuracy=_mean(recall),
            frequency_weighted_iou=float((truth * np.nan_to_num(iou)).sum() / total) if total else math.nan,
        )

    @property
    def classes(self) -> list[int]:
        """The classes that the mean IoU is over."""
        return [int(number) for number in np.flatnonzero(~np.isnan(self.per_class_iou))]

    def to_json(self, class_names: Sequence[str]) -> dict[str, Any]:
        """A dict for `json.dumps`; NaN becomes None. InputError if the number of class names differs."""
        self._check_names(class_names)
        result: dict[str, Any] = {name: none_if_nan(getattr(self, name)) for name in SUMMARY}
        pairs = zip(class_names, self.per_class_iou.tolist(), strict=True)
        result["per_class_iou"] = {name: none_if_nan(value) for name, value in pairs}
        return result

    def table(
        self,
        class_names: Sequence[str],
        other: Scores | None = None,
        headings: tuple[str, str] = ("before CRF", "after CRF"),
    ) -> str:
        """A plain-text table in percent, under a line that says which classes the mean is over.

        Args:
            class_names: C names.
            other: scores for a second column, followed by a column with the difference.
            headings: of the two columns.
        """
        columns = [self] if other is None else [self, other]
        for scores in columns:
            scores._check_names(class_names)
        names = [*class_names, *SUMMARY.values()]
        rows = [[*s.per_class_iou.tolist(), *(getattr(s, key) for key in SUMMARY)] for s in columns]
        width = max(map(len, names))
        lines = [f"IoU in %; {MEAN_IOU_RULE}"]
        if other:
            lines += differing_classes(class_names, self.per_class_iou, other.per_class_iou, headings)
            lines += [" " * width + "".join(f"{h:>12}" for h in headings) + f"{'change':>9}"]
        for place, name in enumerate(names):
            if place == len(class_names):
                lines.append("-" * (width + 12 * len(columns) + (9 if other else 0)))
            cells = [row[place] for row in rows]
            change = percent(cells[1] - cells[0], "+").rjust(9) if other else ""
            lines.append(f"{name:<{width}}" + "".join(f"{percent(cell):>12}" for cell in cells) + change)
        return "\n".join(lines)

    def _check_names(self, class_names: Sequence[str]) -> None:
        if len(class_names) != len(self.per_class_iou):
            raise InputError(
                f"expected {len(self.per_class_iou)} class names, one for each IoU, but got {len(class_names)}"
            )


class Mistake(NamedTuple):
    """Two classes that are confused: class `truth` of the label was predicted as `found`.

    `of_class`: part of the class's pixels; `of_wrong`: part of all pixels that are wrong.
    """

    truth: int
    found: int
    of_class: float
    of_wrong: float


def mistakes(matrix: Matrix, most: int) -> list[Mistake]:
    """The confusions of a (C, C) matrix with the most pixels, at most `most` of them, the most frequent first.

    Example:
        >>> mistakes(np.array([[7, 3], [1, 9]]), 1)
        [Mistake(truth=0, found=1, of_class=0.3, of_wrong=0.75)]
    """
    wrong = np.array(matrix, np.int64)
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    truth, total = np.asarray(matrix).sum(1), wrong.sum()
    pairs = [(int(k) // len(wrong), int(k) % len(wrong)) for k in order]
    return [
        Mistake(row, column, float(wrong[row, column] / truth[row]), float(wrong[row, column] / total))
        for row, column in pairs
        if wrong[row, column]
    ]


#: the rule of VOC's devkit and of FCN, for every table of this package
MEAN_IOU_RULE = (
    "the mean is over the classes that occur in the labels or the predictions (predicted but in no label: 0)"
)


def class_ious(
    hits: NDArray[np.float64], truth: NDArray[np.float64], found: NDArray[np.float64]
) -> NDArray[np.float64]:
    """IoU of each class, NaN for those that occur neither in the labels nor in the predictions.

    Args:
        hits: (..., C) pixels of a class that are predicted as it.
        truth: (..., C) pixels of a class in the labels.
        found: (..., C) pixels that are predicted as it.
    """
    union = truth + found - hits
    return np.divide(hits, union, out=np.full(np.shape(hits), np.nan), where=union > 0)


def mean_iou(ious: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean (...) of IoUs (..., C) over the classes that are not NaN; NaN if there are none."""
    counted = ~np.isnan(ious)
    count = counted.sum(axis=-1)
    return np.divide(np.where(counted, ious, 0).sum(axis=-1), count, out=np.full(count.shape, np.nan), where=count > 0)


def differing_classes(
    class_names: Sequence[str],
    first: Sequence[float | None] | NDArray[np.float64],
    second: Sequence[float | None] | NDArray[np.float64],
    headings: tuple[str, str],
) -> list[str]:
    """A line for each of two columns of IoUs that averages over classes that the other does not; none: NaN or None."""
    occurs = [~np.isnan(np.array(column, np.float64)) for column in (first, second)]
    lines = []
    for heading, own, other in zip(headings, occurs, occurs[::-1], strict=True):
        if names := [class_names[number] for number in np.flatnonzero(own & ~other)]:
            lines.append(f"the mean {heading} is over {own.sum()} classes, also {', '.join(names)}")
    return lines


#: the scores over all classes, and what tables call them
SUMMARY = {
    "mean_iou": "mean IoU",
    "pixel_accuracy": "pixel accuracy",
    "mean_accuracy": "mean accuracy",
    "frequency_weighted_iou": "frequency-weighted IoU",
}


def _check_range(what: str, values: NDArray[np.integer[Any]], num_classes: int, also: str) -> None:
    if not values.size:
        return
    low, high = int(values.min()), int(values.max())
    if low < 0 or high >= num_classes:
        bad = np.count_nonzero((values < 0) | (values >= num_classes))
        raise InputError(
            f"confusion matrix: {what} values are {low} to {high}, {bad} of {values.size} pixels are outside "
            f"0..{num_classes - 1}; check the number of classes{also}"
        )


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if values.size else math.nan
