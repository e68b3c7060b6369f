"""Which results of an experiment go to a test server."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..data import Dataset, named_file, read_dataset
from ..errors import InputError
from ..locks import locked_folder
from ..nets import experiment_folder, full_name, published_names
from ..package_files import or_packaged
from ..spelling import did_you_mean
from .results import DONE, read_json


@dataclass(frozen=True)
class FoundResults:
    """The results of an experiment on a list.

    Attributes:
        folder: of the label PNGs.
        after_crf: whether the CRF refined them.
        weights: the weights of the net.
    """

    folder: Path
    after_crf: bool
    weights: str


def experiment_place(name: str) -> tuple[Path, Path | None]:
    """The folder of an experiment, and the data set's description if it has a known one.

    Args:
        name: an experiment's folder, or `<data set>/<model>` (or voc_largefov), whose folder is below exper/.

    Raises:
        InputError: there is no such folder, nor a model of this name.
    """
    folder = Path(name)
    dataset = folder.resolve().parent.name
    if not folder.is_dir():
        known = full_name(name)
        folder, dataset = Path(experiment_folder(known)), known.partition("/")[0]
    if not folder.is_dir():
        near = did_you_mean(known, published_names()) if known not in published_names() else ""
        way = near or f"; run `deeplab all {name} --test-set test` first"
        raise InputError(f"'{name}': there is no folder {folder}{way}")
    candidates = (folder / "dataset.toml", named_file(dataset))
    return folder, next((path for path in candidates if or_packaged(path).is_file()), None)


def described(folder: Path, file: Path, classes: int) -> Dataset:
    """The data set of an experiment, whose number of classes has to be the server's."""
    dataset = read_dataset(file)
    if dataset.num_classes != classes:
        raise InputError(
            f"{folder}: {dataset.title} ({file}) has {dataset.num_classes} classes; the server's data set has {classes}"
        )
    return dataset


@contextlib.contextmanager
def undisturbed(folder: Path) -> Iterator[None]:
    """A context in which no stage of an experiment writes; InputError if one does. A read-only folder needs no lock."""
    if not os.access(folder, os.W_OK):
        yield
        return
    with locked_folder(folder, f"the experiment {folder} is in use"):
        yield


def results_on(folder: Path, list_name: str, crf: bool = True) -> FoundResults:
    """The results of an experiment on a list: after the CRF if it was run and used, else before.

    Args:
        folder: of the experiment.
        list_name: name of the list.
        crf: False: before the CRF in any case.

    Raises:
        InputError: there are none, or those after the CRF are older than those before.
    """
    before, after = folder / "result" / list_name / DONE, folder / "result_crf" / list_name / DONE
    if not before.is_file():
        raise InputError(
            f"{folder}: no results on the list '{list_name}'{_others(folder)}; run the stages with "
            f"--test-set {list_name} first"
        )
    weights = str(read_json(before).get("weights", ""))
    if not crf or not after.is_file() or not _used(read_json(after)):
        return FoundResults(before.parent, False, weights)
    if os.stat(after).st_mtime_ns < os.stat(before).st_mtime_ns:
        raise InputError(
            f"{after.parent}: older than the results before the CRF, {before.parent}; run the stage crf again, or use "
            "--without-crf"
        )
    return FoundResults(after.parent, True, weights)


def _used(record: dict[str, Any]) -> bool:
    return record.get("used") is not False


def _others(folder: Path) -> str:
    found = sorted(path.parent.name for path in (folder / "result").glob(f"*/{DONE}"))
    return f" (there are some on {', '.join(found)})" if found else ""
