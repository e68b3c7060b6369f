"""The stage `data`: draws or checks the data, and holds images out for the CRF search."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...data import (
    Dataset,
    ListEntry,
    check_files,
    crop_for,
    hold_out,
    largest_image,
    read_dataset,
    read_list,
    write_dataset,
    write_list,
)
from ...data.label_statistics import LabelCounts, check_class_count, examine, histogram
from ...data.synthetic import draw_sample
from ...errors import InputError
from ...nets import list_names
from ...package_files import or_packaged
from ..check_lists import check_images, check_list, warn_of_more_words
from ..fewer_lists import without_missing_lists
from ..fingerprints import file_states
from ..folder import Experiment
from ..labels_for_cpp import check_grey, for_cpp, grey_copies
from ..results import unique_ids
from .search import check_labelled

#: training crop of the demo if the data set defines none
_CROP = (225, 225)


def data_inputs(experiment: Experiment) -> Sequence[Any]:
    grey = ["labels of 8-bit grey"] if for_cpp(experiment) else []
    if experiment.synthetic:
        return [dict(experiment.synthetic), experiment.hold_out, *grey]
    dataset = read_dataset(experiment.dataset_file)
    names = _list_names(experiment, dataset)
    files = [dataset.lists[name] for name in names if name in dataset.lists]
    entries = [entry for path in files if path.is_file() for entry in read_list(path, needs_label=False)]
    words = [word for entry in entries for word in (entry.image, entry.label) if word]
    described = or_packaged(experiment.dataset_file)
    return [described, experiment.hold_out, *files, *grey, file_states(map(dataset.path_of, words))]


def data_outputs(experiment: Experiment) -> list[Path]:
    if experiment.hold_out:
        return [or_packaged(experiment.dataset_file), experiment.prepared_dataset]
    return [or_packaged(experiment.dataset_file)]


def _list_names(experiment: Experiment, dataset: Dataset) -> list[str]:
    """The lists that this experiment needs, the one of stage 1 first."""
    roles = list_names(experiment.name, experiment.options, dataset)
    tested = [name for name in experiment.tested_lists if name != "heldout"]
    return list(dict.fromkeys([roles["train"], *roles.values(), *tested]))


def prepare_data(experiment: Experiment) -> None:
    """Draw or check the data, hold out a part of the training list, and write the resulting data set description.

    A list that is only tested needs no labels; the CRF's parameters are then searched on the list val.

    Raises:
        InputError: a list, image or label is missing or invalid, or images are larger than test_size.
    """
    if experiment.synthetic:
        draw_sample(experiment.dataset_file.parent, **experiment.synthetic, progress=True)
    dataset = read_dataset(experiment.dataset_file)
    names = _list_names(experiment, dataset)
    if message := dataset.missing(names):
        raise InputError(message + without_missing_lists(experiment, dataset))
    check_class_count(dataset.classes, str(dataset.file))
    check_searchable(experiment)
    entries = {name: _entries(experiment, dataset, name) for name in names}
    for name in experiment.tested_lists:
        if name in entries:
            unique_ids(entries[name], dataset.lists[name])
    for name in names:
        check_files(entries[name], dataset.root_folder(entries[name][0].image), dataset.lists[name])
    warn_of_more_words(dataset, names)
    labels = _check_labels(experiment, dataset, entries)
    if experiment.hold_out:
        labels |= _hold_out(experiment, entries, labels[names[0]])
    _judge(experiment, dataset, labels)
    _warn_of_trained_images(experiment, dataset, entries)
    size, needed = _sizes(experiment, dataset, entries)
    if experiment.hold_out:
        _write_prepared(experiment, dataset, entries, needed)
    elif for_cpp(experiment):
        for name in filter(experiment.has_labels, names):
            check_grey(dataset.lists[name], dataset.root_folder(entries[name][0].image))
    counts = ", ".join(f"{len(e)} {name}" for name, e in entries.items())
    print(f"{dataset.title}: {counts} images; {dataset.num_classes} classes; largest {size[1]}×{size[0]} pixels")


def _entries(experiment: Experiment, dataset: Dataset, name: str) -> list[ListEntry]:
    """The lines of a list; labels may be missing if it is only tested, on all lines."""
    needs_label = name in _trained_lists(experiment, dataset) or experiment.has_labels(name)
    return dataset.entries(name, needs_label)


def check_searchable(experiment: Experiment) -> None:
    """Raise InputError, before anything is trained, if there are no labels to search the CRF's parameters on."""
    if experiment.testing.preset is None and experiment.search_list != "heldout":
        check_labelled(experiment, experiment.search_list)


