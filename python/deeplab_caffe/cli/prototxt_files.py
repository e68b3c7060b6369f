"""The prototxt files that a command line names: files, and folders for all that lie in them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ..errors import InputError

SUFFIX = ".prototxt"


def expanded(names: Iterable[str]) -> Iterator[Path]:
    """Every file named, and every .prototxt in or below a folder named; raises InputError for a folder without any."""
    for name in names:
        path = Path(name)
        if path.is_dir():
            found = sorted(path.rglob(f"*{SUFFIX}"))
            if not found:
                raise InputError(f"{path}: there is no {SUFFIX} file in or below this folder")
            yield from found
        else:
            yield path


def for_each(names: Iterable[str], function: Callable[[Path], bool]) -> int:
    """Call `function` for each file; an exit code: 2 if any could not be read, 1 if any call returned True, else 0.

    What is wrong with a file goes to standard error as one line, and the files after it have their turn.
    """
    failed = found = False
    for path in expanded(names):
        try:
            found |= function(path)
        except InputError as error:
            failed = True
            print(error, file=sys.stderr)
    return 2 if failed else int(found)
