"""The stage `report`: a page with scores, pictures and settings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...crf.search import SearchResult, choose_evenly
from ...data import Dataset, ListEntry, list_ids, read_image, read_label
from ...errors import InputError
from ...evaluation import Example, Report, TrainingStage, read_train_log, write_report
from ...formats.definition import read_definition, read_solver
from ...formats.python_layers import layer_type, parameters
from ..class_weights import class_weight_settings
from ..folder import Experiment
from ..hand_edits import hand_edits
from ..stage_records import durations
from .evaluate import read_scores

#: number of images that the report shows
EXAMPLES = 6


def report_inputs(experiment: Experiment) -> Sequence[Any]:
    return [experiment.evaluation, experiment.search_result, *(experiment.log(stage) for stage in ("train", "train2"))]


def report_outputs(experiment: Experiment) -> list[Path]:
    return [experiment.report]


def report(experiment: Experiment) -> None:
    """Write the page with scores and pictures, and the pictures as PNG files next to it."""
    dataset = experiment.dataset()
    before, after = read_scores(experiment)
    result = SearchResult.load(experiment.search_result)
    page = Report(
        title=f"{experiment.name} on {dataset.title}",
        dataset=dataset.title,
        class_names=dataset.classes,
        palette=dataset.palette,
        examples=_examples(experiment, dataset, crf=result.helps),
        before=before,
        after=after,
        training=_training(experiment),
        heat_map=experiment.heat_map,
        settings=_settings(experiment, result),
        notes=_notes(experiment, result),
        timings=durations(experiment),
        commands=[experiment.command],
        ignore_label=dataset.ignore_label,
    )
    write_report(page, experiment.report)
    show_path(experiment)


def show_path(experiment: Experiment) -> None:
    """Print the path of the report."""
    print(f"report: {experiment.report.resolve()}", flush=True)


def _examples(experiment: Experiment, dataset: Dataset, crf: bool) -> list[Example]:
    """A few images, at even intervals in the test list."""
    entries = dataset.entries(experiment.test_list)
    named = choose_evenly(list(zip(entries, list_ids(entries), strict=True)), EXAMPLES)
    return [_example(experiment, dataset, entry, name, crf) for entry, name in named]


def _example(experiment: Experiment, dataset: Dataset, entry: ListEntry, name: str, crf: bool) -> Example:
    return Example(
        name.encode("utf-8", "surrogateescape").decode("utf-8", "replace"),  # a page has no bytes that are not UTF-8
        read_image(dataset.path_of(entry.image), dataset.upright),
        read_label(dataset.path_of(entry.label or "")),
        read_label(experiment.result(experiment.test_list) / f"{name}.png"),
        read_label(experiment.result(experiment.test_list, crf=True) / f"{name}.png") if crf else None,
    )


def _training(experiment: Experiment) -> list[TrainingStage]:
    stages = []
    for stage in ("train", "train2"):
        path = experiment.log(stage)
        if path.is_file():
            try:
                table = read_train_log(path)
            except InputError:  # a solver without display leaves no curve
                continue
            iteration, loss = table.series("loss")
            rates = dict(zip(*table.series("lr"), strict=True))  # the last line of a log has a loss but no rate
            rate = np.array([rates.get(i, np.nan) for i in iteration]) if rates else np.zeros(0)
            stages.append(TrainingStage(stage, iteration, loss, rate))
    return stages


def _settings(experiment: Experiment, result: SearchResult) -> dict[str, dict[str, object]]:
    best = result.best
    edited: dict[str, object] = {path: "; ".join(lines) for path, lines in hand_edits(experiment).items()}
    return {
        **_solver_settings(experiment),
        **class_weight_settings(experiment),
        **({"edited by hand": edited} if edited else {}),
        "CRF": {
            "w1": best.w1,
            "sigma_alpha": best.sigma_alpha,
            "sigma_beta": best.sigma_beta,
            "w2": best.w2,
            "sigma_gamma": best.sigma_gamma,
            "iterations": best.iterations,
            "searched on": f"{result.images} image{'s' * (result.images != 1)} of the list '{experiment.search_list}'",
        },
    }


def _solver_settings(experiment: Experiment) -> dict[str, dict[str, object]]:
    """The settings of the training, read from the solver and net files."""
    sections: dict[str, dict[str, object]] = {}
    for stage in ("", "2"):
        solver_file = experiment.prototxt / f"solver{stage}.prototxt"
        if not solver_file.is_file():
            continue
        solver = read_solver(solver_file)
        shown = _fields(solver)
        for layer in read_definition(solver.train_net or solver.net).param.layer:
            if layer_type(layer) == "ImageSegData":
                shown.update((name, _readable(value)) for name, value in parameters(layer).items())
        sections[f"training{f', stage {stage}' if stage else ''}"] = shown
    return sections


def _fields(message: Any) -> dict[str, object]:
    """The fields that are set in a message, enums by name."""
    shown: dict[str, object] = {}
    for field, value in message.ListFields():
        named = field.enum_type and isinstance(value, int)
        shown[field.name] = field.enum_type.values_by_number[value].name if named else _readable(value)
    return shown


def _readable(value: Any) -> object:
    """Floats with six digits: float32 0.0005 is shown as 0.0005, not 0.0005000000237."""
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str | int) else ", ".join(str(_readable(v)) for v in value)


def _notes(experiment: Experiment, result: SearchResult) -> list[str]:
    notes = []
    if not result.helps:
        notes.append("The CRF did not help on the images of the search, so it is not used.")
    if result.at_edge:
        notes.append(f"The best CRF parameters lie at the edge of the searched range of {', '.join(result.at_edge)}.")
    if experiment.search_list == experiment.test_list:
        notes.append("The CRF parameters were searched on images of the test list, as the papers do on VOC val.")
    return notes
