"""The stage `crf`: refines the test list's labels with the fully connected CRF."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ...crf import CRFParameters, crf_labels
from ...crf.search import FileItem, SearchResult
from ...data import write_label
from ...files import cpus, write_text
from ...progress import tracked
from ..fingerprints import file_states
from ..folder import Experiment
from ..results import DONE, empty_folder
from .search import files_read, scored_items


def crf_inputs(experiment: Experiment) -> Sequence[Any]:
    return [experiment.search_result, file_states(files_read(experiment, experiment.test_list))]


def crf_outputs(experiment: Experiment) -> list[Path]:
    return [experiment.result(experiment.test_list, crf=True) / DONE]


def crf(experiment: Experiment) -> None:
    """Refine the labels of the test list with the parameters that `search` found; skipped if the CRF did not help."""
    folder = experiment.result(experiment.test_list, crf=True)
    empty_folder(folder)
    helps = SearchResult.load(experiment.search_result).helps
    if helps:
        _refine(experiment, folder)
    else:
        print("the CRF did not help on the held-out images, so it is not used", flush=True)
    write_text(folder / DONE, f'{{"used": {str(helps).lower()}}}\n')


def _refine(experiment: Experiment, folder: Path) -> None:
    dataset = experiment.dataset()
    items = scored_items(experiment, dataset, experiment.test_list)
    scores = experiment.scores(experiment.test_list)
    parameters = CRFParameters.load(experiment.crf_parameters)

    def refine(item: FileItem) -> None:
        sample = item.load()
        labels = crf_labels(sample.image, sample.unary, parameters)
        image_id = Path(item.scores).relative_to(scores).with_suffix("")
        write_label(folder / f"{image_id}.png", labels, dataset.palette)

    with ThreadPoolExecutor(cpus()) as pool:
        for _ in tracked(pool.map(refine, items), "crf", len(items), unit="image"):
            pass
