"""The pictures of a report: which images, and what the net and the CRF do on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..crf import CRFParameters, belief_maps
from ..crf.search import FileItem, choose_evenly
from ..data import Dataset, ListEntry, list_ids, read_image, read_label
from ..errors import InputError
from ..evaluation import (
    ClassBeliefs,
    Example,
    Gallery,
    ImageRow,
    attention_gallery,
    belief_gallery,
    colour_labels,
    edge_gallery,
)
from ..package_files import or_packaged
from ..spelling import did_you_mean
from ..words import for_people
from .folder import Experiment
from .net_maps import MapBlob, compute_maps, map_blobs
from .stages.search import scored_items
from .stored_scores import StoredScores

#: number of images that the report shows if there are no scores, and those on which it shows the CRF's beliefs
EXAMPLES, WITH_BELIEFS = 6, 2
#: number of images that it shows of those with the lowest, middling and highest scores
_LOWEST, _MIDDLING, _HIGHEST = 4, 2, 4
#: iterations of the CRF that are shown, besides the last
_ITERATIONS = (0, 1, 2)
#: beliefs below are not exact, see `Beliefs.probabilities`
_LEAST = np.exp(np.float32(-20))


@dataclass(frozen=True)
class Shown:
    """An image of the report: its entry in the test list, its id, its heading, and what is said of it."""

    entry: ListEntry
    name: str
    group: str = ""
    said: str = ""

    @property
    def text(self) -> str:
        """The id as a page can show it, which has no bytes that are not UTF-8."""
        return for_people(self.name)


def chosen_images(experiment: Experiment, dataset: Dataset, scores: Sequence[ImageRow] = ()) -> list[Shown]:
    """The images that `--show` names, or else those with the lowest, middling and highest scores.

    Args:
        scores: of all images, the lowest first; without them images at even intervals in the test list are chosen.

    Raises:
        InputError: the list has no such image.
    """
    name = experiment.test_list
    entries, said = dataset.entries(name, needs_label=False), {row.id: row.text() for row in scores}
    ids = list_ids(entries)
    every = {key: Shown(entry, key, said=said.get(key, "")) for entry, key in zip(entries, ids, strict=True)}
    if not experiment.show:
        return _by_score(every, scores) or choose_evenly(list(every.values()), EXAMPLES)
    for wanted in experiment.show:
        if wanted not in every:
            hint = did_you_mean(wanted, every, f"; the first one is '{next(iter(every))}'")
            raise InputError(f"--show: the list '{name}' ({dataset.lists[name]}) has no image '{wanted}'{hint}")
    return [every[wanted] for wanted in dict.fromkeys(experiment.show)]


def _by_score(every: Mapping[str, Shown], scores: Sequence[ImageRow]) -> list[Shown]:
    """Images with the lowest, middling and highest scores, each under its heading, the lowest first."""
    found = [every[row.id] for row in scores if row.last == row.last and row.id in every]
    if len(found) <= _LOWEST + _MIDDLING + _HIGHEST:
        return [replace(each, group="All images, the lowest score first") for each in found]
    middle = (len(found) - _MIDDLING) // 2
    groups = {
        "The lowest scores": found[:_LOWEST],
        "Scores in the middle": found[middle : middle + _MIDDLING],
        "The highest scores": found[-_HIGHEST:],
    }
    return [replace(each, group=heading) for heading, images in groups.items() for each in images]


def check_shown(experiment: Experiment) -> None:
    """Refuse an unknown image of `show` before anything is run, if the data set is there already."""
    if or_packaged(experiment.prepared_dataset).is_file():
        dataset = experiment.dataset()
        if dataset.lists.get(experiment.test_list, Path()).is_file():
            chosen_images(experiment, dataset)


def examples(experiment: Experiment, dataset: Dataset, shown: Sequence[Shown], crf: bool) -> list[Example]:
    """The images with their labels and results; crf: whether there are results after the CRF."""
    return [
        Example(
            each.text,
            _image(dataset, each),
            read_label(dataset.path_of(each.entry.label)) if each.entry.label else None,
            _result(experiment, each),
            _result(experiment, each, crf=True) if crf else None,
            each.said,
            each.group,
        )
        for each in shown
    ]


def _image(dataset: Dataset, shown: Shown) -> np.ndarray:
    return read_image(dataset.path_of(shown.entry.image), dataset.upright)


def _result(experiment: Experiment, shown: Shown, crf: bool = False) -> np.ndarray:
    return read_label(experiment.result(experiment.test_list, crf) / f"{shown.name}.png")


# -- what the net computes


def net_galleries(experiment: Experiment, dataset: Dataset, shown: Sequence[Shown]) -> tuple[list[Gallery], list[str]]:
    """Galleries of the net's maps, where it has any, and notes on those that could not be made."""
    galleries, notes = [], []
    for found in map_blobs(experiment.prototxt / "test.prototxt"):
        try:
            galleries.append(_net_gallery(experiment, dataset, found, shown))
        except InputError as error:
            notes.append(f"There are no pictures of the {found.kind}: {error}")
    return galleries, notes