def _sizes(
    experiment: Experiment, dataset: Dataset, entries: Mapping[str, Sequence[ListEntry]]
) -> tuple[tuple[int, int], tuple[int, int]]:
    """(height, width) of the largest image that is tested, and the size that the test net pads images to."""
    tested = [entry for name in experiment.tested_lists for entry in entries[name]]
    size = largest_image(tested, dataset.root_folder(tested[0].image), upright=dataset.upright)
    needed = dataset.test_size or crop_for(size)
    pads = experiment.testing.protocol.is_plain
    if pads and (size[0] > needed[0] or size[1] > needed[1]):
        raise InputError(
            f"{dataset.file}: test_size is {needed[0]}×{needed[1]} (height × width), but images are up to "
            f"{size[0]}×{size[1]}; set test_size = {list(crop_for(size))}, or remove it, or test in regions (--tile)"
        )
    return size, needed


def _warn_of_trained_images(
    experiment: Experiment, dataset: Dataset, entries: Mapping[str, Sequence[ListEntry]]
) -> None:
    """Warn of images that are trained on and scored: the scores then say little about other images."""
    tested = {dataset.path_of(entry.image): entry for entry in entries[experiment.test_list]}
    tested = {os.path.realpath(path): entry for path, entry in tested.items()}
    for name in _trained_lists(experiment, dataset):
        both = [entry for entry in entries[name] if os.path.realpath(dataset.path_of(entry.image)) in tested]
        if both and name != experiment.test_list:
            print(
                f"warning: {dataset.where(name)}: {len(both)} of {len(entries[name])} images are also in "
                f"{dataset.where(experiment.test_list)}, such as {both[0].image} in line {both[0].line}: the scores "
                "are of images that the net was trained on. Remove them from one of the lists",
                file=sys.stderr,
                flush=True,
            )


def _write_prepared(
    experiment: Experiment, dataset: Dataset, entries: dict[str, list[ListEntry]], test_size: tuple[int, int]
) -> None:
    lists = {name: experiment.folder / "list" / f"{name}.txt" for name in entries}
    if for_cpp(experiment):
        entries = {name: grey_copies(experiment, dataset, listed) for name, listed in entries.items()}
    for name, path in lists.items():
        write_list(path, entries[name])
    prepared = replace(dataset, lists=lists, test_size=test_size, crop=dataset.crop or _CROP)
    write_dataset(prepared, experiment.prepared_dataset)


def _check_labels(
    experiment: Experiment, dataset: Dataset, entries: Mapping[str, Sequence[ListEntry]]
) -> dict[str, LabelCounts]:
    """Read every image's header and every label, and count the values of each list that has labels."""
    trained = _trained_lists(experiment, dataset)
    counts: dict[str, LabelCounts] = {}
    for name, listed in entries.items():
        if listed[0].label is None:
            check_images(dataset, name, listed)
        else:
            counts[name] = check_list(dataset, name, listed, name in trained)
    return counts


def _trained_lists(experiment: Experiment, dataset: Dataset) -> dict[str, bool]:
    """The lists that are trained on, and whether stage 1 does so."""
    roles = list_names(experiment.name, experiment.options, dataset)
    first = {name for role, name in roles.items() if role in ("train", "weak")}
    return {name: name in first for role, name in roles.items() if role != "test"}


def _hold_out(
    experiment: Experiment, entries: dict[str, list[ListEntry]], counts: LabelCounts
) -> dict[str, LabelCounts]:
    """Split the training list, the first one; returns what the labels of both parts hold."""
    name = next(iter(entries))
    rows = dict(zip(entries[name], counts.files, strict=True))
    entries[name], entries["heldout"] = hold_out(entries[name], experiment.hold_out)
    parts = {part: np.stack([rows[entry] for entry in entries[part]]) for part in (name, "heldout")}
    held = replace(counts, files=parts["heldout"], trained=False, where=f"images held out of {counts.where}")
    return {name: replace(counts, files=parts[name]), "heldout": held}


def _judge(experiment: Experiment, dataset: Dataset, labels: Mapping[str, LabelCounts]) -> None:
    """Show what the labels hold; refuse what makes no sense, and warn of what may make none."""
    print(f"labels, in percent of the pixels and in images:\n{histogram(labels)}", flush=True)
    first = _trained_lists(experiment, dataset)
    taught = [counts for name, counts in labels.items() if first.get(name)]
    found = examine(taught, [counts for name, counts in labels.items() if not first.get(name)])
    if found.errors:
        raise InputError("\n".join(found.errors))
    for text in found.warnings:
        print(f"warning: {text}", file=sys.stderr, flush=True)
