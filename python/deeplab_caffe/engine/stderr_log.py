"""Keeps the standard error output of a C++ library in a log file."""

from __future__ import annotations

import os
import subprocess
import sys
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


@contextmanager
def stderr_appended_to(path: Path) -> Iterator[TextIO]:
    """A context in which standard error, also of C++ code, is appended to a file.

    On a terminal only warnings and errors are still shown. A separate process does the copying, because C++ code may
    hold Python's lock while it writes, or may end this process.

    Args:
        path: the log file; its folder is created.

    Yields:
        A stream to the original standard error.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    shown = os.fdopen(os.dup(2), "w")
    show_all = "0" if shown.isatty() else "1"
    command = [sys.executable, "-c", _COPY, str(path), show_all]
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
