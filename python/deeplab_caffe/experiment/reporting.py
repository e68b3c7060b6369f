"""The stage `report`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..crf.search import SearchResult
from ..data import Dataset, ListEntry, list_id, read_label
from ..errors import InputError
from ..evaluation import Example, Report, Scores, TrainingStage, read_train_log, write_report
from .layout import Experiment
from .training import final_weights

#: how many images the report shows
EXAMPLES = 6


def report_inputs(experiment: Experiment) -> Sequence[Any]:
    return [experiment.evaluation, experiment.search_result, final_weights(experiment)]


def report_outputs(experiment: Experiment) -> list[Path]:
    return [experiment.report]


def report(experiment: Experiment) -> None:
    """Write the page with numbers and pictures, and the pictures as PNG files beside it."""
    from .stages import seconds

    dataset = experiment.dataset()
    record = json.loads(experiment.evaluation.read_text())
    result = SearchResult.load(experiment.search_result)
    page = Report(
        title=f"{experiment.name} on {dataset.title}",
        dataset=dataset.title,
        class_names=dataset.classes,
        palette=dataset.palette,
        examples=_examples(experiment, dataset, crf=result.helps),
        before=Scores.from_matrix(np.array(record["confusion_before"])),
        after=Scores.from_matrix(np.array(record["confusion_after"])) if record["confusion_after"] else None,
        training=_training(experiment),
        heat_map=experiment.heat_map,
        settings=_settings(experiment, result),
        notes=_notes(experiment, result),
        timings=seconds(experiment),
        commands=[f"deeplab prototxt {experiment.name}", f"deeplab all {experiment.name}"],
        ignore_label=dataset.ignore_label,
    )
    files = write_report(page, experiment.report)
    print(f"report: {files[0].resolve()}")


def _examples(experiment: Experiment, dataset: Dataset, crf: bool) -> list[Example]:
    """A few images, evenly spaced over the test list."""
    entries = dataset.entries(experiment.test_list)
    count = min(EXAMPLES, len(entries))
    return [_example(experiment, dataset, entries[i * len(entries) // count], crf) for i in range(count)]


def _example(experiment: Experiment, dataset: Dataset, entry: ListEntry, crf: bool) -> Example:
    path = dataset.path_of(entry.image)
    image = cv2.imread(path, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None:
        raise InputError(f"{path} is not there or is no image that OpenCV can read")
    name = list_id(entry)
    return Example(
        name,
        np.ascontiguousarray(image[:, :, ::-1], np.uint8),
        read_label(dataset.path_of(entry.label or "")),
        read_label(experiment.result(experiment.test_list) / f"{name}.png"),
        read_label(experiment.result(experiment.test_list, crf=True) / f"{name}.png") if crf else None,
    )


def _training(experiment: Experiment) -> list[TrainingStage]:
    stages = []
    for stage in ("train", "train2"):
        path = experiment.log(stage)
        if path.is_file():
            table = read_train_log(path)
            iteration, loss = table.series("loss")
            _, rate = table.series("lr")
            stages.append(TrainingStage(stage, iteration, loss, rate if len(rate) == len(loss) else np.zeros(0)))
    return stages


def _settings(experiment: Experiment, result: SearchResult) -> dict[str, dict[str, object]]:
    best = result.best
    return {
        "net and training": dict(experiment.options.stated()),
        "CRF": {
            "w1": best.w1,
            "sigma_alpha": best.sigma_alpha,
            "sigma_beta": best.sigma_beta,
            "w2": best.w2,
            "sigma_gamma": best.sigma_gamma,
            "iterations": best.iterations,
            "searched on": f"{result.images} images of the list '{experiment.search_list}'",
        },
    }


def _notes(experiment: Experiment, result: SearchResult) -> list[str]:
    notes = []
    if not result.helps:
        notes.append("The CRF did not help on the images it was searched on, so it is not used.")
    if result.at_edge:
        notes.append(f"The best CRF setting lies on the edge of the searched range in {', '.join(result.at_edge)}.")
    if experiment.search_list == experiment.test_list:
        notes.append("The CRF's parameters were searched on images of the test list, as the papers do on VOC's val.")
    return notes
