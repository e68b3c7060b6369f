"""The page of a comparison: one self-contained HTML file, in the report's style."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ..arrays import Label
from . import figures, pages
from .comparison import Compared, Difference, interval_text
from .figures import Rgb
from .score_figures import difference_chart
from .score_text import percent

#: pictures are made to fit into so many pixels, so that the page stays small
_WIDTH, _HEIGHT = 360, 300
#: what a pixel of the last column says of the reference and the result, in colours that all eyes can tell apart
_BOTH, _FIRST, _SECOND, _NEITHER, _IGNORED = range(5)
_COLOURS = np.array([[238, 241, 244], [214, 102, 30], [29, 95, 168], [74, 80, 88], [255, 255, 255]], np.uint8)


@dataclass(frozen=True, eq=False)
class Shown:
    """One image of the page.

    Attributes:
        name: its id.
        text: what its scores are.
        image: (H, W, 3) RGB, or None.
        label: (H, W) ground truth.
        results: (H, W) of each result.
    """

    name: str
    text: str
    image: Rgb | None
    label: Label
    results: Sequence[Label]


class Section(NamedTuple):
    """Images under a heading, and a line on how they were chosen."""

    heading: str
    text: str
    images: Sequence[Shown]


@dataclass(frozen=True, eq=False)
class Comparison:
    """The contents of the page.

    Attributes:
        title: heading of the page.
        subtitle: data set and list.
        compared: the results.
        palette: (K, 3) RGB, K >= C.
        sections: images.
        curves: PNG file of the trimap, or None.
        curves_note: what its bands are.
        ignore_label: label of pixels that are not scored.
        command: that made the page.
    """

    title: str
    subtitle: str
    compared: Compared
    palette: Rgb
    sections: Sequence[Section] = ()
    curves: bytes | None = None
    curves_note: str = ""
    ignore_label: int | None = 255
    command: str = ""


def comparison_page(comparison: Comparison) -> str:
    """The page as HTML."""
    compared = comparison.compared
    sections = [
        {"heading": s.heading, "text": s.text, "images": [_example(shown, comparison) for shown in s.images]}
        for s in comparison.sections
    ]
    return pages.render(
        "comparison.html",
        comparison=comparison,
        names=compared.names,
        tiles=_tiles(compared),
        verdicts=compared.verdicts(),
        notes=compared.notes(),
        rows=_rows(compared, comparison.palette),
        chart=pages.png_uri(difference_chart(compared.class_names, compared.differences)),
        curves=pages.png_uri(comparison.curves) if comparison.curves else None,
        sections=[section for section in sections if section["images"]],
        legend=_legend(comparison),
        marks=[(text, pages.colour(_COLOURS[k])) for k, text in _marks(compared.names)],
    )


def _tiles(compared: Compared) -> list[dict[str, str]]:
    texts = ["the reference"]
    for difference in compared.differences:
        interval = difference.interval(-1)
        texts.append(f"{100 * difference.mean_iou:+.2f}" + (f" ({interval_text(interval)})" if interval else ""))
    pairs = zip(compared.names, compared.counts, texts, strict=True)
    return [{"name": name, "value": f"{100 * each.scores.mean_iou:.2f}", "change": text} for name, each, text in pairs]


def _rows(compared: Compared, palette: Rgb) -> list[dict[str, Any]]:
    """The rows of the table, a class each and the mean."""
    rows = []
    for place, name in [*enumerate(compared.class_names), (-1, "mean IoU")]:
        scores = [each.scores for each in compared.counts]
        values = [s.mean_iou if place < 0 else s.per_class_iou[place] for s in scores]
        changes = [_change(difference, place) for difference in compared.differences]
        colour = None if place < 0 else pages.colour(palette[place])
        cells = [percent(value, missing="–") for value in values]
        rows.append({"name": name, "colour": colour, "cells": cells, "changes": changes})
    return rows


def _change(difference: Difference, place: int) -> dict[str, str]:
    value = difference.of(place)
    direction = ("up" if value > 0 else "down") if difference.is_clear(place) else ""
    interval = interval_text(difference.interval(place))
    return {"value": percent(value, "+", "–"), "interval": interval, "direction": direction}


# -- pictures


def _example(shown: Shown, comparison: Comparison) -> dict[str, Any]:
    named = [("label", shown.label), *zip(comparison.compared.names, shown.results, strict=True)]
    cells = [{"heading": heading, "uri": _labels_uri(labels, comparison)} for heading, labels in named]
    if shown.image is not None:
        cells.insert(0, {"heading": "image", "uri": _photo_uri(shown.image)})
    marks = difference_map(shown.label, shown.results[0], shown.results[-1], comparison.ignore_label)
    cells.append({"heading": "who is right", "uri": pages.picture_uri(_COLOURS[_small(marks)])})
    return {"name": shown.name, "text": shown.text, "cells": cells}


def difference_map(label: Label, first: Label, second: Label, ignore_label: int | None) -> Label:
    """Who is right at each pixel, (H, W): 0 both, 1 the first, 2 the second, 3 neither, 4 where nothing is scored.

    Example:
        >>> label, first, second = np.array([[[1, 1, 1, 1, 255]], [[1, 1, 0, 0, 0]], [[1, 0, 1, 0, 0]]])
        >>> difference_map(label, first, second, 255).tolist()
        [[0, 1, 2, 3, 4]]
    """
    wrong = (first != label).astype(np.uint8) * 2 + (second != label)
    marks = np.array([_BOTH, _FIRST, _SECOND, _NEITHER], np.uint8)[wrong]
    if ignore_label is not None:
        marks[label == ignore_label] = _IGNORED
    return marks


def _marks(names: Sequence[str]) -> list[tuple[int, str]]:
    words = "both right", f"only {names[0]} right", f"only {names[-1]} right", "both wrong"
    return list(enumerate(words))


def _labels_uri(labels: Label, comparison: Comparison) -> str:
    image = figures.colour_labels(_small(labels), comparison.palette, comparison.ignore_label)
    return pages.picture_uri(image)


def _photo_uri(image: Rgb) -> str:
    """A photo at the size of the page's pictures."""
    height, width = _fitted(image.shape[:2])
    return pages.photo_uri(np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8))


def _small(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Labels at the size of the page's pictures, without values that they do not have."""
    height, width = _fitted(labels.shape)
    return np.asarray(cv2.resize(labels, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)


def _fitted(shape: Sequence[int]) -> tuple[int, int]:
    scale = min(1.0, _HEIGHT / shape[0], _WIDTH / shape[1])
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def _legend(comparison: Comparison) -> list[tuple[str, tuple[int, ...]]]:
    """Names and colours of the classes that the pictures show."""
    every = [shown for section in comparison.sections for shown in section.images]
    labels = [each for shown in every for each in (shown.label, *shown.results)]
    return pages.legend(comparison.compared.class_names, comparison.palette, labels)
