"""Folders and files of results that one stage writes and later stages read."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..data import ListEntry, list_id, list_ids
from ..errors import InputError
from ..reading import read_json as _read_json
from ..reading import reason_of

#: file that is written last into a folder of results
DONE = "done.json"


def unique_ids(entries: Sequence[ListEntry], path: Path) -> list[str]:
    """The id of every entry of a list, which names its results (see `list_ids`).

    Args:
        entries: the entries, in order.
        path: the list's file, for messages.

    Raises:
        InputError: two entries are of the same image.
    """
    seen: dict[str, int] = {}
    for entry, image_id in zip(entries, list_ids(entries), strict=True):
        if image_id in seen:
            raise InputError(
                f"{path}:{entry.line}: duplicate image name '{list_id(entry)}', first used in line "
                f"{seen[image_id]}; result files are named after it, so it must be unique"
            )
        seen[image_id] = entry.line
    return list(seen)


def empty_folder(folder: Path) -> None:
    """Create an empty folder; whatever an earlier run left there is deleted."""
    place = os.path.realpath(folder)  # which a link may name
    shutil.rmtree(place, ignore_errors=True)
    os.makedirs(place, exist_ok=True)


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object that an earlier stage wrote; InputError if it is missing or damaged."""
    if not path.exists():
        raise InputError(f"{path}: cannot read the file: {os.strerror(errno.ENOENT)}; run its stage first")
    try:
        value = _read_json(path)
    except InputError as error:
        reason = reason_of(error.__cause__ or error)
        raise InputError(f"{path}: damaged ({reason}); run the stage that writes it again, with --force") from error
    if not isinstance(value, dict):
        raise InputError(f"{path}: damaged; run the stage that writes it again, with --force")
    return value
