"""Confusion matrix and the scores read from it."""

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
    """Count pixels by ground truth (rows) and prediction (columns), (C, C) int64.

    Args:
        label: ground truth, any shape, values 0..C-1 or `ignore_label`.
        prediction: of the same shape, values 0..C-1; not looked at where the label is ignored.

    Raises:
        InputError: the shapes differ, or a value is out of range.
    """
    label, prediction = np.asarray(label), np.asarray(prediction)
    if label.shape != prediction.shape:
        raise InputError(f"confusion matrix: label is {label.shape} but prediction {prediction.shape}; crop or resize")
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
    """Scores of a confusion matrix, as fractions 0..1; NaN where nothing was there to score.

    mean_iou: over the classes that occur in ground truth or prediction.
    per_class_iou: (C,), NaN for the others.
    mean_accuracy: over the classes that occur in the ground truth.
    frequency_weighted_iou: weighted by ground truth pixels.
    """

    mean_iou: float
    per_class_iou: NDArray[np.float64]
    pixel_accuracy: float
    mean_accuracy: float
    frequency_weighted_iou: float

    @classmethod
    def from_matrix(cls, matrix: NDArray[np.integer[Any]]) -> Scores:
        """Scores of a (C, C) matrix with ground truth in rows (Long et al. 2015, section 5)."""
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
        """A dict ready for `json.dumps`; NaN becomes None."""
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
        """A plain-text table in percent; with `other` a second column and the difference."""
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
            raise InputError(f"scores of {len(self.per_class_iou)} classes, but {len(class_names)} class names given")


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
            f"confusion matrix: {what} values reach from {low} to {high}, {bad} of {values.size} pixels outside "
            f"0..{num_classes - 1}; check the number of classes{also}"
        )


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if values.size else math.nan


def _none_if_nan(value: float) -> float | None:
    return None if math.isnan(value) else value


def _percent(value: float, sign: bool = False) -> str:
    return "-" if math.isnan(value) else f"{100 * value:{'+' if sign else ''}.2f}"
