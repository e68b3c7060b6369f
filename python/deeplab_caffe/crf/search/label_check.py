"""Looks at the labels before a search: scores on labels that make no sense say nothing about the parameters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...data.label_statistics import LabelCounts, examine
from ...data.labels import check_labels, read_label, value_counts
from ...errors import InputError
from ...threads import mapped
from .items import FileItem


def examine_labels(
    items: Sequence[FileItem], classes: Sequence[str], ignore_label: int | None, where: str
) -> list[str]:
    """Warnings of what may be wrong with the labels of a search.

    Args:
        items: the images that are used.
        classes: the names of the classes.
        ignore_label: the label of pixels that do not count.
        where: the folder of the labels, for messages.

    Raises:
        InputError: a label cannot be read, has a value that is not a class, or there is nothing to score.
    """
    files = np.stack(list(mapped(lambda item: value_counts(read_label(item.label)), items)))
    values = {int(value) for value in np.flatnonzero(files.any(0))}
    bad = [value for value in values if value >= len(classes) and value != ignore_label]
    for item in items if bad else ():
        check_labels(read_label(item.label), len(classes), ignore_label, item.label, values)
    paths = [str(item.label) for item in items]
    found = examine([], [LabelCounts(where, files, classes, ignore_label, trained=False, paths=paths)])
    if found.errors:
        raise InputError("\n".join(found.errors))
    return found.warnings
