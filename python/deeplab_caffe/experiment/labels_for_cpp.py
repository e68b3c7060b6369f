"""Labels as a C++ Caffe reads them: its ImageSegData takes a palette PNG as the grey values of its colours."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from .. import engine
from ..data import Dataset, ListEntry, full_path, read_label, read_list
from ..data.labels import is_grey, write_grey_label
from ..errors import InputError
from .folder import Experiment


def for_cpp(experiment: Experiment) -> bool:
    """Whether the layer ImageSegData of an installed Caffe reads the labels; the one in Python reads palettes."""
    return not engine.is_embedded() and experiment.options.dialect != "bvlc"


def grey_copies(experiment: Experiment, dataset: Dataset, entries: Sequence[ListEntry]) -> list[ListEntry]:
    """A list whose labels are 8-bit grey: those that are not are copied into the folder of the experiment."""
    return [replace(e, label=_copy(experiment, dataset, e.label)) if e.label else e for e in entries]


def _copy(experiment: Experiment, dataset: Dataset, word: str) -> str:
    """The word of a list for a label, or for its copy if it is not 8-bit grey."""
    source = dataset.path_of(word)
    if is_grey(source):
        return word
    inside = os.path.normpath("/" + word).lstrip("/")
    target = experiment.folder / "labels" / Path(inside).with_suffix(".png")
    if not target.is_file() or target.stat().st_mtime_ns < os.stat(source).st_mtime_ns:
        write_grey_label(target, read_label(source))
    relative = os.path.relpath(os.path.realpath(target), os.path.realpath(dataset.root))
    return "/" * word.startswith("/") + relative


def check_grey(list_path: Path, root_folder: str) -> None:
    """Raise InputError if a label of a list is not 8-bit grey, or a name has a blank, at which C++ ends it."""
    for entry in read_list(list_path):
        place = f"{list_path}:{entry.line}"
        if " " in entry.image + (entry.label or ""):
            raise InputError(f"{place}: the installed Caffe ends names at a blank; rename the file or its folder")
        path = full_path(root_folder, entry.label or "")
        if os.path.isfile(path) and not is_grey(path):
            raise InputError(
                f"{place}: {path} is not an 8-bit grey PNG, so the installed Caffe would read the grey values of its "
                "colours. Write the labels as grey: deeplab dataset convert-labels FOLDER -o NEW_FOLDER, and name "
                "the new folder in the list; or write the nets with --dialect bvlc, whose data layer reads palettes"
            )
