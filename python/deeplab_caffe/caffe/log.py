"""Log lines in the form of glog, which Caffe writes and people's parsers read.

A line says where in Caffe's sources it comes from (`solver.cpp:228]`), for some parsers go by that: callers give the
place that the line has in the Caffe that was recorded, DeepLab v2 on 1.0-rc3. BVLC 1.0 has the same lines elsewhere.
"""

from __future__ import annotations

import getpass
import inspect
import io
import os
import platform
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple, TextIO

from ..lazy import imported_on_use

if TYPE_CHECKING:
    from . import mode
else:
    mode = imported_on_use(f"{__package__}.mode")

_INFO, _WARNING, _ERROR = 0, 1, 2
#: whose lines are written: BVLC Caffe 1.0's, or those of 1.0-rc3 and before, DeepLab's among them
DIALECTS = ("bvlc", "rc3")
_dialect = "bvlc"
#: where lines of 1.0-rc3 are in BVLC 1.0, by file; those that are not here have not moved, or not far
_MOVED = {
    "caffe.cpp": {210: 211, 217: 218, 222: 223},
    "net.cpp": {
        58: 51, 100: 84, 150: 122, 157: 129, 160: 132, 165: 137, 226: 198, 228: 200, 270: 242, 283: 255, 322: 294,
        395: 367, 408: 380, 434: 406, 493: 465, 774: 744,
    },
    "sgd_solver.cpp": {106: 105},
    "solver.cpp": {
        48: 44, 60: 56, 77: 73, 81: 77, 86: 82, 91: 87, 181: 172, 228: 218, 244: 237, 279: 272, 280: 273, 317: 310,
        322: 315, 337: 330, 405: 397, 455: 447,
    },
}  # fmt: skip


class _File(NamedTuple):
    """An open file that gets every line, the details too or not."""

    stream: TextIO | LogFile
    details: bool


_files: list[_File] = []
_to_stderr = True
_details_to_stderr = False
#: stderr gets no lines below this level
_stated = os.environ.get("GLOG_minloglevel", "")  # noqa: SIM112 - glog spells it so
_least_level = int(_stated) if _stated.isdigit() else 0
_said: set[str] = set()


def info(message: str, place: str = "") -> None:
    """Log a line: level, date, time with microseconds, thread id, place, `]` and the message.

    `place` is `file:line` of Caffe's sources; that of the caller if it is not given.
    """
    _write(_INFO, message, place)


def detail(message: str, place: str = "") -> None:
    """Log a line about how a net is built.

    stderr gets them once `init_log` was called, so that programs that build many nets are not flooded.
    """
    if shows_details():
        _write(_INFO, message, place, detail=True)


def shows_details() -> bool:
    """Whether anybody gets the lines of `detail`."""
    on_stderr = _to_stderr and _details_to_stderr and _least_level <= _INFO
    return on_stderr or any(file.details for file in _files)


def detail_once(message: str, place: str = "") -> None:
    """`detail`, but for a message that was not logged so since `init_log`, or the start of the program."""
    if shows_details() and message not in _said:
        _said.add(message)
        detail(message, place)


def warning(message: str, place: str = "") -> None:
    """Log a line at the level WARNING."""
    _write(_WARNING, message, place)


def error(message: str, place: str = "") -> None:
    """Log a line at the level ERROR."""
    _write(_ERROR, message, place)


def _write(level: int, message: str, place: str, detail: bool = False) -> None:
    if level < _ERROR and mode.solver_rank():
        return  # of solvers that train together, only the root logs
    now = time.time()
    # Month and day without the year: the parsers in circulation are older than the glog that writes the year too.
    stamp = time.strftime("%m%d %H:%M:%S", time.localtime(now))
    micro, thread = int(now % 1 * 1e6), threading.get_native_id()
    place = _moved(place) if place else _place_of_caller()
    line = f"{'IWEF'[level]}{stamp}.{micro:06d} {thread:5d} {place}] {message}\n"
    for file in _files:
        if file.details or not detail:
            file.stream.write(line)
            file.stream.flush()
    if _to_stderr and _least_level <= level and (_details_to_stderr or not detail):
        sys.stderr.write(line)


def _moved(place: str) -> str:
    """Where a line of 1.0-rc3 is in the present dialect's Caffe."""
    if _dialect == "rc3":
        return place
    file, line = place.split(":")
    return f"{file}:{_MOVED.get(file, {}).get(int(line), line)}"


