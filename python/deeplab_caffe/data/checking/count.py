"""What the labels of a list hold, and nothing else."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ...progress import tracked
from ...threads import mapped
from ..dataset import Dataset
from ..label_statistics import LabelCounts
from ..labels import read_label, value_counts
from ..lists import ListEntry


def count_labels(dataset: Dataset, name: str) -> LabelCounts:
    """Read every label of a list and count its values; a line that stands twice counts twice.

    Raises:
        InputError: the list or a label is missing or damaged; names list and line.
    """
    entries = dataset.entries(name)

    def count(entry: ListEntry) -> NDArray[np.uint32]:
        try:
            return value_counts(read_label(dataset.path_of(entry.label or ""))).astype(np.uint32)
        except InputError as error:
            raise InputError(f"{dataset.lists[name]}:{entry.line}: {error}") from None

    counted = list(tracked(mapped(count, entries), f"labels of {name}", len(entries), unit="label"))
    return LabelCounts(dataset.where(name), np.stack(counted), dataset.classes, dataset.ignore_label)
