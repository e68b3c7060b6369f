"""What the labels of a list hold, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...arrays import NDArray
from ...errors import InputError
from ...lazy import imported_on_use
from ...progress import tracked
from ...threads import mapped
from ..cityscapes import wrong_kind
from ..dataset import Dataset
from ..label_statistics import LabelCounts
from ..labels import invalid_values, read_label, value_counts, values_of
from ..lists import ListEntry

if TYPE_CHECKING:
    import numpy as np
else:
    np = imported_on_use("numpy")


def count_labels(dataset: Dataset, name: str) -> LabelCounts:
    """Read every label of a list and count its values; a line that stands twice counts twice.

    Raises:
        InputError: the list or a label is missing or damaged, or has values that are no classes; names list and line.
            Or the labels seem to be of another kind: Cityscapes' ids instead of train ids.
    """
    entries = dataset.entries(name)

    def count(entry: ListEntry) -> NDArray[np.uint32]:
        path = dataset.path_of(entry.label or "")
        try:
            counts = value_counts(read_label(path)).astype(np.uint32)
            _refuse(invalid_values(values_of(counts), dataset.num_classes, dataset.ignore_label, path))
        except InputError as error:
            raise InputError(f"{dataset.lists[name]}:{entry.line}: {error}") from None
        return counts

    counted = list(tracked(mapped(count, entries), f"labels of {name}", len(entries), unit="label"))
    found = LabelCounts(dataset.where(name), np.stack(counted), dataset.classes, dataset.ignore_label)
    why = wrong_kind(dataset.classes, found.pixels, [entry.label or "" for entry in entries])
    _refuse(f"{found.where}: {why}" if why else None)
    return found


def _refuse(fault: str | None) -> None:
    if fault:
        raise InputError(fault)
