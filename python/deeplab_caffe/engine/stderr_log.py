"""Keeps the standard error output of a C++ library in a log file."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

#: copies stdin to a file; also to stderr the lines that are not glog lines of level INFO, or with "1" all lines
_COPY = """
import re, sys
with open(sys.argv[1], "ab", buffering=0) as log:
    for line in sys.stdin.buffer:
        log.write(line)
        if sys.argv[2] == "1" or not re.match(rb"I\\d{4}", line):
            sys.stderr.buffer.write(line)
            sys.stderr.buffer.flush()
"""


_LOSS = re.compile(rb"Iteration (\d+)\b[^=\n]*, loss = (\S+)\n")
_PATIENCE, _PAUSE = 0.5, 0.01  # seconds


class LoggedLoss:
    """Reads the loss that a Caffe displays from its log, of which pycaffe does not tell it.

    Args:
        path: the log file; lines that are there already do not count.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._offset = path, path.stat().st_size if path.exists() else 0

    def at(self, iteration: int) -> float:
        """The loss of an iteration; NaN if its line does not come: another process copies it into the file."""
        end = time.monotonic() + _PATIENCE
        while True:
            with open(self._path, "rb") as file:
                file.seek(self._offset)
                found = [match for match in _LOSS.finditer(file.read()) if int(match[1]) == iteration]
            if found:
                self._offset += found[-1].end()
                return float(found[-1][2])
            if time.monotonic() > end:
                return math.nan
            time.sleep(_PAUSE)


@contextmanager
def stderr_appended_to(path: Path, shows_all: bool) -> Iterator[TextIO]:
    """A context in which standard error, also of C++ code, is appended to a file.

    A separate process does the copying, because C++ code may hold Python's lock while it writes, or may end this
    process.

    Args:
        path: the log file; its folder is created.
        shows_all: whether all lines are still shown, and not only warnings and errors.

    Yields:
        A stream to the original standard error.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()  # it is read before the first line is there
    shown = os.fdopen(os.dup(2), "w")
    command = [sys.executable, "-c", _COPY, str(path), str(int(shows_all))]
    with shown, subprocess.Popen(command, stdin=subprocess.PIPE, stderr=shown, start_new_session=True) as copier:
        assert copier.stdin is not None
        sys.stderr.flush()
        os.dup2(copier.stdin.fileno(), 2)
        copier.stdin.close()
        try:
            yield shown
        finally:
            sys.stderr.flush()
            os.dup2(shown.fileno(), 2)
