"""What a C++ library writes to standard error, kept in a file."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

#: copies lines to a file; to its own standard error those that are no glog lines of level INFO, or with a 1 all
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
def appended_to(path: Path) -> Iterator[TextIO]:
    """Within, standard error is added to a file, below Python too; on a terminal only warnings and errors are shown.

    Yields a stream to the terminal. The copying is a process of its own: this one may hold Python's lock while C++ code
    writes, or be ended by it.
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
