"""The report of an experiment: one self-contained HTML page, and its pictures as PNG files next to it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..files import write_bytes, write_text
from ..reading import read_bytes
from . import figures, pages
from .confusion import MEAN_IOU_RULE, Scores, differing_classes
from .figures import Rgb
from .galleries import Gallery
from .training_curves import TrainingStage, loss_curve

#: the pictures next to a page, without suffix
_PICTURES = ("examples", "iou", "loss", "search", "trimap", "attention", "edges", "beliefs")
#: pictures of galleries are not wider, in pixels
_WIDEST = 640


@dataclass(frozen=True, eq=False)
class Example:
    """One image with its results.

    Attributes:
        name: id of the image.
        image: (H, W, 3) RGB.
        label: (H, W) ground truth; None if there is none.
        prediction: (H, W) labels without the CRF.
        crf: (H, W) labels with the CRF; None if it is not used.
    """

    name: str
    image: Rgb
    label: NDArray[np.integer[Any]] | None
    prediction: NDArray[np.integer[Any]]
    crf: NDArray[np.integer[Any]] | None = None


@dataclass(frozen=True, eq=False)
class Report:
    """The contents of a report; the page skips everything that is empty or None.

    Attributes:
        title: heading of the page.
        dataset: name of the data set, as shown.
        class_names: C names.
        palette: (K, 3) RGB, K >= C.
        examples: images with their results.
        before: scores without the CRF.
        after: scores with the CRF.
        training: loss and learning rate of the training stages.
        heat_map: PNG file of the parameter search.
        settings: {section: {name: value}}.
        notes: sentences to show at the top.
        timings: {stage: seconds}.
        commands: commands that produced the results.
        ignore_label: label of pixels that are not scored.
        tested: one line: what was tested on what.
        galleries: pictures of what happens within the net and the CRF.
        published: lines with the published scores of the model, to be held against these.
        trimap: PNG file of the scores by the width of the band around boundaries.
        bands: (width in pixels, mean IoU in the band without the CRF, and with it or None), fractions.
    """

    title: str
    dataset: str
    class_names: Sequence[str]
    palette: Rgb
    examples: Sequence[Example] = ()
    before: Scores | None = None
    after: Scores | None = None
    training: Sequence[TrainingStage] = ()
    heat_map: str | os.PathLike[str] | None = None
    settings: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    notes: Sequence[str] = ()
    timings: Mapping[str, float] = field(default_factory=dict)
    commands: Sequence[str] = ()
    ignore_label: int | None = 255
    tested: str = ""
    galleries: Sequence[Gallery] = ()
    published: Sequence[str] = ()
    trimap: str | os.PathLike[str] | None = None
    bands: Sequence[tuple[int, float, float | None]] = ()


def write_report(report: Report, path: str | os.PathLike[str]) -> list[Path]:
    """Write the page, and its pictures next to it: examples.png, iou.png, loss.png, search.png, and the galleries.

    Pictures of an earlier report that this one lacks are removed.

    Args:
        path: the HTML file.

    Returns:
        All files written, the page first.

    Raises:
        InputError: image sizes or numbers of classes differ, or the heat map cannot be read.
    """
    path = Path(path)
    _check(report)
    pictures = _pictures(report)
    page = pages.render(
        "report.html",
        report=report,
        examples=[{"name": e.name, "cells": _cells(e, report)} for e in report.examples],
        galleries=[_gallery(gallery) for gallery in report.galleries],
        legend=_legend(report),
        headline=_headline(report),
        classes=_class_rows(report),
        mean_over=_mean_over(report),
        pictures={name: pages.png_uri(content) for name, content in pictures.items()},
        duration=_duration,
    )
    for name in {*_PICTURES} - pictures.keys():
        (path.parent / f"{name}.png").unlink(missing_ok=True)
    for name, content in pictures.items():
        write_bytes(path.parent / f"{name}.png", content)
    write_text(path, page)
    return [path, *(path.parent / f"{name}.png" for name in pictures)]


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


def _pictures(report: Report) -> dict[str, bytes]:
    """{file name without .png: content}."""
    pictures: dict[str, bytes] = {}
    if report.examples:
        pictures["examples"] = examples_strip(report)
    scores = [s.per_class_iou for s in (report.before, report.after) if s is not None]
    if scores:
        pictures["iou"] = figures.bars(report.class_names, scores[0], scores[1] if len(scores) > 1 else None)
    if report.training:
        pictures["loss"] = loss_curve(report.training)
    if report.heat_map is not None:
        pictures["search"] = read_bytes(report.heat_map, "the heat map")
    if report.trimap is not None:
        pictures["trimap"] = read_bytes(report.trimap, "the curves of the trimap")
    return pictures | {gallery.key: gallery_strip(gallery) for gallery in report.galleries}


def gallery_strip(gallery: Gallery) -> bytes:
    """All rows of a gallery in one PNG file."""
    rows = [[figures.reduced(picture, _WIDEST) for _, picture in pictures] for _, pictures in gallery.rows]
    return figures.side_by_side(rows, gallery.headings or [heading for heading, _ in gallery.rows[0][1]])


def _example_images(example: Example, report: Report) -> list[tuple[str, Rgb]]:
    named = [("label", example.label), ("prediction", example.prediction), ("after CRF", example.crf)]
    coloured = [
        (heading, figures.colour_labels(labels, report.palette, report.ignore_label))
        for heading, labels in named
        if labels is not None
    ]
    return [("image", example.image), *coloured]


def _cells(example: Example, report: Report) -> list[dict[str, str]]:
    cells = []
    for heading, image in _example_images(example, report):
        uri = (pages.photo_uri if heading == "image" else pages.picture_uri)(image)
        cells.append({"heading": heading, "uri": uri})
    return cells


def _gallery(gallery: Gallery) -> dict[str, Any]:
    """A gallery as the page shows it: photos and smooth maps as JPEG, not larger than a screen shows them."""
    rows = []
    for name, pictures in gallery.rows:
        cells = [{"heading": h, "uri": pages.photo_uri(figures.reduced(p, _WIDEST))} for h, p in pictures]
        rows.append({"name": name, "cells": cells})
    return {"title": gallery.title, "text": gallery.text, "rows": rows}


def _legend(report: Report) -> list[tuple[str, tuple[int, ...]]]:
    """Names and colours of the classes; of more than twelve only those that the examples show."""
    shown = [labels for e in report.examples for labels in (e.label, e.prediction, e.crf) if labels is not None]
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


def _mean_over(report: Report) -> list[str]:
    """Which classes the mean IoU is over, and where the two columns differ."""
    lines = [MEAN_IOU_RULE]
    if report.before is not None and report.after is not None:
        columns = report.before.per_class_iou, report.after.per_class_iou
        lines += differing_classes(report.class_names, *columns, ("before CRF", "after CRF"))
    return lines


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
