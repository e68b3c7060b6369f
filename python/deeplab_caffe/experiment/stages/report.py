"""The stage `report`: a page with scores, pictures and settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ...crf import CRFParameters
from ...crf.search import SearchResult
from ...data import Dataset
from ...errors import InputError
from ...evaluation import Report, Scores, TrainingStage, read_train_log, write_report
from ...formats.definition import read_definition, read_solver
from ...formats.python_layers import layer_type, parameters
from ...reading import reading
from ..folder import Experiment
from ..hand_edits import hand_edits
from ..report_pictures import belief_galleries, chosen_images, examples, net_galleries, test_record
from ..results import DONE, read_json
from ..stage_records import durations
from .evaluate import read_scores

#: widths of the trimap, in pixels, that the table has
_BAND_WIDTHS = (1, 2, 5, 10, 20, 40)


def report_inputs(experiment: Experiment) -> Sequence[Any]:
    logs = (experiment.log(stage) for stage in ("train", "train2"))
    return [experiment.evaluation, experiment.search_result, *logs, *experiment.show]


def report_outputs(experiment: Experiment) -> list[Path]:
    return [experiment.report]


def report(experiment: Experiment) -> None:
    """Write the page with scores and pictures, and the pictures as PNG files next to it.

    Raises:
        InputError: `show` names an image that the list has not, or what an earlier stage wrote is damaged.
    """
    dataset = experiment.dataset()
    shown = chosen_images(experiment, dataset)
    crf = _Crf(experiment)
    before, after = read_scores(experiment) if _has_labels(experiment, dataset) else (None, None)
    galleries, notes = net_galleries(experiment, dataset, shown)
    if crf.is_used and crf.parameters is not None:
        galleries += belief_galleries(experiment, dataset, shown, crf.parameters)
    page = Report(
        title=f"{experiment.name} on {dataset.title}",
        dataset=dataset.title,
        class_names=dataset.classes,
        palette=dataset.palette,
        examples=examples(experiment, dataset, shown, crf.is_used),
        before=before,
        after=after,
        training=_training(experiment),
        heat_map=experiment.heat_map if experiment.heat_map.is_file() else None,
        settings=_settings(experiment, dataset, crf),
        notes=[*_notes(experiment, dataset, crf, before), *notes],
        timings=durations(experiment),
        commands=[experiment.command],
        ignore_label=dataset.ignore_label,
        tested=_tested(experiment, dataset),
        galleries=galleries,
        **_along_boundaries(experiment, before),
    )
    write_report(page, experiment.report)
    show_path(experiment)


def show_path(experiment: Experiment) -> None:
    """Print the path of the report."""
    print(f"report: {experiment.report.resolve()}", flush=True)


class _Crf:
    """What is known of the CRF: whether its results are used, its parameters, the search for them."""

    def __init__(self, experiment: Experiment) -> None:
        done = experiment.result(experiment.test_list, crf=True) / DONE
        self.is_used = done.is_file() and read_json(done).get("used") is not False
        searched, parameters = experiment.search_result, experiment.crf_parameters
        self.search = SearchResult.load(searched) if searched.is_file() else None
        self.parameters = CRFParameters.load(parameters) if parameters.is_file() else None


def _has_labels(experiment: Experiment, dataset: Dataset) -> bool:
    return all(entry.label for entry in dataset.entries(experiment.test_list, needs_label=False))


def _tested(experiment: Experiment, dataset: Dataset) -> str:
    name = experiment.test_list
    count = len(dataset.entries(name, needs_label=False))
    weights = Path(str(test_record(experiment).get("weights", "")))
    images = f"list '{name}' of {count:,} image{'s' * (count != 1)}"
    return f"{images}; weights {weights.name}" if weights.name else images


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


def _settings(experiment: Experiment, dataset: Dataset, crf: _Crf) -> dict[str, dict[str, object]]:
    edited: dict[str, object] = {path: "; ".join(lines) for path, lines in hand_edits(experiment).items()}
    return {
        **_solver_settings(experiment),
        **({"edited by hand": edited} if edited else {}),
        "test": _test_settings(experiment, dataset),
        **({"CRF": _crf_settings(experiment, crf)} if crf.parameters else {}),
    }


def _test_settings(experiment: Experiment, dataset: Dataset) -> dict[str, object]:
    """The list, and what the stage test wrote of itself."""
    name = experiment.test_list
    record = {key: value for key, value in test_record(experiment).items() if value not in (None, "", [], False)}
    if isinstance(size := record.pop("size", None), list):
        record["padded to"] = "×".join(map(str, size)) + " (height × width)"
    return {"list": f"{name} ({dataset.lists[name]})", **{key: _readable(value) for key, value in record.items()}}


def _crf_settings(experiment: Experiment, crf: _Crf) -> dict[str, object]:
    shown = {name: _readable(value) for name, value in asdict(crf.parameters).items()} if crf.parameters else {}
    if crf.search:
        images = f"{crf.search.images} image{'s' * (crf.search.images != 1)}"
        shown["searched on"] = f"{images} of the list '{experiment.search_list}'"
    return shown


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


def _notes(experiment: Experiment, dataset: Dataset, crf: _Crf, before: Scores | None) -> list[str]:
    notes, search = [], crf.search
    if before is None:
        notes.append(f"The list '{experiment.test_list}' has no labels, so there are no scores.")
    if not crf.is_used:
        helps = "The CRF did not help on the images of the search, so it is not used."
        notes.append(helps if search and not search.helps else "The results are those before the CRF.")
    if search and search.at_edge:
        notes.append(f"The best CRF parameters lie at the edge of the searched range of {', '.join(search.at_edge)}.")
    if search and before is not None and experiment.search_list == experiment.test_list:
        notes.append("The CRF parameters were searched on images of the test list, as the papers do on VOC val.")
    return notes
