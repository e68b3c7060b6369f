"""Files written so that a failure never leaves half of one behind, wherever they lead; and how many processors.

What is written has to be a plain file to be replaced as a whole. Links are followed. What is no plain file (a device, a
pipe, `/dev/stdout`), or must stay the file that it is, gets the finished content at the end.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from .errors import InputError
from .temporary_files import remove_dead_leftovers, temporary_name, unfinished

_LINKS = 40  # that are followed
#: the folders in which a process finds its open files by number
_OPEN_FILES = re.compile(r"/dev/fd|/proc/(\d+)(/task/\d+)?/fd")


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path; what it holds becomes the file `path` if the block succeeds, else it is removed.

    A plain file is replaced as a whole: the temporary file lies in its folder and is renamed. It keeps its mode and
    owner; a new one gets what the umask leaves. A link is followed. Devices, pipes and `/dev/stdout` get the content
    at the end, and so does a file that cannot be replaced: another owner's, or one in a folder that cannot be written.
    The temporary name keeps the file's suffix, so that writers which choose the format by suffix work.

    Raises:
        OSError: `path` is a folder or a socket, or cannot be written.

    Example:
        >>> with replacing(os.devnull) as temporary:
        ...     _ = temporary.write_text("gone")
    """
    if os.fspath(path) in unfinished:  # a writer within the block of another
        yield Path(path)
        return
    if os.fspath(path).endswith("/"):
        raise IsADirectoryError(errno.EISDIR, "names a folder; expected a file to write", os.fspath(path))
    _make_folder(Path(path).parent)
    target = _target(Path(path))
    temporary = _new_temporary(target)
    try:
        rights = temporary.stat().st_mode
        yield temporary
        if temporary.stat().st_mode != rights:  # some libraries put a file of their own in its place
            os.chmod(temporary, stat.S_IMODE(rights))
        _put(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
        unfinished.discard(os.fspath(temporary))


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise NotADirectoryError(errno.ENOTDIR, "is not a folder", error.filename) from None


def put(finished: Path, path: str | os.PathLike[str]) -> None:
    """Move a finished file to `path`, by the rules of `replacing`."""
    _put(finished, _target(Path(path)))
    finished.unlink(missing_ok=True)


@contextlib.contextmanager
def new_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield an empty temporary folder; it gets the name `path`, which no file may have, if the block succeeds.

    What processes that were killed left of such folders is removed.
    """
    target = Path(os.path.realpath(path))
    with _folder_beside(target) as temporary:
        yield temporary
        temporary.rename(target)


@contextlib.contextmanager
def temporary_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield an empty folder for what will be put into the folder `path`; it is removed at the end.

    It lies beside that folder, or within it where nothing may be made beside it. What processes that were killed left
    of such folders is removed.
    """
    target = Path(os.path.realpath(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    is_open = os.access(target.parent, os.W_OK | os.X_OK)
    with _folder_beside(target if is_open else target / target.name) as temporary:
        yield temporary


@contextlib.contextmanager
def _folder_beside(place: Path) -> Iterator[Path]:
    """Yield an empty folder with a temporary name beside `place`; unless it was renamed, it is removed at the end."""
    place.parent.mkdir(parents=True, exist_ok=True)
    remove_dead_leftovers(place.parent, place.stem)
    temporary = temporary_name(place)
    unfinished.add(os.fspath(temporary))
    try:
        temporary.mkdir()
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        unfinished.discard(os.fspath(temporary))


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write `text` as UTF-8 to `path`, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Write bytes to a file, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def check_not_an_input(output: str | os.PathLike[str], inputs: Iterable[str | os.PathLike[str]]) -> None:
    """Raise InputError where an output of another format would replace a file that was read."""
    for name in inputs:
        if os.path.exists(output) and os.path.exists(name) and os.path.samefile(output, name):
            raise InputError(f"{output}: is also the input; choose another output file")


def is_stream(path: str | os.PathLike[str]) -> bool:
    """Whether a path leads to a device, a pipe or an open file such as `/dev/stdout`: it cannot be read back."""
    place, descriptor = _followed(Path(path))
    mode = place.stat().st_mode if descriptor is None and place.exists() else 0
    return descriptor is not None or stat.S_ISCHR(mode) or stat.S_ISBLK(mode) or stat.S_ISFIFO(mode)


def is_standard_output(path: str | os.PathLike[str]) -> bool:
    """Whether a path such as `/dev/stdout` leads to the standard output of this process."""
    return _followed(Path(path))[1] == 1


def check_folder(folder: str | os.PathLike[str]) -> None:
    """Raise OSError unless files can be made in a folder, which is made with the first one; writes nothing."""
    place = Path(folder).absolute()
    while not os.path.lexists(place):
        place = place.parent
    if not place.is_dir():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), os.fspath(place))
    if not os.access(place, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), os.fspath(place))


