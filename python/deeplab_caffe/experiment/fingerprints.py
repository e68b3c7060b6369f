"""Hashes of everything a stage depends on."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..formats import schema
from ..formats.messages import to_message
from ..formats.prototxt import Document

#: solver fields that affect logging and snapshots but not the result
_NOT_LEARNED = ("display", "snapshot", "snapshot_format", "snapshot_diff", "debug_info", "solver_mode", "device_id")


def fingerprint(inputs: Iterable[Any]) -> str:
    """A hash of files and other values.

    Args:
        inputs: Path: hashed by name and content, or as absent; anything else: hashed as JSON.

    Example:
        >>> fingerprint(["a", 1]) == fingerprint(["a", 1]) != fingerprint(["a", 2])
        True
    """
    total = hashlib.sha256()
    for item in inputs:
        if isinstance(item, Path):
            total.update(f"{item.name} {_content(item)}\n".encode())
        else:
            total.update(f"{json.dumps(item, sort_keys=True, default=str)}\n".encode())
    return total.hexdigest()


def _content(path: Path) -> str:
    if not path.is_file():
        return "absent"
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else _digest(file)


def _digest(file: Any) -> str:
    """hashlib.file_digest for Python 3.10."""
    total = hashlib.sha256()
    while block := file.read(1 << 20):
        total.update(block)
    return total.hexdigest()


def net_meaning(path: Path) -> str:
    """A hash of a net's prototxt without comments and layout, which may be edited without effect."""
    return _meaning(path, schema.NetParameter())


def solver_meaning(path: Path) -> str:
    """A hash of the fields of a solver's prototxt that affect the result."""
    return _meaning(path, schema.SolverParameter(), ignore=_NOT_LEARNED)


def _meaning(path: Path, message: Any, ignore: Sequence[str] = ()) -> str:
    try:
        to_message(Document.read(path), message)
    except InputError:
        return fingerprint([path])
    for field in ignore:
        message.ClearField(field)
    return hashlib.sha256(message.SerializeToString(deterministic=True)).hexdigest()


def file_states(paths: Iterable[str]) -> str:
    """A hash of the sizes and modification times of many files, which are not read."""
    total = hashlib.sha256()
    for path in paths:
        try:
            state = os.stat(path)
            total.update(f"{path} {state.st_size} {state.st_mtime_ns}\n".encode())
        except OSError:
            total.update(f"{path} absent\n".encode())
    return total.hexdigest()
