"""The report of an experiment: one self-contained HTML page, and its pictures as files next to it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..files import write_bytes, write_text
from . import figures, image_rows, image_scores, pages
from .accuracy_curves import AccuracyStage, accuracy_curves
from .confusion import MEAN_IOU_RULE, Matrix, Scores, differing_classes, mistakes
from .figures import Rgb
from .galleries import Gallery
from .image_rows import Example
from .image_scores import ImageRow
from .plot_style import Chart
from .score_figures import confusion_picture, score_histogram, trimap_curves
from .training_curves import TrainingStage, loss_curve
from .trimap import BandScore

#: files that an earlier report may have left beside a page
_CHARTS = ("iou", "images", "confusion", "trimap", "loss", "accuracy", "search")
_FILES = (
    *(f"{name}.png" for name in ("examples", "attention", "edges", "beliefs")),
    *(f"{name}.{kind}" for name in _CHARTS for kind in ("png", "svg")),
    "images.csv",
)
#: pictures of the page are not larger, in pixels: examples, and those of galleries
_EXAMPLE_SIZE, _WIDEST = (900, 700), 640
_MOST_MISTAKES = 12


@dataclass(frozen=True, eq=False)
class Report:
    """The contents of a report; the page skips everything that is empty or None.

    Attributes:
        title: heading of the page.
        dataset: name of the data set, as shown.
        class_names: C names.
        palette: (K, 3) RGB, K >= C.
        examples: images with their results; those of a group stand together.
        images: the scores of all images, lowest first.
        before: scores without the CRF.
        after: scores with the CRF.
        confusion: (C, C) pixels of the final result, ground truth in rows.
        training: loss and learning rate of the training stages.
        accuracy: accuracies of the training stages, on training and validation images.
        search: sentences on how the CRF's parameters were chosen.
        heat_map: chart of the search for them.
        settings: {section: {name: value}}.
        notes: sentences to show at the top.
        timings: {stage: seconds}.
        finished: {stage: when it was finished}.
        commands: commands that produced the results.
        made_with: {what: value}: dates, versions, hardware.
        ignore_label: label of pixels that are not scored.
        tested: one line: what was tested on what.
        galleries: pictures of what happens within the net and the CRF.
        published: lines with the published scores of the model, to be held against these.
        trimap: {name of a result: its scores by the width of the band around boundaries}.
        trimap_note: what the bands are.
        bands: (width in pixels, mean IoU in the band without the CRF, and with it or None), fractions.
    """

    title: str
    dataset: str
    class_names: Sequence[str]
    palette: Rgb
    examples: Sequence[Example] = ()
    images: Sequence[ImageRow] = ()
    before: Scores | None = None
    after: Scores | None = None
    confusion: Matrix | None = None
    training: Sequence[TrainingStage] = ()
    accuracy: Sequence[AccuracyStage] = ()
    search: Sequence[str] = ()
    heat_map: Chart | None = None
    settings: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    notes: Sequence[str] = ()
    timings: Mapping[str, float] = field(default_factory=dict)
    finished: Mapping[str, str] = field(default_factory=dict)
    commands: Sequence[str] = ()
    made_with: Mapping[str, str] = field(default_factory=dict)
    ignore_label: int | None = 255
    tested: str = ""
    galleries: Sequence[Gallery] = ()
    published: Sequence[str] = ()
    trimap: Mapping[str, Sequence[BandScore]] = field(default_factory=dict)
    trimap_note: str = ""
    bands: Sequence[tuple[int, float, float | None]] = ()


def write_report(report: Report, path: str | os.PathLike[str]) -> list[Path]:
    """Write the page, and next to it its charts as PNG and SVG, its pictures as PNG, and the scores of all images.

    Files of an earlier report that this one lacks are removed.

    Args:
        path: the HTML file.

    Returns:
        All files written, the page first.

    Raises:
        InputError: image sizes or numbers of classes differ.
    """
    path = Path(path)
    _check(report)
    charts = _charts(report)
    files = _files(report, charts)
    page = _page(report, charts)
    for name in {*_FILES} - files.keys():
        path.with_name(name).unlink(missing_ok=True)
    for name, content in files.items():
        write_bytes(path.with_name(name), content)
    write_text(path, page)
    return [path, *(path.with_name(name) for name in files)]


def _page(report: Report, charts: Mapping[str, Chart]) -> str:
    style = image_rows.Style(report.palette, report.ignore_label, *_EXAMPLE_SIZE)
    rows = [(e.group, image_rows.page_row(e.name, e.text, e.image, e.layers, style)) for e in report.examples]
    choices = image_rows.choices([row for _, row in rows])
    return pages.render(
        "report.html",
        report=report,
        groups=image_rows.grouped(rows),
        choices=choices,
        left=choices[-2] if choices else "",
        images=image_scores.table_rows(report.images),
        image_count=len(report.images),
        galleries=[_gallery(gallery) for gallery in report.galleries],
        legend=_legend(report),
        headline=_headline(report),
        classes=_class_rows(report),
        mean_over=_mean_over(report),
        mistakes=_mistakes(report),
        validated=any(stage.validation for stage in report.accuracy),
        charts={name: pages.svg_uri(each.svg) for name, each in charts.items()},
        duration=duration,
    )


def _files(report: Report, charts: Mapping[str, Chart]) -> dict[str, bytes]:
    """{name: content} of the files beside the page."""
    files: dict[str, bytes] = {"examples.png": examples_strip(report)} if report.examples else {}
    for name, each in charts.items():
        files |= {f"{name}.png": each.png, f"{name}.svg": each.svg}
    if report.images:
        files["images.csv"] = image_scores.image_rows_csv(report.images).encode("utf-8", "surrogateescape")
    return files | {f"{gallery.key}.png": gallery_strip(gallery) for gallery in report.galleries}


def examples_strip(report: Report) -> bytes:
    """All examples in one PNG file: image, label, prediction and, if there is one, the CRF's result side by side."""
    rows = [[image for _, image in _example_images(example, report)] for example in report.examples]
    headings = max(([heading for heading, _ in _example_images(e, report)] for e in report.examples), key=len)
    return figures.side_by_side(rows, headings, _legend(report))


