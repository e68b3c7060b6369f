"""The prototxt files that a command line names, as files or as folders."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ..errors import InputError
from ..formats.bundle import refuse_bundle

SUFFIX = ".prototxt"


def expanded(names: Iterable[str]) -> Iterator[Path]:
    """Yield the named files, and every .prototxt file in or below named folders, but not in hidden ones below.

    Raises:
        InputError: a folder has no such file.
    """
    for name in names:
        path = Path(name)
        if path.is_dir():
            files = sorted(path.rglob(f"*{SUFFIX}"))
            found = [file for file in files if not any(part[0] == "." for part in file.relative_to(path).parts)]
            if not found:
                raise InputError(f"{path}: no {SUFFIX} file in this folder or below")
            yield from found
        else:
            yield path


def for_each(names: Iterable[str], function: Callable[[Path], bool]) -> int:
    """Call a function for each file. An InputError is printed to stderr, and the remaining files are still processed.

    Returns:
        The exit code: 2 if a file was invalid, otherwise 1 if a call returned True, otherwise 0.
    """
    failed = found = False
    for path in expanded(names):
        try:
            refuse_bundle(path, "write its files with `deeplab bundle extract`")
            found |= function(path)
        except InputError as error:
            failed = True
            print(error, file=sys.stderr)
    return 2 if failed else int(found)
