"""The stage `evaluate`: scores of the predicted labels, before and after the CRF."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from ...data import Dataset, ListEntry, read_label
from ...errors import InputError
from ...evaluation import Scores, confusion_matrix
from ...files import cpus, write_text
from ...reading import reading
from ..fingerprints import file_states
from ..folder import Experiment
from ..results import read_json, unique_ids
from .crf import is_used


def evaluate_inputs(experiment: Experiment) -> Sequence[Any]:
    dataset, name = experiment.dataset(), experiment.test_list
    folders = (experiment.result(name), experiment.result(name, crf=True))
    results = [str(path) for folder in folders for path in sorted(folder.rglob("*.png"))]
    labels = [dataset.path_of(entry.label or "") for entry in dataset.entries(name)]
    return [dataset.classes, file_states(labels), file_states(results)]


def without_labels(experiment: Experiment) -> str | None:
    """Why there is nothing to score, or None."""
    name = experiment.test_list
    return None if experiment.has_labels(name) else f"skipped, the list '{name}' has no labels, so there are no scores"


def evaluate_outputs(experiment: Experiment) -> list[Path]:
    return [experiment.evaluation]


def evaluate(experiment: Experiment) -> None:
    """Score the labels before and after the CRF, each with one confusion matrix over the whole list."""
    dataset, name = experiment.dataset(), experiment.test_list
    before = count_folder(dataset, name, experiment.result(name))
    after = None
    if is_used(experiment):
        after = count_folder(dataset, name, experiment.result(name, crf=True))
    record = {
        "dataset": dataset.name,
        "list": name,
        "before": Scores.from_matrix(before).to_json(dataset.classes),
        "after": Scores.from_matrix(after).to_json(dataset.classes) if after is not None else None,
        "confusion_before": before.tolist(),
        "confusion_after": after.tolist() if after is not None else None,
    }
    write_text(experiment.evaluation, json.dumps(record) + "\n")
    show_scores(experiment)


def show_scores(experiment: Experiment) -> None:
    """Print the table of scores."""
    before, after = read_scores(experiment)
    print(before.table(experiment.dataset().classes, after), flush=True)


def read_scores(experiment: Experiment) -> tuple[Scores, Scores | None]:
    """The scores that `evaluate` wrote: before the CRF, and after it (None if the CRF is not used)."""
    record = read_json(experiment.evaluation)
    before, after = (record.get(f"confusion_{when}") for when in ("before", "after"))
    with reading(experiment.evaluation, damaged="damaged; run the stage evaluate again, with --force"):
        return Scores.from_matrix(np.array(before)), Scores.from_matrix(np.array(after)) if after else None


def count_folder(dataset: Dataset, list_name: str, folder: Path) -> np.ndarray:
    """The confusion matrix of label files <id>.png against the ground truth of a list.

    Args:
        list_name: which list of the data set.
        folder: folder of the predicted labels.

    Returns:
        (C, C) int64, ground truth in rows, predictions in columns.
    """
    entries = dataset.entries(list_name)
    ids = unique_ids(entries, dataset.lists[list_name])
    total = np.zeros((dataset.num_classes, dataset.num_classes), np.int64)

    def count(entry: ListEntry, image_id: str) -> np.ndarray:
        label = read_label(dataset.path_of(entry.label or ""))
        prediction = read_label(folder / f"{image_id}.png")
        try:
            return confusion_matrix(label, prediction, dataset.num_classes, dataset.ignore_label)
        except InputError as error:
            raise InputError(f"{folder / image_id}.png against {entry.label}: {error}") from None

    with ThreadPoolExecutor(cpus()) as pool:
        for matrix in pool.map(count, entries, ids):
            total += matrix
    return total
