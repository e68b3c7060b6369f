"""Hashes of everything a stage depends on."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..files import write_text
from ..formats import schema
from ..formats.messages import to_message
from ..formats.prototxt import Document
from ..progress import tracked
from ..reading import read_json
from ..threads import mapped

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
            total.update(f"{item.name} {content_hash(item)}\n".encode("utf-8", "surrogateescape"))
        else:
            total.update(f"{json.dumps(item, sort_keys=True, default=str)}\n".encode())
    return total.hexdigest()


def content_hash(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal; "absent" if it does not exist."""
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


def solver_meaning(path: Path, net: Path | None = None) -> str:
    """A hash of the fields of a solver's prototxt that affect the result.

    Args:
        net: what counts as the place of its training net, which may lie elsewhere now; None: where it is.
    """
    stated = {} if net is None else {"train_net": net.as_posix()}
    return _meaning(path, schema.SolverParameter(), ignore=_NOT_LEARNED, stated=stated)


def _meaning(path: Path, message: Any, ignore: Sequence[str] = (), stated: Mapping[str, str] | None = None) -> str:
    try:
        to_message(Document.read(path), message)
    except InputError:
        return fingerprint([path])
    for field in ignore:
        message.ClearField(field)
    for field, value in (stated or {}).items():
        if message.HasField(field):
            setattr(message, field, value)
    return hashlib.sha256(message.SerializeToString(deterministic=True)).hexdigest()


def file_states(paths: Iterable[str]) -> str:
    """A hash of the sizes and modification times of many files, which are not read."""
    total = hashlib.sha256()
    for path in paths:
        total.update(f"{path} {_state(path) or 'absent'}\n".encode("utf-8", "surrogateescape"))
    return total.hexdigest()


def file_contents(paths: Iterable[str], cache: Path) -> str:
    """A hash of the contents of many files, not of their names.

    Args:
        paths: the files, in order; one that cannot be read counts as absent.
        cache: JSON file with the hash of each file as of its size and modification time, so that only files that have
            changed are read again.
    """
    listed = list(dict.fromkeys(paths))
    known = _read_cache(cache)
    states = {path: _state(path) for path in listed}
    new = [path for path in listed if states[path] and known.get(path, [None])[0] != states[path]]
    if new:
        known |= {path: [str(states[path]), digest] for path, digest in zip(new, _contents(new), strict=True)}
        write_text(cache, json.dumps(known) + "\n")
    return fingerprint(known[path][1] if states[path] else "absent" for path in listed)


def _contents(paths: Sequence[str]) -> list[str]:
    return list(tracked(mapped(content_hash, map(Path, paths)), "files read", len(paths), unit="file"))


def _state(path: str) -> str | None:
    """Size and modification time of a file; None if there is no such file."""
    try:
        state = os.stat(path)
    except (OSError, ValueError):  # a name that cannot exist
        return None
    return f"{state.st_size} {state.st_mtime_ns}"


def _read_cache(path: Path) -> dict[str, list[str]]:
    """{file: [state, hash]}; empty if there is none, or it is damaged."""
    try:
        found = read_json(path)
        return {name: [str(state), str(digest)] for name, (state, digest) in found.items()}
    except (InputError, ValueError, TypeError, AttributeError):
        return {}
