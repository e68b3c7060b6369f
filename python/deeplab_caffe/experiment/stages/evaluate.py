"""The stage `evaluate`: scores of the predicted labels, before and after the CRF."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError
from ...evaluation import Counts, ImageScore, Scores, Trimap, score_files, trimap_curves
from ...evaluation.trimap import BandScore
from ...files import write_text
from ...reading import reading
from ..fingerprints import file_states
from ..folder import Experiment
from ..published_scores import published_lines
from ..results import read_json
from ..score_outputs import write_files
from ..scoring import count_folder
from .crf import is_used

#: the two results of an experiment, as tables and curves name them
WHEN = {"before": "before CRF", "after": "after CRF"}


def evaluate_inputs(experiment: Experiment) -> Sequence[Any]:
    dataset, name = experiment.dataset(), experiment.test_list
    folders = (experiment.result(name), experiment.result(name, crf=True))
    results = [str(path) for folder in folders for path in sorted(folder.rglob("*.png"))]
    labels = [dataset.path_of(entry.label or "") for entry in dataset.entries(name)]
    trimap = chosen_trimap(experiment)
    bands = [] if trimap is None else [["trimap", trimap.source, *trimap.widths]]
    return [dataset.classes, file_states(labels), file_states(results), *bands]


def without_labels(experiment: Experiment) -> str | None:
    """Why there is nothing to score, or None."""
    name = experiment.test_list
    return None if experiment.has_labels(name) else f"skipped, the list '{name}' has no labels, so there are no scores"


def evaluate_outputs(experiment: Experiment) -> list[Path]:
    return [experiment.evaluation]


def chosen_trimap(experiment: Experiment) -> Trimap | None:
    """The bands to score: those that this call states, or else those of the last evaluation, or the first ones."""
    if experiment.trimap or not experiment.keep_trimap:
        return experiment.trimap
    try:
        return _recorded_trimap(read_json(experiment.evaluation))
    except InputError:  # not evaluated yet, or a damaged record, which is written anew
        return experiment.first_trimap


def _recorded_trimap(record: dict[str, Any]) -> Trimap | None:
    found = record.get("trimap")
    if not isinstance(found, dict):
        return None
    try:
        return Trimap(tuple(int(row["width"]) for row in found["before"]), str(found["from"]))
    except (KeyError, TypeError, ValueError, InputError):
        return None


def evaluate(experiment: Experiment) -> None:
    """Score the labels before and after the CRF, each with one confusion matrix over the whole list."""
    dataset, name, trimap = experiment.dataset(), experiment.test_list, chosen_trimap(experiment)
    counts = {"before": count_folder(dataset, name, experiment.result(name), trimap)}
    if is_used(experiment):
        counts["after"] = count_folder(dataset, name, experiment.result(name, crf=True), trimap)
    record: dict[str, Any] = {"dataset": dataset.name, "dataset_file": str(experiment.prepared_dataset), "list": name}
    for when in WHEN:
        record[when] = counts[when].scores.to_json(dataset.classes) if when in counts else None
    for when in WHEN:
        record[f"confusion_{when}"] = counts[when].matrix.tolist() if when in counts else None
    record["per_image"] = {when: score_files.image_rows(counts[when]) if when in counts else None for when in WHEN}
    curves = {} if trimap is None else _curves(trimap, counts)
    if trimap:
        record["trimap"] = _trimap_record(trimap, counts)
    write_files(experiment.evaluation.parent, curves, ("trimap.png", "trimap.svg"))
    write_text(experiment.evaluation, score_files.to_json(record))
    show_scores(experiment)


def _trimap_record(trimap: Trimap, counts: dict[str, Counts]) -> dict[str, Any]:
    rows = {when: score_files.band_rows(each.band_scores()) for when, each in counts.items()}
    return {"from": trimap.source, "bands": trimap.note(), "before": rows["before"], "after": rows.get("after")}


def _curves(trimap: Trimap, counts: dict[str, Counts]) -> dict[str, bytes]:
    """trimap.png and trimap.svg: the curves before and after the CRF."""
    pictures = trimap_curves({WHEN[when]: each.band_scores() for when, each in counts.items()}, trimap.note())
    return dict(zip(("trimap.png", "trimap.svg"), pictures, strict=True))


def show_scores(experiment: Experiment) -> None:
    """Print the tables of scores."""
    before, after = read_scores(experiment)
    lines = [before.table(experiment.dataset().classes, after), *published_lines(experiment, before, after)]
    print("\n".join(lines), flush=True)
    if curves := read_curves(experiment):
        trimap, bands = curves
        print(f"\n{score_files.trimap_table(bands, trimap)}", flush=True)


def read_scores(experiment: Experiment) -> tuple[Scores, Scores | None]:
    """The scores that `evaluate` wrote: before the CRF, and after it (None if the CRF is not used)."""
    record = read_json(experiment.evaluation)
    before, after = (record.get(f"confusion_{when}") for when in WHEN)
    with reading(experiment.evaluation, damaged="damaged; run the stage evaluate again, with --force"):
        return Scores.from_matrix(np.array(before)), Scores.from_matrix(np.array(after)) if after else None


def read_matrix(experiment: Experiment) -> np.ndarray:
    """The confusion matrix (C, C) of the final result that `evaluate` wrote, ground truth in rows."""
    record = read_json(experiment.evaluation)
    with reading(experiment.evaluation, damaged="damaged; run the stage evaluate again, with --force"):
        return np.array(record.get("confusion_after") or record["confusion_before"], np.int64)


def read_image_scores(experiment: Experiment) -> dict[str, list[ImageScore]]:
    """The scores of each image that `evaluate` wrote, {"before": ..., "after": ...}; {} of earlier versions."""
    record = read_json(experiment.evaluation)
    with reading(experiment.evaluation, damaged="damaged; run the stage evaluate again, with --force"):
        found = record.get("per_image") or {}
        scores = {when: [_image(row) for row in found[when]] for when in WHEN if found.get(when)}
        if len({len(rows) for rows in scores.values()}) > 1 or scores and "before" not in scores:
            raise ValueError("the scores of the images do not belong together")
        return scores


def _image(row: dict[str, Any]) -> ImageScore:
    numbers = {name: float("nan") if row[name] is None else float(row[name]) for name in ImageScore._fields[3:]}
    return ImageScore(str(row["id"]), int(row["pixels"]), int(row["ignored"]), **numbers)


def read_curves(experiment: Experiment) -> tuple[Trimap, dict[str, list[BandScore]]] | None:
    """The scores by band that `evaluate` wrote, {"before CRF": ..., "after CRF": ...}; None without a trimap."""
    record = read_json(experiment.evaluation)
    with reading(experiment.evaluation, damaged="damaged; run the stage evaluate again, with --force"):
        trimap = _recorded_trimap(record)
        if trimap is None and record.get("trimap"):
            raise ValueError("the trimap cannot be read")
        if trimap is None:
            return None
        found = record["trimap"]
        return trimap, {name: [_band(row) for row in found[when]] for when, name in WHEN.items() if found[when]}


def _band(row: dict[str, Any]) -> BandScore:
    values: dict[str, Any] = {name: float("nan") if value is None else value for name, value in row.items()}
    return BandScore(**values)
