"""The scores of single images: which are worst, a table that stays short, and a file with all of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from ..tables import csv_text
from ..words import for_people
from .score_text import percent
from .scoring import ImageScore

#: a page lists at most so many images
MOST_LISTED = 200


class ImageRow(NamedTuple):
    """One image's own scores as fractions, NaN where nothing is scored; `after` is None without the CRF."""

    id: str
    before: float
    after: float | None
    pixel_accuracy: float
    pixels: int

    @property
    def last(self) -> float:
        """The mean IoU of the final result."""
        return self.before if self.after is None else self.after

    def text(self) -> str:
        """`mean IoU 52.3 %, before the CRF 50.1 %`."""
        if math.isnan(self.last):
            return "no pixel of it is scored"
        before = "" if self.after is None else f", before the CRF {_text(self.before)} %"
        return f"mean IoU {_text(self.last)} %{before}"


def lowest_first(before: Sequence[ImageScore], after: Sequence[ImageScore] | None = None) -> list[ImageRow]:
    """The images, the lowest mean IoU of the final result first; those without a score last.

    Args:
        before: scores without the CRF.
        after: scores of the same images with it, in the same order, or None.
    """
    last = before if after is None else after
    rows = [
        ImageRow(b.id, b.mean_iou, None if after is None else a.mean_iou, a.pixel_accuracy, a.pixels)
        for b, a in zip(before, last, strict=True)
    ]
    return sorted(rows, key=lambda row: (math.isnan(row.last), row.last))


def table_rows(rows: Sequence[ImageRow], most: int = MOST_LISTED) -> list[list[str]]:
    """The cells of the first rows, in percent: name, mean IoU, with a CRF that after it and the change, accuracy."""
    return [[for_people(row.id), *_ious(row), _text(row.pixel_accuracy)] for row in rows[:most]]


def _ious(row: ImageRow) -> list[str]:
    if row.after is None:
        return [_text(row.before)]
    return [_text(row.before), _text(row.after), _text(row.after - row.before, "+")]


def _text(value: float, sign: str = "") -> str:
    return percent(value, sign, "–", digits=1)


def image_rows_csv(rows: Sequence[ImageRow]) -> str:
    """A line for each image, fractions; `mean_iou_after` is empty without the CRF."""
    return csv_text(("id", "mean_iou", "mean_iou_after", "pixel_accuracy", "pixels"), rows)
