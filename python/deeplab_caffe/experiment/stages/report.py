"""The stage `report`: a page with scores, pictures and settings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...crf.search import SearchResult, search_figure
from ...data import Dataset
from ...evaluation import Report, chart, lowest_first, page_sources, write_report
from ..folder import Experiment
from ..made_with import by_stage, made_with, versions
from ..published_scores import published_lines
from ..report_pictures import belief_galleries, chosen_images, examples, net_galleries
from ..report_settings import search_sentences, settings
from ..stage_records import durations, made_with_of
from ..stored_scores import StoredScores
from ..training_records import training_files, training_stages
from .crf import is_used, parameters_of
from .evaluate import WHEN, read_curves, read_image_scores, read_matrix, read_scores

#: widths of the trimap, in pixels, that the table has
_BAND_WIDTHS = (1, 2, 5, 10, 20, 40)


def report_inputs(experiment: Experiment) -> Sequence[Any]:
    scores = [experiment.evaluation] if experiment.has_labels(experiment.test_list) else []
    search = [experiment.search_result] if experiment.testing.preset is None else []
    program = [versions(("deeplab-caffe",)), page_sources()]  # a page of an older one looks and says otherwise
    return [*scores, *search, *training_files(experiment.log("train").parent), *experiment.show, *program]


def report_outputs(experiment: Experiment) -> list[Path]:
    return [experiment.report]


def report(experiment: Experiment) -> None:
    """Write the page with scores and pictures, and its charts and pictures as files next to it.

    Raises:
        InputError: `show` names an image that the list has not, or what an earlier stage wrote is damaged.
    """
    dataset, crf = experiment.dataset(), is_used(experiment)
    found = _scores(experiment) if experiment.has_labels(experiment.test_list) else {}
    shown = chosen_images(experiment, dataset, found.get("images", ()))
    search = SearchResult.load(experiment.search_result) if experiment.testing.preset is None else None
    galleries, notes = net_galleries(experiment, dataset, shown)
    if crf:
        galleries += belief_galleries(experiment, dataset, shown, parameters_of(experiment))
    training, accuracy = training_stages(experiment.log("train").parent)
    made = {**made_with_of(experiment), "report": made_with()}
    page = Report(
        title=f"Results of {experiment.name.partition('/')[2]} on {dataset.title}",
        dataset=dataset.title,
        class_names=dataset.classes,
        palette=dataset.palette,
        examples=examples(experiment, dataset, shown, crf),
        training=training,
        accuracy=accuracy,
        search=search_sentences(experiment, search) if search else [],
        heat_map=chart(search_figure(search)) if search else None,
        settings=settings(experiment, search),
        notes=[*_notes(experiment, search), *notes],
        timings=durations(experiment),
        finished={stage: record.pop("date", "") for stage, record in made.items()},
        made_with=by_stage(made),
        commands=[experiment.command],
        ignore_label=dataset.ignore_label,
        tested=_tested(experiment, dataset),
        galleries=galleries,
        **found,
    )
    write_report(page, experiment.report)
    show_path(experiment)


def _scores(experiment: Experiment) -> dict[str, Any]:
    """What the stage evaluate has found, as fields of the report."""
    before, after = read_scores(experiment)
    images = read_image_scores(experiment)
    return {
        "before": before,
        "after": after,
        "confusion": read_matrix(experiment),
        "images": lowest_first(images["before"], images.get("after")) if images else [],
        "published": published_lines(experiment, before, after),
        **_along_boundaries(experiment),
    }


def show_path(experiment: Experiment) -> None:
    """Print the path of the report."""
    print(f"report: {experiment.report.resolve()}", flush=True)


def _tested(experiment: Experiment, dataset: Dataset) -> str:
    name = experiment.test_list
    count, stored = len(dataset.entries(name, needs_label=False)), StoredScores.read(experiment.scores(name))
    stage = f" (stage {stored.stage})" if stored.stage else ""
    return f"list '{name}' of {count:,} image{'s' * (count != 1)}; weights {Path(stored.weights).name}{stage}"


def _along_boundaries(experiment: Experiment) -> dict[str, Any]:
    """The curves and the table of the trimap, if the stage evaluate has scored one."""
    found = read_curves(experiment)
    if found is None:
        return {}
    trimap, curves = found
    before, after = curves[WHEN["before"]], curves.get(WHEN["after"])
    ious = [(b.width, b.mean_iou, after[place].mean_iou if after else None) for place, b in enumerate(before)]
    rows = [row for row in ious if row[0] in _BAND_WIDTHS] or ious[:: max(1, len(ious) // len(_BAND_WIDTHS))]
    return {"bands": rows, "trimap": curves, "trimap_note": trimap.note()}


def _notes(experiment: Experiment, search: SearchResult | None) -> list[str]:
    notes = []
    if not experiment.has_labels(experiment.test_list):
        notes.append(f"The list '{experiment.test_list}' has no labels, so there are no scores.")
    if search is None:
        return notes
    if not search.helps:
        notes.append("The CRF did not help on the images of the search, so it is not used.")
    if experiment.search_list == experiment.test_list:
        notes.append("The CRF parameters were searched on images of the test list, as the papers do on VOC val.")
    return notes
