"""Results compared with a reference: differences per class and per image, and how much they depend on the images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..tables import csv_text, table
from .bootstrap import RESAMPLES, gain_intervals
from .confusion import MEAN_IOU_RULE, SUMMARY, differing_classes
from .score_text import none_if_nan, percent
from .scoring import Counts

#: what the intervals are, for tables and the page
INTERVAL_RULE = f"95 % interval of the difference: {RESAMPLES:,} paired bootstrap resamples of the images, fixed seed"


@dataclass(frozen=True, eq=False)
class Difference:
    """What one result has more than the reference, as fractions; NaN where one of them has no score.

    Attributes:
        name: of the result.
        classes: (C,) differences of the IoU of each class.
        mean_iou: of the mean IoU.
        intervals: (C + 1, 2), of each class and of the mean; None for a single image.
        images: (N,) differences of the mean IoU of each image.
    """

    name: str
    classes: NDArray[np.float64]
    mean_iou: float
    intervals: NDArray[np.float64] | None
    images: NDArray[np.float64]

    @classmethod
    def between(cls, name: str, reference: Counts, result: Counts) -> Difference:
        """The difference of a result named `name` to a reference on the same images."""
        first, second = reference.scores, result.scores
        return cls(
            name,
            second.per_class_iou - first.per_class_iou,
            second.mean_iou - first.mean_iou,
            gain_intervals(reference.images, result.images),
            image_ious(result) - image_ious(reference),
        )

    def of(self, place: int) -> float:
        """The difference of a class, or of the mean (-1)."""
        return self.mean_iou if place < 0 else float(self.classes[place])

    def interval(self, place: int) -> tuple[float, float] | None:
        """The interval of a class, or of the mean (-1); None if unknown."""
        if self.intervals is None or np.isnan(self.intervals[place]).any():
            return None
        return float(self.intervals[place, 0]), float(self.intervals[place, 1])

    def is_clear(self, place: int) -> bool:
        """Whether the interval of a class, or of the mean (-1), does not hold 0."""
        interval = self.interval(place)
        return interval is not None and (interval[0] > 0 or interval[1] < 0)

    def better(self) -> list[int]:
        """Images on which the result has a higher mean IoU than the reference, the largest difference first."""
        return [place for place in np.argsort(-self.images, kind="stable").tolist() if self.images[place] > 0]

    def worse(self) -> list[int]:
        """Images on which it has a lower one, the largest difference first."""
        return [place for place in np.argsort(self.images, kind="stable").tolist() if self.images[place] < 0]

    def verdict(self, reference: str) -> str:
        """One sentence: the difference of the mean IoU, and on how many images which is better."""
        interval = self.interval(-1)
        sure = "" if interval is None else f", 95 % interval {100 * interval[0]:+.2f} to {100 * interval[1]:+.2f}"
        chance = "; it could be chance" if interval is not None and not self.is_clear(-1) else ""
        return (
            f"{self.name} against {reference}: mean IoU {100 * self.mean_iou:+.2f} points{sure}{chance}; better on "
            f"{len(self.better())} and worse on {len(self.worse())} of {len(self.images)} images"
        )


@dataclass(frozen=True, eq=False)
class Compared:
    """Results on the same images, the first of which is the reference.

    Attributes:
        names: of the results.
        counts: of each result.
        class_names: C names.
        differences: of each further result to the reference.
    """

    names: Sequence[str]
    counts: Sequence[Counts]
    class_names: Sequence[str]
    differences: Sequence[Difference]

    @classmethod
    def of(cls, names: Sequence[str], counts: Sequence[Counts], class_names: Sequence[str]) -> Compared:
        """The comparison of results, with the differences computed once."""
        others = list(zip(names, counts, strict=True))[1:]
        return cls(names, counts, class_names, [Difference.between(name, counts[0], each) for name, each in others])

    def notes(self) -> list[str]:
        """What the numbers are, and which results' means are over other classes than the reference's."""
        first, lines = self.counts[0].scores.per_class_iou, [f"IoU in %; {MEAN_IOU_RULE}", INTERVAL_RULE]
        for name, each in list(zip(self.names, self.counts, strict=True))[1:]:
            pair = first, each.scores.per_class_iou
            lines += differing_classes(self.class_names, *pair, (self.names[0], name))
        return lines

    def verdicts(self) -> list[str]:
        """A sentence for each difference."""
        return [difference.verdict(self.names[0]) for difference in self.differences]


def image_ious(counts: Counts) -> NDArray[np.float64]:
    """The mean IoU of each image alone, (N,)."""
    return np.array([score.mean_iou for score in counts.per_image()], np.float64)


def lowest(counts: Counts) -> list[int]:
    """The images with a score, the lowest mean IoU of their own first."""
    ious = image_ious(counts)
    return [place for place in np.argsort(ious, kind="stable").tolist() if not np.isnan(ious[place])]


def comparison_text(compared: Compared) -> str:
    """The table that is printed: IoU of each class and the means of all results in percent, and differences."""
    counts, differences = compared.counts, compared.differences
    headings = ["class", *(f">{name}" for name in compared.names)]
    for difference in differences:
        headings += [">change" if len(differences) == 1 else f">change, {difference.name}", ">95 % interval"]
    rows = []
    for place, label in [*enumerate(compared.class_names), (-1, "mean IoU")]:
        row = [label, *(percent(_iou(each, place)) for each in counts)]
        for difference in differences:
            row += [percent(difference.of(place), "+"), interval_text(difference.interval(place))]
        rows.append(row)
    for key, label in list(SUMMARY.items())[1:]:
        values = [getattr(each.scores, key) for each in counts]
        row = [label, *map(percent, values)]
        rows.append([*row, *(cell for value in values[1:] for cell in (percent(value - values[0], "+"), ""))])
    return "\n".join([*compared.notes(), *table(headings, rows), "", *compared.verdicts()]) + "\n"


def comparison_record(compared: Compared) -> dict[str, Any]:
    """The entries `results` and `differences` of compare.json; fractions, NaN as None."""
    names = compared.class_names
    pairs = zip(compared.names, compared.counts, strict=True)
    results = [{"name": name, **each.scores.to_json(names)} for name, each in pairs]
    return {"results": results, "differences": [_difference_record(d, compared) for d in compared.differences]}


def _difference_record(difference: Difference, compared: Compared) -> dict[str, Any]:
    def entry(place: int) -> dict[str, Any]:
        return {"difference": none_if_nan(difference.of(place)), "interval": difference.interval(place)}

    return {
        "name": difference.name,
        "against": compared.names[0],
        "mean_iou": entry(-1),
        "images_better": len(difference.better()),
        "images_worse": len(difference.worse()),
        "per_class_iou": {name: entry(place) for place, name in enumerate(compared.class_names)},
    }


def comparison_images_csv(compared: Compared) -> str:
    """A line for each image: the mean IoU of each result, and its difference to the first."""
    names, counts = compared.names, compared.counts
    headings = ("id", "pixels", *names, *(f"{name} - {names[0]}" for name in names[1:]))
    columns = [*map(image_ious, counts), *(difference.images for difference in compared.differences)]
    pixels = counts[0].images[:, 1].sum(1)
    return csv_text(headings, zip(counts[0].ids, pixels.tolist(), *(c.tolist() for c in columns), strict=True))


def interval_text(interval: tuple[float, float] | None) -> str:
    """An interval in percent, such as "+1.20 to +2.40"."""
    return "-" if interval is None else f"{100 * interval[0]:+.2f} to {100 * interval[1]:+.2f}"


def _iou(counts: Counts, place: int) -> float:
    scores = counts.scores
    return float(scores.per_class_iou[place]) if place >= 0 else scores.mean_iou
