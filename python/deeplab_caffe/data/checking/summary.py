"""A check of a data set as lines for the terminal, and as JSON and CSV files."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...files import write_text
from ...tables import csv_text, table
from ..class_weights import METHODS, frequencies
from ..label_statistics import LabelCounts, histogram
from .dataset_check import DatasetCheck, ListCheck
from .kinds import KINDS

#: lists that stand side by side in a table
_COLUMNS = 4
Row = Sequence[Any]


def check_lines(check: DatasetCheck, examples: int = 5) -> list[str]:
    """Tables of lists and classes, and the findings by kind, each with some examples."""
    dataset = check.dataset
    ignored = f"ignore label {dataset.ignore_label}"
    lines = [f"{dataset.title} ({dataset.file}): {dataset.num_classes} classes, {ignored}", ""]
    lines += table(("list", ">lines", ">images", ">labels", ">width", ">height", ">classes per image"), _lists(check))
    counted = {checked.name: counts for checked in check.lists if (counts := checked.counts(dataset))}
    for start in range(0, len(counted), _COLUMNS):
        some = dict(list(counted.items())[start : start + _COLUMNS])
        lines += ["", *histogram(some).replace("labels", "class ", 1).splitlines()]
    for kind in check.findings.kinds():
        lines += ["", *_kind_lines(check, kind, examples)]
    return [*lines, "", f"{dataset.file}: {check.findings.verdict()}"]


def _lists(check: DatasetCheck) -> Iterable[Sequence[str]]:
    for checked in check.lists:
        numbers = _numbers(check, checked)
        sides = [_span(numbers[side]) for side in ("width", "height")]
        per_image = numbers.get("classes_per_image")
        classes = f"{per_image['mean']:.2f} (up to {per_image['max']})" if per_image else "-"
        yield checked.name, str(numbers["lines"]), str(numbers["images"]), str(numbers["labels"]), *sides, classes


def _span(side: dict[str, int] | None) -> str:
    if side is None:
        return "-"
    same = side["min"] == side["max"]
    return str(side["min"]) if same else f"{side['min']}..{side['max']}"


def _kind_lines(check: DatasetCheck, kind: str, examples: int) -> list[str]:
    row, count, found = KINDS[kind], check.findings.counts[kind], check.findings.examples[kind]
    lines = [f"{row.severity}: {row.title}: {count}"]
    lines += [f"  {one.list_file}: {one.text}" if one.list_file else f"  {one.text}" for one in found[:examples]]
    lines += [f"  and {count - examples} more"] if count > examples else []
    return lines + ([f"  {row.advice}"] if row.advice else [])


# -- numbers


def _numbers(check: DatasetCheck, checked: ListCheck) -> dict[str, Any]:
    """What a list holds, for JSON."""
    dataset, counts = check.dataset, checked.counts(check.dataset)
    sizes = np.array(checked.sizes(dataset.upright), int).reshape(-1, 2)
    found: dict[str, Any] = {
        "file": str(dataset.lists[checked.name]),
        "trained": checked.trained,
        "lines": len(checked.lines),
        "images": len(checked.images),
        "labels": 0 if counts is None else len(counts.files),
        "width": _side(sizes[:, 1]),
        "height": _side(sizes[:, 0]),
        "sizes": len(np.unique(sizes, axis=0)),
    }
    return found if counts is None else found | _label_numbers(counts)


def _side(values: Any) -> dict[str, int] | None:
    if not len(values):
        return None
    return {"min": int(values.min()), "median": int(np.median(values)), "max": int(values.max())}


def _label_numbers(counts: LabelCounts) -> dict[str, Any]:
    per_image = _classes_per_image(counts)
    pixels = counts.pixels
    classes = {
        name: {"pixels": row[0], "share": row[1], "images": row[2], "frequency": row[3]}
        for name, row in zip(counts.classes, _class_rows(counts), strict=True)
    }
    return {
        "pixels": int(pixels.sum()),
        "ignored_pixels": 0 if counts.ignore_label is None else int(pixels[counts.ignore_label]),
        "classes_per_image": {
            "mean": float(per_image.mean()),
            "max": int(per_image.max()),
            "images": {int(n): int((per_image == n).sum()) for n in np.unique(per_image)},
        },
        "classes": classes,
        "class_weights": {name: _weights(counts, name) for name in METHODS},
    }


def _weights(counts: LabelCounts, method: str) -> dict[str, float]:
    return dict(zip(counts.classes, METHODS[method](counts).tolist(), strict=True))


def _classes_per_image(counts: LabelCounts) -> Any:
    shown = counts.files[:, : len(counts.classes)] > 0
    if counts.ignore_label is not None and counts.ignore_label < len(counts.classes):
        shown[:, counts.ignore_label] = False
    return shown.sum(1)


def _class_rows(counts: LabelCounts) -> list[tuple[int, float, int, float]]:
    """Of each class its pixels, their share 0..1 of all, the images that have it, and its frequency in those."""
    pixels, images, shares = counts.pixels, counts.images, frequencies(counts)
    total = max(int(pixels.sum()), 1)
    return [
        (int(pixels[c]), int(pixels[c]) / total, int(images[c]), float(shares[c])) for c in range(len(counts.classes))
    ]


# -- files


def write_check(check: DatasetCheck, folder: str | os.PathLike[str]) -> list[Path]:
    """Write check.json, classes.csv, images.csv, findings.csv, and the weights of the classes of each training list.

    The weights are files for the option `class_weights`: weights/<list>_<method>.json.
    """
    folder = Path(folder)
    numbers = {checked.name: _numbers(check, checked) for checked in check.lists}
    files = {
        "check.json": json.dumps(_report(check, numbers), indent=1, ensure_ascii=False) + "\n",
        "classes.csv": csv_text(_CLASS_COLUMNS, _class_table(check)),
        "images.csv": csv_text(_IMAGE_COLUMNS, _image_table(check)),
        "findings.csv": csv_text(_FINDING_COLUMNS, _finding_table(check)),
    }
    for name in (checked.name for checked in check.lists if checked.trained):
        for method, weights in numbers[name].get("class_weights", {}).items():
            files[f"weights/{name}_{method}.json"] = json.dumps(weights, indent=1, ensure_ascii=False) + "\n"
    for name, text in files.items():
        write_text(folder / name, _printable(text))
    return [folder / name for name in files]


def _printable(text: str) -> str:
    """Names of files that are not UTF-8 with their bytes shown."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _report(check: DatasetCheck, numbers: dict[str, Any]) -> dict[str, Any]:
    findings, dataset = check.findings, check.dataset
    found = {
        kind: {
            "severity": KINDS[kind].severity,
            "title": KINDS[kind].title,
            "count": findings.counts[kind],
            "examples": [dict(one._asdict()) for one in findings.examples[kind]],
        }
        for kind in findings.kinds()
    }
    return {
        "name": dataset.name,
        "title": dataset.title,
        "file": str(dataset.file),
        "classes": list(dataset.classes),
        "ignore_label": dataset.ignore_label,
        "errors": findings.count("error"),
        "warnings": findings.count("warning"),
        "lists": numbers,
        "findings": found,
    }


