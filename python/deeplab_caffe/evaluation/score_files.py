"""Scores as JSON, CSV and text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from ..tables import csv_text, table
from .confusion import Matrix
from .score_text import none_if_nan, percent
from .scoring import Counts, ImageScore
from .trimap import BandScore, Trimap

#: widths that a table of many shows
_ROUND = (1, 2, 3, 5, 10, 15, 20, 30, 40, 50, 100)
#: columns of a band's row in JSON and CSV
_BAND = ("width", "mean_iou", "pixel_accuracy", "mean_accuracy", "pixels")


def score_record(counts: Counts, class_names: Sequence[str], about: Mapping[str, Any]) -> dict[str, Any]:
    """The content of `score.json`: fractions, NaN as None; confusion has ground truth in rows.

    Args:
        counts: what was counted.
        class_names: C names.
        about: further entries, such as the data set and the folders, which come first.
    """
    record = {
        **about,
        "images": len(counts.ids),
        "pixels": int(counts.matrix.sum()),
        **counts.scores.to_json(class_names),
        "confusion": counts.matrix.tolist(),
    }
    return record | trimap_record(counts.trimap, counts.band_scores())


def trimap_record(trimap: Trimap | None, scores: Sequence[BandScore]) -> dict[str, Any]:
    """The entries `trimap`, a list of {width, mean_iou, pixel_accuracy, mean_accuracy, pixels}, and `trimap_from`."""
    if trimap is None:
        return {}
    return {"trimap": band_rows(scores), "trimap_from": trimap.source, "trimap_bands": trimap.note()}


def band_rows(scores: Sequence[BandScore]) -> list[dict[str, Any]]:
    """Each band as a dict for JSON, NaN as None."""
    return [{name: none_if_nan(value) for name, value in asdict(score).items()} for score in scores]


def image_rows(counts: Counts) -> list[dict[str, Any]]:
    """Each image as a dict for JSON, NaN as None."""
    return [{name: none_if_nan(v) for name, v in score._asdict().items()} for score in counts.per_image()]


def to_json(record: Any) -> str:
    """A record as the text of a JSON file: one entry a line, lists and tables within it on one."""
    lines = (f" {json.dumps(key)}: {json.dumps(value, allow_nan=False)}" for key, value in record.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def classes_csv(counts: Counts, class_names: Sequence[str]) -> str:
    """A line for each class: IoU, accuracy (both fractions, empty if undefined), pixels in the labels and predicted."""
    matrix = counts.matrix
    truth, found, hits = matrix.sum(1), matrix.sum(0), np.diag(matrix)
    recall = np.divide(hits, truth, out=np.full(len(hits), np.nan), where=truth > 0)
    columns = (counts.scores.per_class_iou, recall, truth, found, hits)
    rows = zip(class_names, *(column.tolist() for column in columns), strict=True)
    return csv_text(("class", "iou", "accuracy", "label_pixels", "predicted_pixels", "correct_pixels"), rows)


def images_csv(counts: Counts) -> str:
    """A line for each image, in the order of the list. The mean of these scores is not the score of the list."""
    return csv_text(ImageScore._fields, counts.per_image())


def confusion_csv(matrix: Matrix, class_names: Sequence[str]) -> str:
    """The confusion matrix in pixels: ground truth in rows, predictions in columns."""
    rows = ([name, *row] for name, row in zip(class_names, matrix.tolist(), strict=True))
    return csv_text(("ground truth \\ predicted", *class_names), rows)


def trimap_csv(curves: Mapping[str, Sequence[BandScore]]) -> str:
    """A line for each band; with several results a line for each band of each."""
    named = len(curves) > 1
    rows = (
        [*([name] if named else []), *(getattr(score, key) for key in _BAND)]
        for name, scores in curves.items()
        for score in scores
    )
    return csv_text((*(["result"] if named else []), *_BAND), rows)


def trimap_table(curves: Mapping[str, Sequence[BandScore]], trimap: Trimap, most: int = 12) -> str:
    """Scores by band in percent, under a line that says what the bands are; of many widths a few are shown.

    Args:
        curves: {name of a result: its scores, by width}.
        trimap: the bands.
        most: how many widths are shown.
    """
    several = len(curves) > 1
    places = _shown(trimap.widths, most)
    headings = ["width"]
    for name in curves:
        headings += [f">{title}{', ' + name if several else ''}" for title in ("mean IoU", "pixel acc.", "class acc.")]
    rows = []
    for place in places:
        row = [str(trimap.widths[place])]
        for scores in curves.values():
            score = scores[place]
            row += [percent(v) for v in (score.mean_iou, score.pixel_accuracy, score.mean_accuracy)]
        rows.append(row)
    return "\n".join([f"trimap, in %; {trimap.note()}", *table(headings, rows)])


def _shown(widths: Sequence[int], most: int) -> list[int]:
    """The places of at most `most` widths: of more those that are round, and the last."""
    places = range(len(widths))
    if len(widths) <= most:
        return list(places)
    shown = [place for place in places if widths[place] in _ROUND or place == places[-1]]
    return shown if 2 < len(shown) <= most else sorted({round(x) for x in np.linspace(0, places[-1], most)})


def worst_table(counts: Counts, most: int = 5) -> str:
    """The images with the lowest mean IoU of their own, in percent."""
    scored = sorted((s for s in counts.per_image() if s.mean_iou == s.mean_iou), key=lambda score: score.mean_iou)
    rows = [[s.id, *(percent(v) for v in s[3:])] for s in scored[:most]]
    head = "lowest of their own (for looking at; the score above is of all pixels, not a mean over images)"
    return "\n".join([head, *table(("image", ">mean IoU", ">pixel acc.", ">class acc."), rows)])
