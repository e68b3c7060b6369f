"""The stages `search` and `crf`: the fully connected CRF on the score maps."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ..crf import CRFParameters, crf_labels
from ..crf.search import FileItem, SearchOptions, SearchResult, coarse_to_fine, heat_map
from ..data import Dataset, write_label
from ..files import cpus, write_text
from ..progress import tracked
from .layout import Experiment
from .scoring import DONE, empty_folder, read_json, unique_ids


def search_inputs(experiment: Experiment) -> Sequence[Any]:
    return [experiment.search_images, repr(experiment.search_space)]


def search_outputs(experiment: Experiment) -> list[Path]:
    result = experiment.search_result
    return [result, result.with_suffix(".csv"), experiment.heat_map, experiment.crf_parameters]


def search(experiment: Experiment) -> None:
    """Search the CRF's parameters on the held-out list, coarse to fine."""
    dataset, name = experiment.dataset(), experiment.search_list
    result = coarse_to_fine(
        scored_items(experiment, dataset, name),
        dataset.num_classes,
        experiment.search_space,
        SearchOptions(experiment.search_images, workers=cpus()),
        ignore_label=dataset.ignore_label,
        journal=search_journal(experiment),
    )
    save_search(result, experiment.search_result)
    show_search(result, dataset.classes)


def search_journal(experiment: Experiment) -> Path:
    """What searches on this experiment's scores have counted."""
    return experiment.folder / "crf" / "search.journal"


def save_search(result: SearchResult, path: Path) -> None:
    """Write a search's result as JSON to `path`, and beside it the table (.csv), the heat maps and the parameters."""
    result.save_csv(path.with_suffix(".csv"))
    heat_map(result, path.with_suffix(".png"))
    result.best.save(path.with_name("parameters.json"))
    result.save(path)


def show_search(result: SearchResult, classes: Sequence[str]) -> None:
    """Print what a search found."""
    print(result.class_table(classes), result.summary(), sep="\n\n", flush=True)


def scored_items(experiment: Experiment, dataset: Dataset, name: str) -> list[FileItem]:
    """The images of a list with their scores and labels."""
    height, width = read_json(experiment.scores(name) / DONE)["size"]
    entries = dataset.entries(name)
    return [
        FileItem(
            dataset.path_of(entry.image),
            str(experiment.scores(name) / f"{image_id}.npy"),
            dataset.path_of(entry.label or ""),
            (height, width),
        )
        for entry, image_id in zip(entries, unique_ids(entries, dataset.lists[name]), strict=True)
    ]


def crf_inputs(experiment: Experiment) -> Sequence[Any]:
    return [experiment.search_result]


def crf_outputs(experiment: Experiment) -> list[Path]:
    return [experiment.result(experiment.test_list, crf=True) / DONE]


def crf(experiment: Experiment) -> None:
    """Refine the test list's labels with the parameters found; nothing to do if the CRF did not help."""
    folder = experiment.result(experiment.test_list, crf=True)
    empty_folder(folder)
    helps = SearchResult.load(experiment.search_result).helps
    if helps:
        _refine(experiment, folder)
    else:
        print("the CRF did not help on the held-out images: it is not used", flush=True)
    write_text(folder / DONE, f'{{"used": {str(helps).lower()}}}\n')


def _refine(experiment: Experiment, folder: Path) -> None:
    dataset = experiment.dataset()
    items = scored_items(experiment, dataset, experiment.test_list)
    parameters = CRFParameters.load(experiment.crf_parameters)

    def refine(item: FileItem) -> None:
        sample = item.load()
        labels = crf_labels(sample.image, sample.unary, parameters)
        write_label(folder / f"{Path(item.scores).stem}.png", labels, dataset.palette)

    with ThreadPoolExecutor(cpus()) as pool:
        for _ in tracked(pool.map(refine, items), "crf", len(items), unit="image"):
            pass
