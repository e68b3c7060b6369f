"""`deeplab prototxt serve`: the language server, which an editor starts."""

from __future__ import annotations

import argparse
import importlib.util
import os
import signal
import sys
import threading
from typing import NoReturn

from ...errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Serve an editor over standard input and output, by the Language Server Protocol: mistakes as they are typed, "
        "completion, shapes, renaming and more, for nets and solvers. The editor starts it."
    )
    parser.epilog = "Needs the packages of the extra `editor`: pip install \"deeplab-caffe[editor]\""


def run(arguments: argparse.Namespace) -> NoReturn:
    if importlib.util.find_spec("pygls") is None:
        raise InputError('the language server needs pygls: pip install "deeplab-caffe[editor]"')
    _end_on_interrupt()
    from ...language_server.server import serve

    code = serve(sys.stdin.buffer, sys.stdout.buffer)
    sys.stderr.flush()
    os._exit(code)  # threads may be in the midst of an import or of a shape, or wait for an editor that is silent


def _end_on_interrupt() -> None:
    """Let a thread of its own end the process at Ctrl-C.

    Python's handlers wait for the main thread's next turn, and asyncio's for the end of what it awaits. The number of
    the signal is written to a file at once, whatever all threads do. On Windows asyncio reads that file itself.
    """
    if os.name == "posix":
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing)
        threading.Thread(target=_wait_for_interrupt, args=(reading,), daemon=True).start()


def _wait_for_interrupt(signals: int) -> NoReturn:
    while os.read(signals, 1) != bytes([signal.SIGINT]):
        pass
    os._exit(0)
