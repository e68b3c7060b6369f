"""The page of a comparison, results side by side: one self-contained HTML file, in the report's style."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..arrays import Label
from . import figures, image_rows, pages
from .comparison import Compared, Difference, interval_text
from .confusion import SUMMARY
from .figures import Rgb
from .plot_style import Chart
from .score_figures import difference_chart
from .score_text import percent

#: pictures are made to fit into so many pixels, so that the page stays small
_WIDTH, _HEIGHT = 480, 400
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
        curves: the chart of the trimap, or None.
        curves_note: what its bands are.
        loss: the chart of the losses of the experiments, or None.
        accuracy: that of their accuracies while they were trained, or None.
        settings: (setting, its value in each experiment) of those that differ.
        experiments: the names of the columns of `settings`.
        ignore_label: label of pixels that are not scored.
        command: that made the page.
    """

    title: str
    subtitle: str
    compared: Compared
    palette: Rgb
    sections: Sequence[Section] = ()
    curves: Chart | None = None
    curves_note: str = ""
    loss: Chart | None = None
    accuracy: Chart | None = None
    settings: Sequence[tuple[str, Sequence[str]]] = ()
    experiments: Sequence[str] = ()
    ignore_label: int | None = 255
    command: str = ""


def comparison_page(comparison: Comparison) -> str:
    """The page as HTML."""
    compared = comparison.compared
    sections: list[dict[str, Any]] = [
        {"heading": s.heading, "text": s.text, "rows": [_example(shown, comparison) for shown in s.images]}
        for s in comparison.sections
    ]
    choices = image_rows.choices([row for section in sections for row in section["rows"]])
    charts = {"curves": comparison.curves, "loss": comparison.loss, "accuracy": comparison.accuracy}
    charts["differences"] = difference_chart(compared.class_names, compared.differences)
    return pages.render(
        "comparison.html",
        comparison=comparison,
        names=compared.names,
        tiles=_tiles(compared),
        verdicts=compared.verdicts(),
        notes=compared.notes(),
        summary=_summary(compared),
        rows=_rows(compared, comparison.palette),
        charts={name: pages.svg_uri(each.svg) for name, each in charts.items() if each is not None},
        sections=[section for section in sections if section["rows"]],
        choices=choices,
        left=compared.names[0] if compared.names[0] in choices[:-1] else "".join(choices[:1]),
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


def _summary(compared: Compared) -> list[dict[str, Any]]:
    """The rows of the table of scores over all classes."""
    return [
        {"name": name, "cells": _marked([getattr(each.scores, key) for each in compared.counts])}
        for key, name in SUMMARY.items()
    ]


def _marked(values: Sequence[float]) -> list[dict[str, Any]]:
    """Fractions as the cells of a row, in which the highest is marked unless all are the same as shown."""
    texts = [percent(value, missing="–") for value in values]
    known = [value for value in values if value == value]
    best = percent(max(known)) if len(known) > 1 and len({*texts}) > 1 else None
    return [{"text": text, "best": text == best} for text in texts]


def _rows(compared: Compared, palette: Rgb) -> list[dict[str, Any]]:
    """The rows of the table, a class each and the mean."""
    rows = []
    for place, name in [*enumerate(compared.class_names), (-1, "mean IoU")]:
        scores = [each.scores for each in compared.counts]
        values = [s.mean_iou if place < 0 else s.per_class_iou[place] for s in scores]
        changes = [_change(difference, place) for difference in compared.differences]
        colour = None if place < 0 else pages.colour(palette[place])
        rows.append({"name": name, "colour": colour, "cells": _marked(values), "changes": changes})
    return rows


def _change(difference: Difference, place: int) -> dict[str, str]:
    value = difference.of(place)
    direction = ("up" if value > 0 else "down") if difference.is_clear(place) else ""
    interval = interval_text(difference.interval(place))
    return {"value": percent(value, "+", "–"), "interval": interval, "direction": direction}


# -- pictures


def _example(shown: Shown, comparison: Comparison) -> dict[str, Any]:
    layers = [("label", shown.label), *zip(comparison.compared.names, shown.results, strict=True)]
    marks = difference_map(shown.label, shown.results[0], shown.results[-1], comparison.ignore_label)
    right = ("who is right", _COLOURS[figures.reduced_labels(marks, _WIDTH, _HEIGHT)])
    style = image_rows.Style(comparison.palette, comparison.ignore_label, _WIDTH, _HEIGHT)
    return image_rows.page_row(shown.name, shown.text, shown.image, layers, style, [right])


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


def _legend(comparison: Comparison) -> list[tuple[str, tuple[int, ...]]]:
    """Names and colours of the classes that the pictures show."""
    every = [shown for section in comparison.sections for shown in section.images]
    labels = [each for shown in every for each in (shown.label, *shown.results)]
    return pages.legend(comparison.compared.class_names, comparison.palette, labels)