def _check(report: Report) -> None:
    if len(report.palette) < len(report.class_names):
        raise InputError(
            f"report: {len(report.palette)} colours for {len(report.class_names)} classes; expected one each"
        )
    for example in report.examples:
        for what in ("label", "prediction", "crf"):
            labels = getattr(example, what)
            if labels is not None and labels.shape != example.image.shape[:2]:
                raise InputError(
                    f"report: example '{example.name}': {what} is {labels.shape}, but the image is "
                    f"{example.image.shape[:2]}; crop or resize one of them"
                )
    for scores in (report.before, report.after):
        if scores is not None and len(scores.per_class_iou) != len(report.class_names):
            raise InputError(
                f"report: {len(scores.per_class_iou)} scores for {len(report.class_names)} classes; expected one each"
            )


def _charts(report: Report) -> dict[str, Chart]:
    charts: dict[str, Chart] = {}
    scores = [s.per_class_iou for s in (report.before, report.after) if s is not None]
    if scores:
        charts["iou"] = figures.bars(report.class_names, scores[0], scores[1] if len(scores) > 1 else None)
    if len(report.images) > 1:
        charts["images"] = score_histogram(*_image_series(report.images))
    if report.confusion is not None:
        charts["confusion"] = confusion_picture(report.confusion, report.class_names)
    if report.trimap:
        charts["trimap"] = trimap_curves(report.trimap, report.trimap_note)
    if report.training:
        charts["loss"] = loss_curve(report.training)
    if report.accuracy:
        charts["accuracy"] = accuracy_curves(report.accuracy)
    if report.heat_map is not None:
        charts["search"] = report.heat_map
    return charts