def _place_of_caller() -> str:
    """File and line of the first caller outside this module."""
    frame = inspect.currentframe()
    while frame and frame.f_code.co_filename == __file__:
        frame = frame.f_back
    return f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}" if frame else "?"


# -- where lines go


def add_file(stream: TextIO | LogFile, details: bool = False) -> None:
    """Also write every line to an open file, those of `detail` if asked for."""
    _files.append(_File(stream, details))


def remove_file(stream: TextIO | LogFile) -> None:
    """Undo `add_file`."""
    _files[:] = [file for file in _files if file.stream is not stream]


class LogFile:
    """A log file in a folder, named and begun as glog does it, with the link `<program>.INFO` to it; see `add_file`.

    It is made by `open`, with the lines until then: what is refused before anything is computed leaves no file.
    """

    def __init__(self, folder: str | os.PathLike[str], program: str) -> None:
        now, host = time.localtime(), platform.node() or "host"
        name = f"{program}.{host}.{_user()}.log.INFO.{time.strftime('%Y%m%d-%H%M%S', now)}.{os.getpid()}"
        self._path, self._link = Path(folder, name), Path(folder, f"{program}.INFO")
        created = time.strftime("%Y/%m/%d %H:%M:%S", now)
        self._stream: TextIO = io.StringIO()
        self.write(f"Log file created at: {created}\nRunning on machine: {host}\n")
        self.write("Log line format: [IWEF]mmdd hh:mm:ss.uuuuuu threadid file:line] msg\n")

    def write(self, text: str) -> None:
        """Write a part of a line."""
        self._stream.write(text)

    def flush(self) -> None:
        """Hand what was written to the system."""
        self._stream.flush()

    def open(self) -> None:
        """Make the file, unless it is there."""
        if not isinstance(self._stream, io.StringIO):
            return
        before = self._stream.getvalue()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._stream = self._path.open("w", encoding="utf-8", errors="backslashreplace")
        self._stream.write(before)
        if self._link.is_symlink() or not self._link.exists():
            self._link.unlink(missing_ok=True)
            self._link.symlink_to(self._path.name)

    def close(self) -> None:
        """Close the file, if it was made."""
        self._stream.close()


def open_files() -> None:
    """Make the log files that wait for the first forward."""
    for file in _files:
        if isinstance(file.stream, LogFile):
            file.stream.open()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as in some containers
        return str(os.getuid())


def set_stderr(on: bool) -> None:
    """Whether lines go to stderr."""
    global _to_stderr
    _to_stderr = on


@contextmanager
def stderr_set(on: bool) -> Iterator[None]:
    """A context in which lines go to stderr, or do not."""
    before = _to_stderr
    set_stderr(on)
    try:
        yield
    finally:
        set_stderr(before)


@contextmanager
def silent() -> Iterator[None]:
    """A context in which nothing is logged."""
    global _to_stderr
    before = _to_stderr, list(_files)
    _to_stderr = False
    _files.clear()
    try:
        yield
    finally:
        _to_stderr, _files[:] = before


@contextmanager
def warnings_only() -> Iterator[None]:
    """A context in which stderr gets warnings and errors alone."""
    global _least_level
    before = _least_level
    _least_level = max(before, _INFO + 1)
    try:
        yield
    finally:
        _least_level = before


def set_dialect(name: str) -> None:
    """Write the lines of one of DIALECTS."""
    global _dialect
    _dialect = name


def dialect() -> str:
    """Whose lines are written, one of DIALECTS."""
    return _dialect


def init_log(level: int = 0, stderr: bool = True, details: bool = True) -> None:
    """pycaffe's init_log: the least level that stderr gets (0 INFO, 1 WARNING, 2 ERROR), and whether it gets any.

    From then on stderr gets the lines about how nets are built too, unless `details` is False.
    """
    global _least_level, _details_to_stderr
    _least_level, _details_to_stderr = level, details
    _said.clear()
    set_stderr(stderr)


def number(value: float) -> str:
    """A number as C++ streams print it: six significant digits."""
    return f"{value:g}"


class _CallableModule(ModuleType):
    """pycaffe has a function `caffe.log(message)`; this module has that name and can be called like it."""

    def __call__(self, message: str) -> None:
        info(message)


sys.modules[__name__].__class__ = _CallableModule
