"""Files that are written whole or not at all; the number of processors."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path`; rename it to `path` if the block succeeds, else remove it.

    The temporary name keeps the file's suffix, so that writers which choose the format by suffix work. The folder is
    made if it does not exist.

    Example:
        >>> folder = Path(tempfile.mkdtemp())
        >>> with replacing(folder / "result.txt") as temporary:
        ...     _ = temporary.write_text("all of it")
        >>> (folder / "result.txt").read_text()
        'all of it'
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.stem}-", suffix=target.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        os.chmod(temporary, 0o666 & ~_UMASK)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def remove_leftovers(paths: Iterable[Path]) -> None:
    """Remove the temporary files that a killed process left while it wrote these files with `replacing`.

    No other process may be writing them at the same time.
    """
    wanted = set(paths)
    for folder in {path.parent for path in wanted}:
        for found in folder.glob(".*-????????*"):
            match = re.fullmatch(r"\.(.+)-[a-z0-9_]{8}((?:\.[^.]*)?)", found.name)
            if match and folder / f"{match[1]}{match[2]}" in wanted:
                found.unlink(missing_ok=True)


def reserve(path: str | os.PathLike[str], size: int) -> None:
    """Make a file `size` bytes long and reserve the space on the disk.

    Without the reservation the file is sparse, which succeeds on a full disk; the first write to its memory map then
    kills the process.

    Raises:
        OSError: the disk is full.
    """
    with open(path, "r+b") as file:
        file.truncate(size)
        try:
            os.posix_fallocate(file.fileno(), 0, size)
        except AttributeError:  # not available on this system
            pass
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # not supported by this file system
                raise


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write `text` as UTF-8 to `path`, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def cpus() -> int:
    """The number of processors that this process may use, at least 1: its CPU affinity where the system has one."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _read_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


_UMASK = _read_umask()  # once: it can only be read by changing it, for all threads