def _image_series(rows: Sequence[ImageRow]) -> tuple[list[float], list[float] | None]:
    """The mean IoUs of all images before the CRF, and after it if it was used."""
    after = [row.after for row in rows if row.after is not None]
    return [row.before for row in rows], after or None


def gallery_strip(gallery: Gallery) -> bytes:
    """All rows of a gallery in one PNG file."""
    rows = [[figures.reduced(picture, _WIDEST) for _, picture in pictures] for _, pictures in gallery.rows]
    return figures.side_by_side(rows, gallery.headings or [heading for heading, _ in gallery.rows[0][1]])


def _example_images(example: Example, report: Report) -> list[tuple[str, Rgb]]:
    coloured = [
        (heading, figures.colour_labels(labels, report.palette, report.ignore_label))
        for heading, labels in example.layers
    ]
    return [("photo", example.image), *coloured]


def _gallery(gallery: Gallery) -> dict[str, Any]:
    """A gallery as the page shows it: photos and smooth maps as JPEG, not larger than a screen shows them."""
    rows = []
    for name, pictures in gallery.rows:
        cells = [{"heading": h, "uri": pages.photo_uri(figures.reduced(p, _WIDEST))} for h, p in pictures]
        rows.append({"name": name, "cells": cells})
    return {"title": gallery.title, "text": gallery.text, "rows": rows}


def _legend(report: Report) -> list[tuple[str, tuple[int, ...]]]:
    """Names and colours of the classes; of more than twelve only those that the examples show."""
    shown = [labels for example in report.examples for _, labels in example.layers]
    every = len(report.class_names) <= 12 or not report.examples
    return pages.legend(report.class_names, report.palette, None if every else shown)


def _headline(report: Report) -> list[dict[str, str]]:
    """The large numbers at the top: the final scores, and their change by the CRF."""
    first, last = report.before, report.after or report.before
    if last is None:
        return []
    tiles = []
    for key in ("mean_iou", "pixel_accuracy", "mean_accuracy"):
        value = getattr(last, key)
        change = ""
        if report.after is not None and first is not None:
            change = f"{100 * (value - getattr(first, key)):+.1f} by the CRF, from {100 * getattr(first, key):.1f}"
        name = key.replace("_iou", " IoU").replace("_", " ")
        tiles.append({"name": name, "value": f"{100 * value:.1f}", "change": change})
    return tiles


def _class_rows(report: Report) -> list[dict[str, Any]]:
    columns = [s.per_class_iou for s in (report.before, report.after) if s is not None]
    rows = []
    for k, name in enumerate(report.class_names if columns else ()):
        values = [float(column[k]) for column in columns]
        texts = ["–" if np.isnan(v) else f"{100 * v:.1f}" for v in values]
        if len(values) == 2:
            texts.append("–" if np.isnan(sum(values)) else f"{100 * (values[1] - values[0]):+.1f}")
        rows.append({"name": name, "colour": pages.colour(report.palette[k]), "values": texts})
    return rows


def _mistakes(report: Report) -> list[dict[str, Any]]:
    """The most frequent confusions of two classes, by name."""
    found = [] if report.confusion is None else mistakes(report.confusion, _MOST_MISTAKES)
    names = report.class_names
    return [{**one._asdict(), "truth": names[one.truth], "found": names[one.found]} for one in found]


def _mean_over(report: Report) -> list[str]:
    """Which classes the mean IoU is over, and where the two columns differ."""
    lines = [MEAN_IOU_RULE]
    if report.before is not None and report.after is not None:
        columns = report.before.per_class_iou, report.after.per_class_iou
        lines += differing_classes(report.class_names, *columns, ("before CRF", "after CRF"))
    return lines


def duration(seconds: float) -> str:
    """Seconds as people say them: 9.5 s, 2 min 05 s, 3 h 20 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
