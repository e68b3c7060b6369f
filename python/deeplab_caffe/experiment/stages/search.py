"""The stage `search`: searches the CRF parameters on the score maps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...crf.search import FileItem, SearchOptions, SearchResult, coarse_to_fine, heat_map
from ...data import Dataset, ListEntry, image_size, list_ids
from ...errors import InputError
from ...files import cpus
from ..fingerprints import file_states
from ..folder import Experiment
from ..results import unique_ids
from ..stored_scores import StoredScores


def search_inputs(experiment: Experiment) -> Sequence[Any]:
    read = file_states(files_read(experiment, experiment.search_list))
    wider = ["widen"] if experiment.widen_search else []
    return [experiment.search_images, repr(experiment.search_space), read, *wider]


def search_outputs(experiment: Experiment) -> list[Path]:
    result = experiment.search_result
    return [result, result.with_suffix(".csv"), experiment.heat_map, experiment.crf_parameters]


def not_needed(experiment: Experiment) -> str | None:
    """Why no parameters are searched, or None."""
    preset = experiment.testing.preset
    return f"skipped, the parameters are those of the preset {preset}" if preset else None


def files_read(experiment: Experiment, name: str) -> list[str]:
    """The images, score maps and labels (if there are any) of a list."""
    dataset = experiment.dataset()
    entries = dataset.entries(name, needs_label=False)
    scores = (str(experiment.scores(name) / f"{image_id}.npy") for image_id in list_ids(entries))
    words = (word for entry in entries for word in (entry.image, entry.label) if word)
    return [*map(dataset.path_of, words), *scores]


def search(experiment: Experiment) -> None:
    """Search the CRF parameters on the search list, from coarse to fine.

    Raises:
        InputError: the list has no labels.
    """
    dataset, name = experiment.dataset(), experiment.search_list
    check_labelled(experiment, name)
    result = coarse_to_fine(
        scored_items(experiment, dataset, name),
        dataset.num_classes,
        experiment.search_space,
        SearchOptions(experiment.search_images, workers=cpus(), widen=experiment.widen_search),
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


def check_labelled(experiment: Experiment, name: str) -> None:
    """Raise InputError if the list of the search has no labels."""
    if not experiment.has_labels(name):
        raise InputError(
            f"{experiment.dataset_file}: the list '{name}' has no labels, so the CRF's parameters cannot be searched "
            "on it: add a list val with labels, or use the parameters of released weights with --preset NAME"
        )


def scored_items(experiment: Experiment, dataset: Dataset, name: str) -> list[FileItem]:
    """The images of a list with their score maps, and labels if there are any, as items of a CRF search."""
    folder = experiment.scores(name)
    stored = StoredScores.read(folder)
    entries = dataset.entries(name, needs_label=experiment.has_labels(name))

    def item(entry: ListEntry, image_id: str) -> FileItem:
        image, label = dataset.path_of(entry.image), dataset.path_of(entry.label) if entry.label else ""
        size = stored.size or image_size(image, dataset.upright)
        scores = str(folder / f"{image_id}.npy")
        return FileItem(image, scores, label, size, stored.kind, upright=dataset.upright)

    return list(map(item, entries, unique_ids(entries, dataset.lists[name])))
