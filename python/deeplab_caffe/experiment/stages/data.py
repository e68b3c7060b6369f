"""The stage `data`: draws or checks the data, and holds images out for the CRF search."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...data import (
    Dataset,
    ListEntry,
    check_files,
    check_labels,
    crop_for,
    hold_out,
    image_size,
    largest_image,
    read_dataset,
    read_label,
    read_list,
    write_dataset,
    write_list,
)
from ...data.synthetic import draw_sample
from ...errors import InputError
from ...files import cpus
from ...nets import list_names
from ...progress import tracked
from ..fingerprints import file_states
from ..folder import Experiment
from ..results import unique_ids

#: training crop of the demo if the data set defines none
_CROP = (225, 225)


def data_inputs(experiment: Experiment) -> Sequence[Any]:
    if experiment.synthetic:
        return [dict(experiment.synthetic), experiment.hold_out]
    dataset = read_dataset(experiment.dataset_file)
    names = _list_names(experiment, dataset)
    files = [dataset.lists[name] for name in names if name in dataset.lists]
    entries = [entry for path in files if path.is_file() for entry in read_list(path, needs_label=False)]
    words = [word for entry in entries for word in (entry.image, entry.label) if word]
    return [experiment.dataset_file, experiment.hold_out, *files, file_states(map(dataset.path_of, words))]


def data_outputs(experiment: Experiment) -> list[Path]:
    if experiment.hold_out:
        return [experiment.dataset_file, experiment.prepared_dataset]
    return [experiment.dataset_file]


def _list_names(experiment: Experiment, dataset: Dataset) -> list[str]:
    """The lists that this experiment needs, the one of stage 1 first."""
    roles = list_names(experiment.name, experiment.options, dataset)
    return list(dict.fromkeys([roles["train"], *roles.values()]))


def prepare_data(experiment: Experiment) -> None:
    """Draw or check the data, hold out a part of the training list, and write the resulting data set description.

    Raises:
        InputError: a list, image or label is missing or invalid, or images are larger than test_size.
    """
    if experiment.synthetic:
        draw_sample(experiment.dataset_file.parent, **experiment.synthetic, progress=True)
    dataset = read_dataset(experiment.dataset_file)
    names = _list_names(experiment, dataset)
    message = dataset.missing(names)
    if message:
        raise InputError(message)
    entries = {name: dataset.entries(name) for name in names}
    for name in names:
        unique_ids(entries[name], dataset.lists[name])
        check_files(entries[name], dataset.root_folder(entries[name][0].image), dataset.lists[name])
        _check_labels(entries[name], dataset, name)
    tested = list(entries[experiment.test_list])
    if experiment.hold_out:
        entries[names[0]], entries["heldout"] = hold_out(entries[names[0]], experiment.hold_out)
        tested += entries["heldout"]
    size = largest_image(tested, dataset.root_folder(tested[0].image))
    needed = dataset.test_size or crop_for(size)
    if size[0] > needed[0] or size[1] > needed[1]:
        raise InputError(
            f"{dataset.file}: test_size is {needed[0]}×{needed[1]} (height × width), but images are up to "
            f"{size[0]}×{size[1]}; set test_size = {list(crop_for(size))}, or remove it"
        )
    if experiment.hold_out:
        _write_prepared(experiment, dataset, entries, needed)
    counts = ", ".join(f"{len(e)} {name}" for name, e in entries.items())
    print(f"{dataset.title}: {counts} images; {dataset.num_classes} classes; largest {size[1]}×{size[0]} pixels")


def _write_prepared(
    experiment: Experiment, dataset: Dataset, entries: dict[str, list[ListEntry]], test_size: tuple[int, int]
) -> None:
    lists = {name: experiment.folder / "list" / f"{name}.txt" for name in entries}
    for name, path in lists.items():
        write_list(path, entries[name])
    prepared = replace(dataset, lists=lists, test_size=test_size, crop=dataset.crop or _CROP)
    write_dataset(prepared, experiment.prepared_dataset)


def _check_labels(entries: Sequence[ListEntry], dataset: Dataset, name: str) -> None:
    """Read every label once, so that an invalid value is found now and not during training."""

    def check(entry: ListEntry) -> None:
        path = dataset.path_of(entry.label or "")
        try:
            label = read_label(path)
            check_labels(label, dataset.num_classes, dataset.ignore_label, path)
            _check_size(label.shape, path, dataset.path_of(entry.image))
        except InputError as error:
            raise InputError(f"{dataset.lists[name]}:{entry.line}: {error}") from None

    labelled = [entry for entry in entries if entry.label is not None]
    with ThreadPoolExecutor(max(2, cpus())) as pool:
        for _ in tracked(pool.map(check, labelled), f"labels of {name}", len(labelled), unit="image"):
            pass


def _check_size(size: tuple[int, ...], path: str, image_path: str) -> None:
    """Check that a label has the size of its image."""
    height, width = image_size(image_path)
    if size != (height, width):
        raise InputError(
            f"label {path} is {size[1]}×{size[0]} pixels, but its image {image_path} is {width}×{height}; "
            "both must have the same size"
        )
