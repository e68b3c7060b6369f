"""From the words of a command line to the one module that serves them."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import InputError, Stopped
from ..permission import python_layers
from ..spelling import did_you_mean
from .gflags import run_program
from .table import COMMANDS, Command

#: exit code of what Ctrl-C has stopped
_STOPPED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand; returns the exit code: 0, 2 for bad input, 130 when stopped, else what the command says."""
    os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")  # what it warns of names no file; our own messages do
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["--version"]:
        from .. import __version__

        print(__version__)
        return 0
    if not words or words[0] in ("-h", "--help"):
        print(_overview())
        return 0 if words else 2
    command, rest = _look_up(words)
    if command is None:
        print(f"deeplab: error: there is no command '{words[0]}'{_suggested(words[0])}", file=sys.stderr)
        return 2
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        code = guarded("deeplab", lambda: run(f"deeplab {command.name}", command, rest))
    if code == _STOPPED and arguments is None:
        _leave_at_once(code)
    return code


def run(program: str, command: Command, words: Sequence[str]) -> int | None:
    """Parse `words` as the command's own arguments and do what it does; `program` is its name in messages.

    Returns the command's own exit code, None for 0.
    """
    module = importlib.import_module(f"..{command.module}", __name__)
    module = module.serving(words) if hasattr(module, "serving") else module
    if hasattr(module, "PROGRAM"):
        with python_layers(False):
            return run_program(module.PROGRAM, module.run, words)
    parser = argparse.ArgumentParser(prog=program, description=f"{command.help[0].upper()}{command.help[1:]}.")
    parser.set_defaults(command=command.name)
    module.add_arguments(parser)
    parsed = parser.parse_args(words)
    with python_layers(getattr(parsed, "allow_python_layers", False)):
        code: int | None = module.run(parsed)
    return code


def guarded(program: str, function: Callable[[], int | None]) -> int:
    """Call `function`, which gives the exit code; what the user can mend is one line on stderr and 2, a stop is 130."""
    try:
        return function() or 0
    except InputError as error:
        print(f"{program}: error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # whoever read the output has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"{program}: error: {where}{error.strerror or error}", file=sys.stderr)
        return 2
    except Stopped as stop:
        print(stop, file=sys.stderr)
        return _STOPPED
    except KeyboardInterrupt:
        print(f"{program}: interrupted", file=sys.stderr)
        return _STOPPED


def _leave_at_once(code: int) -> None:
    """End this process if a thread, as one that waits for a dead disk, would hold it up."""
    deadline = time.monotonic() + 2
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    """A warning as one line, without the place in our sources."""
    print(f"deeplab: warning: {message}", file=sys.stderr)


def _look_up(words: list[str]) -> tuple[Command | None, list[str]]:
    """The command of the first two words, or of the first, and the words that are left."""
    for length in (2, 1):
        command = COMMANDS.get(" ".join(words[:length]))
        if command is not None and len(words) >= length:
            return command, words[length:]
    return None, words


def _suggested(word: str) -> str:
    """The end of a message about an unknown command."""
    return did_you_mean(word, [name.partition(" ")[0] for name in COMMANDS], "; `deeplab --help` lists them")


def _overview() -> str:
    """What `deeplab --help` prints."""
    lines = ["usage: deeplab COMMAND ...", "", "DeepLab and the Caffe it needs, on PyTorch."]
    group = ""
    width = max(map(len, COMMANDS))
    for command in COMMANDS.values():
        if command.group != group:
            group = command.group
            lines += ["", f"{group}:"]
        lines.append(f"  {command.name:{width}s} {command.help}")
    return "\n".join([*lines, "", "`deeplab COMMAND --help` tells more."])
