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
    """Let a thread of its own wait for Ctrl-C and end the process.

    A handler would run in the main thread, at its next turn: where the signal came to another thread, which may be, the
    main thread sleeps on until the editor says something. Windows has no threads that wait for signals, and a handler.
    """
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        threading.Thread(target=_wait_for_interrupt, daemon=True).start()


def _wait_for_interrupt() -> NoReturn:
    signal.sigwait({signal.SIGINT})
    os._exit(0)
