"""The stage `report`: a page with scores, pictures and settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ...crf.search import SearchResult
from ...data import Dataset
from ...errors import InputError
from ...evaluation import Report, Scores, TrainingStage, read_train_log, write_report
from ...formats.definition import read_definition, read_solver
from ...formats.python_layers import layer_type, parameters
from ...reading import reading
from ..class_weights import class_weight_settings
from ..folder import Experiment
from ..hand_edits import hand_edits
from ..published_scores import published_lines
from ..report_pictures import belief_galleries, chosen_images, examples, net_galleries
from ..results import read_json
from ..stage_records import durations
from ..stored_scores import StoredScores
from .crf import is_used, parameters_of, source_of
from .evaluate import read_scores

#: widths of the trimap, in pixels, that the table has
_BAND_WIDTHS = (1, 2, 5, 10, 20, 40)


def report_inputs(experiment: Experiment) -> Sequence[Any]:
    scores = [experiment.evaluation] if experiment.has_labels(experiment.test_list) else []
    search = [experiment.search_result] if experiment.testing.preset is None else []
    return [*scores, *search, *(experiment.log(stage) for stage in ("train", "train2")), *experiment.show]


def report_outputs(experiment: Experiment) -> list[Path]:
    return [experiment.report]


def report(experiment: Experiment) -> None:
    """Write the page with scores and pictures, and the pictures as PNG files next to it.

    Raises:
        InputError: `show` names an image that the list has not, or what an earlier stage wrote is damaged.
    """
    dataset = experiment.dataset()
    shown, crf = chosen_images(experiment, dataset), is_used(experiment)
    labelled = experiment.has_labels(experiment.test_list)
    before, after = read_scores(experiment) if labelled else (None, None)
    search = SearchResult.load(experiment.search_result) if experiment.testing.preset is None else None
    galleries, notes = net_galleries(experiment, dataset, shown)
    if crf:
        galleries += belief_galleries(experiment, dataset, shown, parameters_of(experiment))
    page = Report(
        title=f"{experiment.name} on {dataset.title}",
        dataset=dataset.title,
        class_names=dataset.classes,
        palette=dataset.palette,
        examples=examples(experiment, dataset, shown, crf),
        before=before,
        after=after,
        training=_training(experiment),
        heat_map=experiment.heat_map if search else None,
        settings=_settings(experiment, search),
        notes=[*_notes(experiment, search), *notes],
        timings=durations(experiment),
        commands=[experiment.command],
        ignore_label=dataset.ignore_label,
        tested=_tested(experiment, dataset),
        galleries=galleries,
        published=published_lines(experiment, before, after) if before is not None else [],
        **_along_boundaries(experiment, before),
    )
    write_report(page, experiment.report)
    show_path(experiment)


def show_path(experiment: Experiment) -> None:
    """Print the path of the report."""
    print(f"report: {experiment.report.resolve()}", flush=True)


def _tested(experiment: Experiment, dataset: Dataset) -> str:
    name = experiment.test_list
    count, stored = len(dataset.entries(name, needs_label=False)), StoredScores.read(experiment.scores(name))
    stage = f" (stage {stored.stage})" if stored.stage else ""
    return f"list '{name}' of {count:,} image{'s' * (count != 1)}; weights {Path(stored.weights).name}{stage}"


def _along_boundaries(experiment: Experiment, before: Scores | None) -> dict[str, Any]:
    """The curves and the table of the trimap, if the stage evaluate has made one."""
    trimap = read_json(experiment.evaluation).get("trimap") if before is not None else None
    if not trimap:
        return {}
    with reading(experiment.evaluation, damaged="damaged; run the stage evaluate again, with --force"):
        after = {row["width"]: row["mean_iou"] for row in trimap["after"] or ()}
        rows = [(row["width"], row["mean_iou"], after.get(row["width"])) for row in trimap["before"]]
    chosen = [row for row in rows if row[0] in _BAND_WIDTHS] or rows[:: max(1, len(rows) // len(_BAND_WIDTHS))]
    picture = experiment.evaluation.with_name("trimap.png")
    return {"bands": chosen, "trimap": picture if picture.is_file() else None}


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


def _settings(experiment: Experiment, search: SearchResult | None) -> dict[str, dict[str, object]]:
    edited: dict[str, object] = {path: "; ".join(lines) for path, lines in hand_edits(experiment).items()}
    return {
        **_solver_settings(experiment),
        **class_weight_settings(experiment),
        **({"edited by hand": edited} if edited else {}),
        **{f"test of the list '{name}'": _test_settings(experiment, name) for name in experiment.tested_lists},
        "CRF": _crf_settings(experiment, search),
    }


def _test_settings(experiment: Experiment, name: str) -> dict[str, object]:
    """Weights and protocol of a tested list."""
    stored = StoredScores.read(experiment.scores(name))
    stage = {"stage": stored.stage} if stored.stage else {}
    return {"weights": stored.weights, **stage, "protocol": stored.protocol or "scale 1"}


def _crf_settings(experiment: Experiment, search: SearchResult | None) -> dict[str, object]:
    shown = {name: _readable(value) for name, value in asdict(parameters_of(experiment)).items()}
    if search is None:
        return {**shown, "from": source_of(experiment)}
    images = f"{search.images} image{'s' * (search.images != 1)}"
    return {**shown, "searched on": f"{images} of the list '{experiment.search_list}'"}


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
            if layer_type(layer) == "InfogainLoss":
                shown["class weights"] = layer.infogain_loss_param.source or f"the blob {layer.bottom[-1]}"
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
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_readable(v)}" for name, v in value.items())
    return value if isinstance(value, str | int) else ", ".join(str(_readable(v)) for v in value)


def _notes(experiment: Experiment, search: SearchResult | None) -> list[str]:
    notes = []
    if not experiment.has_labels(experiment.test_list):
        notes.append(f"The list '{experiment.test_list}' has no labels, so there are no scores.")
    if search is None:
        return notes
    if not search.helps:
        notes.append("The CRF did not help on the images of the search, so it is not used.")
    if search.at_edge:
        notes.append(f"The best CRF parameters lie at the edge of the searched range of {', '.join(search.at_edge)}.")
    if experiment.search_list == experiment.test_list:
        notes.append("The CRF parameters were searched on images of the test list, as the papers do on VOC val.")
    return notes
