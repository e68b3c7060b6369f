"""Locks: while a process writes into a folder, or a file in the making, no other does.

A lock is a file that exists while somebody holds it. It says who: process, computer, command and since when. The
system releases it when its holder ends, however that ends; a file that was left behind is no lock.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shlex
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .errors import InputError

#: name of the lock in a folder
LOCK_FILE = ".deeplab.lock"
_LONGEST_COMMAND = 200


@contextlib.contextmanager
def locked_folder(folder: str | os.PathLike[str], busy: str) -> Iterator[None]:
    """Hold the lock of a folder, which is made; see `locked`. Raises InputError if it is a file."""
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise InputError(f"{os.fspath(folder)}: is a file; wanted a folder") from None
    with locked(Path(folder) / LOCK_FILE, busy):
        yield


@contextlib.contextmanager
def locked(path: str | os.PathLike[str], busy: str) -> Iterator[None]:
    """Hold a lock while the block runs.

    Args:
        path: the lock file; its folder exists.
        busy: begins the message if it is held already, such as "the experiment exper/demo is in use".

    Raises:
        InputError: it is held already; says by which process.
    """
    handle = _acquire(os.fspath(path), busy)
    try:
        yield
    finally:
        _release(os.fspath(path), handle)


def _acquire(path: str, busy: str) -> int:
    """An open lock file that is this process's."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0), 0o666)
        try:
            if not _lock(handle):
                raise InputError(_message(busy, path, _holder(handle)))
            if _is_current(handle, path):
                os.truncate(handle, 0)
                os.pwrite(handle, json.dumps(_own()).encode(), 0)
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # its holder has just removed it


def _lock(handle: int) -> bool:
    """Whether the lock is free; then it is taken."""
    try:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):  # a system or a file system without locks: what the file says counts
        return not _is_alive(_holder(handle))
    return True


def _is_current(handle: int, path: str) -> bool:
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(handle), there)


def _release(path: str, handle: int) -> None:
    with contextlib.suppress(OSError):
        if _is_current(handle, path):
            os.unlink(path)
    os.close(handle)


# -- who holds it


def _own() -> dict[str, Any]:
    program = os.path.basename(sys.argv[0] if sys.argv else "") or "python"
    program = "deeplab" if program == "__main__.py" else program
    command = shlex.join([program, *sys.argv[1:]])[:_LONGEST_COMMAND]
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    return {"pid": os.getpid(), "host": platform.node(), "command": command, "since": since}


def _holder(handle: int) -> dict[str, Any]:
    """What a lock file says; empty if it says nothing yet, or is damaged."""
    try:
        found = json.loads(os.pread(handle, 4096, 0))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_alive(holder: dict[str, Any]) -> bool:
    """Whether a holder may still be running: of another computer that is not known."""
    process = holder.get("pid")
    if not isinstance(process, int) or process <= 0:
        return False
    if holder.get("host") != platform.node():
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _message(busy: str, path: str, holder: dict[str, Any]) -> str:
    if not holder:
        return f"{busy} (process unknown); wait until it has ended"
    said = {key: str(holder.get(key, "?")).encode("ascii", "backslashreplace").decode() for key in _own()}
    printable = {key: "".join(c if c.isprintable() else "?" for c in text) for key, text in said.items()}
    who = "process {pid} on {host}, since {since}: {command}".format(**printable)
    elsewhere = f". If it no longer runs, remove {path}" if holder.get("host") != platform.node() else ""
    return f"{busy} ({who}); wait until it has ended, or end it{elsewhere}"
