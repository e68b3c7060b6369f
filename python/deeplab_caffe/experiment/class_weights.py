"""Weights of the classes in the losses of an experiment: counted on its training lists, or from a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..data import Dataset, named_dataset
from ..data.checking import count_labels
from ..data.class_weights import METHODS, Weights, absent_classes, frequencies, read_weights
from ..data.label_statistics import LabelCounts
from ..errors import InputError
from ..formats.infogain import read_diagonal, write_diagonal
from ..nets import GeneratorOptions, check_options, class_weights_file, list_names, prototxt_folder
from ..spelling import did_you_mean
from ..tables import table
from .fingerprints import file_states
from .folder import Experiment
from .net_inputs import matrices

_ROLES = ("train", "train2")


class ClassWeights(NamedTuple):
    """Weights (C,) of the classes, and what the labels hold that they were computed from; None for those of a file."""

    weights: Weights
    counts: LabelCounts | None = None

    def lines(self, classes: Sequence[str]) -> list[str]:
        """A table of them."""
        weights = [f"{weight:.4g}" for weight in self.weights]
        if self.counts is None:
            return table(("class", ">weight"), zip(classes, weights, strict=True))
        shares = [f"{100 * share:.3g} %" for share in frequencies(self.counts)]
        return table(("class", ">of its images", ">weight"), zip(classes, shares, weights, strict=True))


def class_weights(given: str, dataset: Dataset, list_name: str) -> ClassWeights:
    """The weights that option `class_weights` asks for.

    Args:
        given: one of METHODS, or a file.
        dataset: the data set.
        list_name: the list whose labels are counted, unless `given` is a file.

    Raises:
        InputError: the list or a label is missing or damaged, or the file holds no weights of these classes.
    """
    if given not in METHODS:
        if not Path(given).is_file():
            wanted = f"expected {', '.join(METHODS)}, or a file of weights{did_you_mean(given, METHODS)}"
            raise InputError(f"option class_weights: got '{given}', which is no file; {wanted}")
        return ClassWeights(read_weights(given, dataset.classes))
    message = dataset.missing([list_name])
    if message:
        raise InputError(f"option class_weights {given} counts the labels of the list '{list_name}'. {message}")
    counts = count_labels(dataset, list_name)
    if not counts.pixels[: dataset.num_classes].any():
        raise InputError(f"{counts.where}: no label has a class of {dataset.file}; classes cannot be weighted")
    return ClassWeights(METHODS[given](counts), counts)


def write_class_weights(name: str, options: GeneratorOptions) -> list[Path]:
    """Write the matrices that the training nets of a model read; none unless option `class_weights` is given.

    Args:
        name: `<data set>/<model>`.
        options: those that its nets are generated with.

    Raises:
        InputError: as in `class_weights`, or the options do not fit the model.
    """
    if not options.class_weights:
        return []
    dataset = _dataset(name, options)
    check_options(name, options, dataset)
    written = []
    for role, list_name in _training_lists(name, options, dataset).items():
        found = class_weights(options.class_weights, dataset, list_name)
        path = Path(class_weights_file(prototxt_folder(name, options), role))
        write_diagonal(path, found.weights.tolist())
        whence = f"list '{list_name}', " if found.counts else ""
        print(f"{path}: class weights, {whence}{options.class_weights}", *found.lines(dataset.classes), sep="\n")
        absent = absent_classes(found.counts) if found.counts else []
        if absent:
            print(f"no label of list '{list_name}' has {', '.join(absent)}: weight 1")
        written.append(path)
    return written


def class_weight_inputs(name: str, options: GeneratorOptions) -> list[Any]:
    """What the weights depend on: the file, or lists and labels; nothing unless option `class_weights` is given."""
    if not options.class_weights:
        return []
    if options.class_weights not in METHODS:
        return [Path(options.class_weights)]
    dataset = _dataset(name, options)
    lists = {dataset.list_path(listed) for listed in _training_lists(name, options, dataset).values()}
    names = [listed for listed, path in dataset.lists.items() if path in lists and path.is_file()]
    words = [entry.label for listed in names for entry in dataset.entries(listed, needs_label=False)]
    return [*sorted(lists), file_states(dataset.path_of(word) for word in words if word)]


def class_weight_settings(experiment: Experiment) -> dict[str, dict[str, object]]:
    """Sections of the report: the weight of each class, by training stage, as the nets read it."""
    sections: dict[str, dict[str, object]] = {}
    dataset = experiment.dataset()
    for role in _ROLES:
        title = f"class weights{', stage 2' if role == 'train2' else ''}"
        if why := not_weighted(experiment, role):
            sections[title] = {"not used": why}
        for path in matrices(experiment.prototxt / f"{role}.prototxt"):
            sections[title] = {"by": experiment.options.class_weights or str(path), **_readable(path, dataset)}
    return sections


def not_weighted(experiment: Experiment, role: str) -> str | None:
    """Why a training net that was edited by hand has no class weights although they were asked for; None if it has."""
    net, asked = experiment.prototxt / f"{role}.prototxt", experiment.options.class_weights
    if not asked or not net.is_file() or matrices(net):
        return None
    return f"{net} has no loss with class weights, although {asked} was asked for; FORCE=1 writes the net anew"


def _readable(path: Path, dataset: Dataset) -> Mapping[str, object]:
    diagonal = read_diagonal(path)
    if diagonal is None or len(diagonal) != dataset.num_classes:
        return {"matrix": f"{path}, which is not a diagonal of {dataset.num_classes} weights"}
    return {name: f"{weight:.4g}" for name, weight in zip(dataset.classes, diagonal, strict=True)}


def _dataset(name: str, options: GeneratorOptions) -> Dataset:
    return named_dataset(options.dataset or name.partition("/")[0])


def _training_lists(name: str, options: GeneratorOptions, dataset: Dataset) -> dict[str, str]:
    """Role of a training net → the list that it is trained on."""
    return {role: listed for role, listed in list_names(name, options, dataset).items() if role in _ROLES}
