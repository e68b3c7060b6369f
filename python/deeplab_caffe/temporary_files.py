"""Temporary files: their names tell which process writes them, so that what a killed one left can be removed."""

from __future__ import annotations

import os
import platform
import re
import secrets
import shutil
import zlib
from collections.abc import Iterable
from pathlib import Path

#: temporary files that this process is writing
unfinished: set[str] = set()
_LONGEST = 255  # bytes of a file name


def _read_computer() -> str:
    """A number for this computer, or this container on it: within it, process numbers tell processes apart."""
    try:
        space = os.readlink("/proc/self/ns/pid")
    except OSError:  # not on this system
        space = ""
    return f"{zlib.crc32(f'{platform.node()} {space}'.encode()):08x}"


_COMPUTER = _read_computer()
_RANDOM = r"-[0-9a-z_]{8}(?P<suffix>(?:\.[^.]*)?)"
_TEMPORARY = re.compile(rf"(?s)\.(?P<stem>.*)~(?P<pid>\d{{1,9}})-(?P<computer>[0-9a-f]{{8}}){_RANDOM}")
#: what earlier versions named such a file
_OLD_TEMPORARY = re.compile(rf"(?s)\.(?P<stem>.+){_RANDOM}")


def temporary_name(path: Path) -> Path:
    """A new name beside `path` that tells who writes there: `.<stem>~<process>-<computer>-<random><suffix>`."""
    return path.with_name(f"{_beginning(path)}{os.getpid()}-{_COMPUTER}-{secrets.token_hex(4)}{path.suffix}")


def _beginning(path: Path) -> str:
    room = _LONGEST - 1 - 1 - 10 - 1 - 8 - 1 - 8 - len(os.fsencode(path.suffix))
    return f".{os.fsdecode(os.fsencode(path.stem)[: max(room, 0)])}~"


def remove_leftovers(paths: Iterable[Path]) -> None:
    """Remove what processes that were killed left when they wrote these files with `replacing`.

    Nobody may be writing them meanwhile: hold their lock.
    """
    wanted = {(path.parent, _beginning(path), path.suffix) for path in paths}
    for folder in {folder for folder, _, _ in wanted}:
        for found, match in [*_temporaries(folder, _TEMPORARY), *_temporaries(folder, _OLD_TEMPORARY)]:
            if (folder, f".{match['stem']}~", match["suffix"]) in wanted:
                _remove(found)


def remove_dead_leftovers(folder: str | os.PathLike[str], beginning: str = "") -> None:
    """Remove temporary files and folders of files whose names begin so, if their process has certainly ended.

    That is one of this computer that is no longer there, so that others may be writing meanwhile.
    """
    for found, match in _temporaries(Path(folder), _TEMPORARY):
        if match["stem"].startswith(beginning) and match["computer"] == _COMPUTER and _has_ended(match["pid"], found):
            _remove(found)


def _temporaries(folder: Path, pattern: re.Pattern[str]) -> list[tuple[Path, re.Match[str]]]:
    return [(path, match) for path in folder.glob(".*-*") if (match := pattern.fullmatch(path.name))]


def _has_ended(pid: str, temporary: Path) -> bool:
    if int(pid) == os.getpid():  # or an earlier one with this number
        return os.fspath(temporary) not in unfinished
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _remove(temporary: Path) -> None:
    if temporary.is_dir() and not temporary.is_symlink():
        shutil.rmtree(temporary, ignore_errors=True)
    else:
        temporary.unlink(missing_ok=True)
