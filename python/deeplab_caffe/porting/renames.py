"""Renames of layers, from the command line or a file: `old=new`, or a line `old new` each."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ..errors import InputError


def read_renames(path: str | os.PathLike[str] | None, given: Iterable[str] = ()) -> dict[str, str]:
    """Old name → new name, from a file (with # comments) and from words `old=new`, which win."""
    renames: dict[str, str] = {}
    if path is not None:
        try:
            lines = Path(path).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: cannot be read: {error}") from None
        for number, line in enumerate(lines, 1):
            words = line.partition("#")[0].split()
            if words and len(words) != 2:
                raise InputError(f"{path}:{number}: got '{line.strip()}'; wanted two names, `old new`")
            if words:
                renames[words[0]] = words[1]
    for word in given:
        old, equals, new = word.partition("=")
        if not (old and equals and new):
            raise InputError(f"--rename: got '{word}'; wanted OLD=NEW")
        renames[old] = new
    return renames