_CLASS_COLUMNS = ("list", "value", "class", "pixels", "share", "images", "frequency", *METHODS)
_IMAGE_COLUMNS = ("list", "line", "image", "label", "width", "height", "classes", "ignored")
_FINDING_COLUMNS = ("severity", "kind", "list", "file", "message")


def _class_table(check: DatasetCheck) -> Iterable[Row]:
    for checked in check.lists:
        counts = checked.counts(check.dataset)
        if counts is None:
            continue
        weights = [METHODS[name](counts).tolist() for name in METHODS]
        for value, (name, row) in enumerate(zip(counts.classes, _class_rows(counts), strict=True)):
            yield checked.name, value, name, *row, *(column[value] for column in weights)


def _image_table(check: DatasetCheck) -> Iterable[Row]:
    dataset = check.dataset
    for checked in check.lists:
        for line in checked.lines:
            size = ListCheck("", False, [line]).sizes(dataset.upright)
            height, width = size[0] if size else ("", "")
            row = (checked.name, line.number, line.entry.image, line.entry.label or "", width, height)
            if line.seen.counts is None:
                yield *row, "", ""
                continue
            values = np.flatnonzero(line.seen.counts)
            names = [dataset.classes[v] for v in values if v < dataset.num_classes and v != dataset.ignore_label]
            yield *row, ";".join(names), line.seen.counts[dataset.ignore_label] / max(int(line.seen.counts.sum()), 1)


def _finding_table(check: DatasetCheck) -> Iterable[Row]:
    for kind in check.findings.kinds():
        for one in check.findings.examples[kind]:
            yield KINDS[kind].severity, kind, one.list_file, one.file, one.text
