"""Log lines in the form of glog, which Caffe writes and people's parsers read."""

from __future__ import annotations

import inspect
import os
import sys
import threading
import time
from types import ModuleType
from typing import TextIO

_files: list[TextIO] = []
_to_stderr = True
#: stderr gets no lines below this level; every line of ours is INFO, 0
_least_level = int(os.environ.get("GLOG_minloglevel") or 0)  # noqa: SIM112 - glog spells it so


_INFO, _ERROR = 0, 2


def info(message: str) -> None:
    """Log a line: level, date, time with microseconds, thread id, file:line, `]` and the message."""
    _write(_INFO, message)


def error(message: str) -> None:
    """Log a line at the level ERROR."""
    _write(_ERROR, message)


def _write(level: int, message: str) -> None:
    frame = inspect.currentframe()
    for _ in range(2):  # the caller of info or error
        frame = frame.f_back if frame else None
    caller = frame
    place = f"{os.path.basename(caller.f_code.co_filename)}:{caller.f_lineno}" if caller else "?"
    now = time.time()
    stamp = time.strftime("%m%d %H:%M:%S", time.localtime(now))
    line = f"{'IWEF'[level]}{stamp}.{int(now % 1 * 1e6):06d} {threading.get_native_id():5d} {place}] {message}\n"
    for stream in _files:
        stream.write(line)
        stream.flush()
    if _to_stderr and _least_level <= level:
        sys.stderr.write(line)


def add_file(stream: TextIO) -> None:
    """Also write every line to an open file."""
    _files.append(stream)


def remove_file(stream: TextIO) -> None:
    """Undo `add_file`."""
    _files.remove(stream)


def set_stderr(on: bool) -> None:
    """Whether lines go to stderr."""
    global _to_stderr
    _to_stderr = on


def init_log(level: int = 0, stderr: bool = True) -> None:
    """pycaffe's init_log: the least level that stderr gets (0 INFO, 1 WARNING, 2 ERROR), and whether it gets any."""
    global _least_level
    _least_level = level
    set_stderr(stderr)


def number(value: float) -> str:
    """A number as C++ streams print it: six significant digits."""
    return f"{value:g}"


class _CallableModule(ModuleType):
    """pycaffe has a function `caffe.log(message)`; this module, which bears that name, can be called as it."""

    def __call__(self, message: str) -> None:
        info(message)


sys.modules[__name__].__class__ = _CallableModule
