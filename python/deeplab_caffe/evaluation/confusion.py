"""The confusion matrix, and the scores computed from it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError

Matrix = NDArray[np.int64]


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
    label, prediction = np.asarray(label), np.asarray(prediction)
    if label.shape != prediction.shape:
        raise InputError(
            f"confusion matrix: label is {label.shape}, but prediction is {prediction.shape}; crop or resize"
        )
    if ignore_label is not None:
        keep = label != ignore_label
        if not keep.all():
            label, prediction = label[keep], prediction[keep]
    _check_range("label", label, num_classes, f" and ignore_label {ignore_label}")
    _check_range("prediction", prediction, num_classes, "")
    index = label.ravel().astype(np.intp)
    index *= num_classes
    index += prediction.ravel()
    return np.bincount(index, minlength=num_classes**2).reshape(num_classes, num_classes).astype(np.int64)


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
        union = truth + matrix.sum(0) - hits
        iou = np.divide(hits, union, out=np.full(len(hits), np.nan), where=union > 0)
        recall = hits[truth > 0] / truth[truth > 0]
        total = truth.sum()
        return cls(
            mean_iou=_mean(iou[union > 0]),
            per_class_iou=iou,
            pixel_accuracy=float(hits.sum() / total) if total else math.nan,
            mean_accuracy=_mean(recall),
            frequency_weighted_iou=float((truth * np.nan_to_num(iou)).sum() / total) if total else math.nan,
        )

    def to_json(self, class_names: Sequence[str]) -> dict[str, Any]:
        """A dict for `json.dumps`; NaN becomes None. InputError if the number of class names differs."""
        self._check_names(class_names)
        result: dict[str, Any] = {name: _none_if_nan(getattr(self, name)) for name in _SUMMARY}
        pairs = zip(class_names, self.per_class_iou.tolist(), strict=True)
        result["per_class_iou"] = {name: _none_if_nan(value) for name, value in pairs}
        return result

    def table(
        self,
        class_names: Sequence[str],
        other: Scores | None = None,
        headings: tuple[str, str] = ("before CRF", "after CRF"),
    ) -> str:
        """A plain-text table in percent.

        Args:
            class_names: C names.
            other: scores for a second column, followed by a column with the difference.
            headings: of the two columns.
        """
        columns = [self] if other is None else [self, other]
        for scores in columns:
            scores._check_names(class_names)
        names = [*class_names, *_SUMMARY.values()]
        rows = [[*s.per_class_iou.tolist(), *(getattr(s, key) for key in _SUMMARY)] for s in columns]
        width = max(map(len, names))
        lines = [" " * width + "".join(f"{h:>12}" for h in headings) + f"{'change':>9}"] if other else []
        for place, name in enumerate(names):
            if place == len(class_names):
                lines.append("-" * (width + 12 * len(columns) + (9 if other else 0)))
            cells = [row[place] for row in rows]
            change = f"{_percent(cells[1] - cells[0], sign=True):>9}" if other else ""
            lines.append(f"{name:<{width}}" + "".join(f"{_percent(cell):>12}" for cell in cells) + change)
        return "\n".join(lines)

    def _check_names(self, class_names: Sequence[str]) -> None:
        if len(class_names) != len(self.per_class_iou):
            raise InputError(
                f"expected {len(self.per_class_iou)} class names, one for each IoU, but got {len(class_names)}"
            )


_SUMMARY = {
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


def _none_if_nan(value: float) -> float | None:
    return None if math.isnan(value) else value


def _percent(value: float, sign: bool = False) -> str:
    return "-" if math.isnan(value) else f"{100 * value:{'+' if sign else ''}.2f}"
