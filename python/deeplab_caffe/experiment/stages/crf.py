"""The stage `crf`: refines the test list's labels with the fully connected CRF."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...crf import CRFParameters, crf_labels
from ...crf.search import FileItem, SearchResult
from ...data import write_label
from ...files import write_text
from ...progress import tracked
from ...threads import mapped
from ..fingerprints import file_states
from ..folder import Experiment
from ..results import DONE, empty_folder, read_json
from .search import files_read, scored_items


def crf_inputs(experiment: Experiment) -> Sequence[Any]:
    given = experiment.testing.crf_parameters
    parameters = experiment.search_result if given is None else given.to_json()
    return [parameters, file_states(files_read(experiment, experiment.test_list))]


def crf_outputs(experiment: Experiment) -> list[Path]:
    return [experiment.result(experiment.test_list, crf=True) / DONE]


def crf(experiment: Experiment) -> None:
    """Refine the labels of the test list.

    With the parameters of the preset; or with those that `search` found, unless the CRF did not help there.
    """
    folder = experiment.result(experiment.test_list, crf=True)
    empty_folder(folder)
    preset = experiment.testing.preset
    used = preset is not None or SearchResult.load(experiment.search_result).helps
    if used:
        _refine(experiment, folder, parameters_of(experiment))
    else:
        print("the CRF did not help on the images of the search, so it is not used", flush=True)
    write_text(folder / DONE, json.dumps({"used": used, "from": source_of(experiment)}) + "\n")


def parameters_of(experiment: Experiment) -> CRFParameters:
    """The parameters that the stage uses."""
    return experiment.testing.crf_parameters or CRFParameters.load(experiment.crf_parameters)


def source_of(experiment: Experiment) -> str:
    """Where the parameters come from, in words."""
    preset = experiment.testing.preset
    return f"preset {preset}" if preset else searched_on(experiment.search_list)


def searched_on(list_name: str) -> str:
    """That the parameters were searched on a list, in words."""
    return f"search on the list '{list_name}'"


def is_used(experiment: Experiment) -> bool:
    """Whether the stage crf, which is finished, has refined the test list's labels."""
    return bool(read_json(experiment.result(experiment.test_list, crf=True) / DONE).get("used"))


def _refine(experiment: Experiment, folder: Path, parameters: CRFParameters) -> None:
    dataset = experiment.dataset()
    items = scored_items(experiment, dataset, experiment.test_list)
    scores = experiment.scores(experiment.test_list)

    def refine(item: FileItem) -> None:
        sample = item.load()
        labels = crf_labels(sample.image, sample.unary, parameters)
        image_id = Path(item.scores).relative_to(scores).with_suffix("")
        write_label(folder / f"{image_id}.png", labels, dataset.palette)

    for _ in tracked(mapped(refine, items), "crf", len(items)):
        pass
