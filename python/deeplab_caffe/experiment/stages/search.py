"""The stage `search`: searches the CRF parameters on the score maps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...crf.search import FileItem, SearchOptions, SearchResult, coarse_to_fine, heat_map
from ...data import Dataset, list_ids
from ...files import cpus
from ..fingerprints import file_states
from ..folder import Experiment
from ..results import DONE, read_json, unique_ids


def search_inputs(experiment: Experiment) -> Sequence[Any]:
    read = file_states(files_read(experiment, experiment.search_list))
    return [experiment.search_images, repr(experiment.search_space), read]


def search_outputs(experiment: Experiment) -> list[Path]:
    result = experiment.search_result
    return [result, result.with_suffix(".csv"), experiment.heat_map, experiment.crf_parameters]


def files_read(experiment: Experiment, name: str) -> list[str]:
    """The images, score maps and labels of a list."""
    dataset = experiment.dataset()
    entries = dataset.entries(name)
    scores = (str(experiment.scores(name) / f"{image_id}.npy") for image_id in list_ids(entries))
    words = (word for entry in entries for word in (entry.image, entry.label) if word)
    return [*map(dataset.path_of, words), *scores]


def search(experiment: Experiment) -> None:
    """Search the CRF parameters on the held-out list, from coarse to fine."""
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
    """The journal of confusion matrices counted so far on this experiment's scores."""
    return experiment.folder / "crf" / "search.journal"


def save_search(result: SearchResult, path: Path) -> None:
    """Write the result of a search.

    Args:
        path: the JSON file. The table (.csv), the heat maps (.png) and parameters.json are written next to it.
    """
    result.save_csv(path.with_suffix(".csv"))
    heat_map(result, path.with_suffix(".png"))
    result.best.save(path.with_name("parameters.json"))
    result.save(path)


def show_search(result: SearchResult, classes: Sequence[str]) -> None:
    """Print the result of a search."""
    print(result.class_table(classes), result.summary(), sep="\n\n", flush=True)


def scored_items(experiment: Experiment, dataset: Dataset, name: str) -> list[FileItem]:
    """The images of a list with their score maps and labels, as items of a CRF search."""
    height, width = read_json(experiment.scores(name) / DONE)["size"]
    entries = dataset.entries(name)
    return [
        FileItem(
            dataset.path_of(entry.image),
            str(experiment.scores(name) / f"{image_id}.npy"),
            dataset.path_of(entry.label or ""),
            (height, width),
            "net",
            upright=dataset.upright,
        )
        for entry, image_id in zip(entries, unique_ids(entries, dataset.lists[name]), strict=True)
    ]