# -- where a path leads


@dataclass(frozen=True)
class _Target:
    """Where a path leads.

    status: of the file that is there, if any; descriptor: that of this process's open file, for `/dev/stdout` and
    its like.
    """

    path: Path
    status: os.stat_result | None
    descriptor: int | None = None

    @property
    def is_replaced(self) -> bool:
        """Whether a new file gets this one's name."""
        return self.descriptor is None and (self.status is None or stat.S_ISREG(self.status.st_mode))


def _target(path: Path) -> _Target:
    """Follow links; refuse what cannot be written like a file."""
    place, descriptor = _followed(path)
    if descriptor is not None:
        return _Target(place, None, descriptor)
    try:
        status = place.stat()
    except FileNotFoundError:
        return _Target(place, None)
    for is_such, number, kind in (
        (stat.S_ISDIR, errno.EISDIR, "folder"),
        (stat.S_ISSOCK, errno.ENXIO, "socket"),
    ):
        if is_such(status.st_mode):
            raise OSError(number, f"is a {kind}; expected a file to write", os.fspath(path))
    return _Target(place, status)


def _followed(path: Path) -> tuple[Path, int | None]:
    """The end of a chain of links, or an open file of a process, with its number where it is this process's."""
    place = path
    for _ in range(_LINKS):
        folder = _OPEN_FILES.fullmatch(os.path.realpath(place.parent))
        if folder and place.name.isdigit():
            return place, int(place.name) if folder[1] in (None, str(os.getpid())) else None
        if not place.is_symlink():
            return place, None
        place = place.parent / os.readlink(place)
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), os.fspath(path))


def _put(temporary: Path, target: _Target) -> None:
    if target.is_replaced:
        try:
            _keep_rights(temporary, target.status)
            os.replace(temporary, target.path)
            return
        except OSError as error:
            # The owner cannot be kept; or the file is a mount of its own, or the temporary file lies elsewhere.
            if target.status is None or error.errno not in (errno.EPERM, errno.EINVAL, errno.EBUSY, errno.EXDEV):
                raise
    with temporary.open("rb") as content, _opened(target) as file:
        shutil.copyfileobj(content, file, 1 << 20)


def _keep_rights(temporary: Path, status: os.stat_result | None) -> None:
    """Give a file owner and mode of the one that it replaces."""
    if status is None:
        return
    own = temporary.stat()
    if (own.st_uid, own.st_gid) != (status.st_uid, status.st_gid):
        os.chown(temporary, status.st_uid, status.st_gid)
    os.chmod(temporary, stat.S_IMODE(status.st_mode))


def _opened(target: _Target) -> BinaryIO:
    if target.descriptor is None:
        return os.fdopen(os.open(target.path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC), "wb")
    for stream in (sys.stdout, sys.stderr):  # whatever was printed comes first
        if stream is not None:
            stream.flush()
    try:
        return os.fdopen(os.dup(target.descriptor), "wb")
    except OSError as error:
        raise OSError(error.errno, error.strerror, os.fspath(target.path)) from None


# -- temporary files


def _new_temporary(target: _Target) -> Path:
    """An empty temporary file: beside the target where it is to be renamed."""
    if target.is_replaced:
        try:
            return _new_beside(target)
        except PermissionError:
            if target.status is None or not os.access(target.path, os.W_OK):
                raise
        except FileNotFoundError:
            raise OSError(errno.ENOENT, "its folder does not exist", os.fspath(target.path)) from None
    handle, name = tempfile.mkstemp(prefix="deeplab-", suffix=target.path.suffix)
    os.close(handle)
    unfinished.add(name)
    return Path(name)


def _new_beside(target: _Target) -> Path:
    rights = 0o666 if target.status is None else 0o600  # the system takes the umask off
    while True:
        path = temporary_name(target.path)
        unfinished.add(os.fspath(path))
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, rights))
            return path
        except FileExistsError:
            continue
        except OSError:
            unfinished.discard(os.fspath(path))
            raise


# -- the machine


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


def cpus() -> int:
    """The number of processors that this process may use, at least 1: its CPU affinity where the system has one."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
