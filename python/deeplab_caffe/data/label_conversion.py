"""Converts label files: other values, and plain 8-bit grey, which a C++ Caffe reads as the indices themselves."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..files import cpus
from ..progress import tracked
from .cityscapes import TRAIN_IDS
from .labels import Label, read_label, write_grey_label

#: id → train id of Cityscapes' 19 classes; all other ids are 255
CITYSCAPES = TRAIN_IDS


def value_table(changed: Mapping[int, int], subtract: int = 0, others: int | None = None) -> Label:
    """The new value of each value, (256,) uint8.

    Args:
        changed: old → new values.
        subtract: from all other values but 255; values below 0 or above 255 become 255.
        others: the new value of all values that are not in `changed`; None: they stay.
    """
    table = np.arange(256) - subtract
    table[(table < 0) | (table > 255)], table[255] = 255, 255
    if others is not None:
        table[:] = others
    for old, new in changed.items():
        table[old] = new
    return table.astype(np.uint8)


def convert_labels(folder: str | os.PathLike[str], output: str | os.PathLike[str], table: Label) -> int:
    """Write every PNG in a folder and its subfolders with other values, as 8-bit grey PNGs, to another folder.

    Args:
        folder: of label files.
        output: where the new files go, under the same relative paths.
        table: (256,), the new value of each value.

    Returns:
        The number of files.

    Raises:
        InputError: there are no label files, one is not a label file, or the folders are the same.
    """
    folder, output = Path(folder), Path(output)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected a folder of label files (PNG)")
    if output.resolve() == folder.resolve():
        raise InputError(f"{output}: holds the labels to convert; name another folder for the new ones")
    paths = sorted(folder.rglob("*.png"))
    if folder.resolve() in output.resolve().parents:  # those of an earlier call
        paths = [path for path in paths if output.resolve() not in path.resolve().parents]
    if not paths:
        raise InputError(f"{folder}: no label files (PNG)")

    def convert(path: Path) -> None:
        target = output / path.relative_to(folder)
        write_grey_label(target, table[read_label(path)])

    with ThreadPoolExecutor(cpus()) as pool:
        for _ in tracked(pool.map(convert, paths), "labels", len(paths)):
            pass
    return len(paths)