def _net_gallery(experiment: Experiment, dataset: Dataset, found: MapBlob, shown: Sequence[Shown]) -> Gallery:
    weights = Path(StoredScores.read(experiment.scores(experiment.test_list)).weights)
    if not weights.is_file():
        raise InputError(f"the weights {weights} of the stage test are not there any more")
    maps = compute_maps(experiment, dataset, found, [each.entry for each in shown], weights)
    images = [(each.text, _image(dataset, each), values) for each, values in zip(shown, maps, strict=True)]
    if found.kind == "attention":
        return attention_gallery(images, found.channels)
    results = [_coloured(dataset, _result(experiment, each)) for each in shown]
    filtered = [(name, image, values[0], result) for (name, image, values), result in zip(images, results, strict=True)]
    return edge_gallery(filtered, learnt=found.kind == "edges")


def _coloured(dataset: Dataset, labels: np.ndarray) -> np.ndarray:
    return colour_labels(labels, dataset.palette, dataset.ignore_label)


# -- what the CRF does


def belief_galleries(
    experiment: Experiment, dataset: Dataset, shown: Sequence[Shown], parameters: CRFParameters
) -> list[Gallery]:
    """The CRF's beliefs in the largest object of the first images, before and after its iterations."""
    chosen = [each for each in shown if _largest_class(_result(experiment, each, crf=True))] or shown
    return [belief_gallery([_beliefs(experiment, dataset, each, parameters) for each in chosen[:WITH_BELIEFS]])]


def _largest_class(labels: np.ndarray) -> int:
    """The most frequent class but the first, which is usually the background; 0 if there is no other."""
    counts = np.bincount(labels.ravel(), minlength=2)
    return int(counts[1:].argmax()) + 1 if counts[1:].any() else 0


def _beliefs(experiment: Experiment, dataset: Dataset, shown: Shown, parameters: CRFParameters) -> ClassBeliefs:
    sample, labels = _item(experiment, dataset, shown).load(), _result(experiment, shown, crf=True)
    number = _largest_class(labels)
    iterations = sorted({*_ITERATIONS, parameters.iterations})
    beliefs, margins = [], []
    for probabilities in belief_maps(sample.image, sample.unary, parameters, iterations):
        beliefs.append(probabilities[number].copy())
        margins.append(_margin(probabilities, number))
    coloured = _coloured(dataset, labels)
    return ClassBeliefs(shown.text, dataset.classes[number], sample.image, coloured, iterations, beliefs, margins)


def _item(experiment: Experiment, dataset: Dataset, shown: Shown) -> FileItem:
    """The image and its energies, as the stage crf reads them."""
    path = str(experiment.scores(experiment.test_list) / f"{shown.name}.npy")
    return next(item for item in scored_items(experiment, dataset, experiment.test_list) if item.scores == path)


def _margin(probabilities: np.ndarray, number: int) -> np.ndarray:
    """log of the belief in a class over the largest other one: the difference of their scores."""
    others = np.delete(probabilities, number, axis=0).max(axis=0)
    return np.log(np.maximum(probabilities[number], _LEAST)) - np.log(np.maximum(others, _LEAST))
