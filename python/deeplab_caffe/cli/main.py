"""The entry point of `deeplab`: finds the command in the table and runs its module."""

from __future__ import annotations

import argparse
import importlib
import os
import re
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, redirect_stdout
from types import FrameType
from typing import Any

from ..errors import InputError, NotFinite, Stopped, Terminated, stop_code
from ..files import is_standard_output
from ..permission import python_layers
from ..reading import reason_of
from ..spelling import did_you_mean, nearest_word
from .command_table import COMMANDS, Command
from .gflags import run_program
from .parser import Parser
from .stage_flags import STAGES
from .terminal import printable, shortened

_HELP = ("-h", "--help")
#: exit codes of a command that Ctrl-C or SIGTERM stopped
_STOPPED = (130, 143)
#: exit code of a training that is no longer finite
_NOT_FINITE = 3
#: commands whose output is that of the user's script
_OWN_OUTPUT = (["run"],)
_MEMORY = re.compile(r"out of memory|allocate|not enough memory|insufficient memory", re.I)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand.

    Args:
        arguments: the words behind `deeplab`; None: those of this process.

    Returns:
        The exit code: 0; 2 for invalid input; 3 for a training that is no longer finite; 130 if stopped by Ctrl-C,
        143 by SIGTERM; otherwise the command's own.

    Example:
        >>> main(["log", "/no/such.log"])
        2
    """
    os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")  # its warnings name no file; our messages do
    words = list(sys.argv[1:] if arguments is None else arguments)
    with nullcontext() if words[:1] in _OWN_OUTPUT else printable():
        code = _main(words)
    if code in _STOPPED and arguments is None:
        _leave_at_once(code)
    return code


def _main(words: list[str]) -> int:
    if words[:1] == ["--version"]:
        from .. import __version__

        print(__version__)
        return 0
    if words[:1] == ["help"]:
        words = [*words[1:], "--help"]
    if not words or words[0] in _HELP:
        return guarded("deeplab", lambda: print(_overview()) or (0 if words else 2))
    command, rest = _look_up(words)
    if command is None:
        return guarded("deeplab", lambda: _without_command(words))
    with warnings.catch_warnings(), terminating():
        warnings.showwarning = _show_warning
        return guarded("deeplab", lambda: run(f"deeplab {command.name}", command, rest))


def run(program: str, command: Command, words: Sequence[str]) -> int | None:
    """Run one command.

    Args:
        program: the command's name in messages, such as "deeplab train".
        command: its row in the table.
        words: its arguments.

    Returns:
        The command's own exit code; None means 0.
    """
    module = _module(command, words)
    if hasattr(module, "PROGRAM"):
        with python_layers(False):
            return run_program(module.PROGRAM, module.run, words)
    parser = parser_of(program, command, module)
    parsed = parser.parse_args(words)
    with python_layers(getattr(parsed, "allow_python_layers", False)), _messages_apart_from(parsed):
        code: int | None = module.run(parsed)
    return code


def _module(command: Command, words: Sequence[str]) -> Any:
    """The module of `commands/` that runs a command with these words."""
    module = importlib.import_module(f".commands.{command.module}", __package__)
    return module.serving(words) if hasattr(module, "serving") else module


def parser_of(program: str, command: Command, module: Any = None) -> Parser:
    """The parser of a command's flags.

    Args:
        program: the command's name in messages.
        command: its row in the table; not one of Caffe's programs, whose flags are those of `gflags`.
        module: of the two modules that share a command, the one to ask; None: the one for a call without words.
    """
    parser = Parser(prog=program)
    fill(parser, command, _module(command, []) if module is None else module)
    return parser


def fill(parser: Parser, command: Command, module: Any) -> None:
    """Add the description and the flags of a command to an empty parser."""
    parser.description = f"{command.help[0].upper()}{command.help[1:]}."
    parser.set_defaults(command=command.name)
    module.add_arguments(parser)


def command_modules(command: Command) -> list[Any]:
    """The modules that serve a command: one, or also that of the stage of its name."""
    stage = ["run_stages"] if command.name in STAGES and command.module != "run_stages" else []
    return [_module(command, []), *(importlib.import_module(f".commands.{name}", __package__) for name in stage)]


def _messages_apart_from(parsed: argparse.Namespace) -> AbstractContextManager[Any]:
    """A context in which messages go to stderr if a command writes a file to `/dev/stdout`."""
    outputs = [getattr(parsed, name, None) for name in ("output", "csv", "json", "plot", "markdown")]
    mixed = any(isinstance(path, str) and "\0" not in path and is_standard_output(path) for path in outputs)
    return redirect_stdout(sys.stderr) if mixed else nullcontext()


def guarded(program: str, function: Callable[[], int | None]) -> int:
    """Call a function that returns an exit code, and turn its exceptions into messages and exit codes.

    Invalid input (InputError, OSError) and too little memory become one line on stderr and 2, a training that is no
    longer finite one and 3. A stop becomes 130 or 143. Other exceptions are bugs and pass through.

    Args:
        program: the name in front of messages.
    """
    try:
        return function() or 0
    except InputError as error:
        print(f"{program}: error: {shortened(str(error))}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of the output, such as `head`, has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"{program}: error: {where}{error.strerror or error}", file=sys.stderr)
        return 2
    except (MemoryError, RuntimeError, ValueError) as error:
        message = _input_fault(error)
        if not message:
            raise
        print(f"{program}: error: {message}", file=sys.stderr)
        return 2
    except NotFinite as error:
        print(f"{program}: error: {error}", file=sys.stderr)
        return _NOT_FINITE
    except Stopped as stop:
        print(stop, file=sys.stderr)
        return stop.code
    except KeyboardInterrupt as stop:
        print(f"{program}: interrupted", file=sys.stderr)
        return stop_code(stop)


def _input_fault(error: Exception) -> str:
    """The message for an exception that is no bug: too little memory, or a zero byte in a path; otherwise empty."""
    if isinstance(error, MemoryError) or _MEMORY.search(str(error)):  # libraries have several errors for this
        return f"out of memory: {reason_of(error)}"
    return "the path of a file contains a zero byte" if "embedded null" in str(error) else ""


@contextmanager
def terminating() -> Iterator[None]:
    """A context in which SIGTERM ends the work like Ctrl-C: what was begun is tidied up."""

    def end(number: int, frame: FrameType | None) -> None:
        raise Terminated

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _leave_at_once(code: int) -> None:
    """End this process within two seconds, even if a thread hangs, for example on an unresponsive disk."""
    deadline = time.monotonic() + 2
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    """Print a warning as one line, without the source location."""
    print(f"deeplab: warning: {message}", file=sys.stderr)


def _look_up(words: list[str]) -> tuple[Command | None, list[str]]:
    """The command named by the first two words or by the first one, and the remaining words."""
    for length in (2, 1):
        command = COMMANDS.get(" ".join(words[:length]))
        if command is not None and len(words) >= length:
            return command, words[length:]
    return None, words


def _without_command(words: Sequence[str]) -> int:
    """List the commands that begin with the first word, such as `weights`, or report an unknown command."""
    members = [command for command in COMMANDS.values() if command.name.startswith(f"{words[0]} ")]
    if not members:
        near = did_you_mean(words[0], [name.partition(" ")[0] for name in COMMANDS])
        print(f"deeplab: error: unknown command '{words[0]}'{near or '; see `deeplab --help`'}", file=sys.stderr)
        return 2
    if len(words) == 1 or words[1] in (*_HELP, "help"):
        width = max(len(command.name) for command in members)
        rows = [f"  {command.name:{width}s}  {command.help}" for command in members]
        print("\n".join([f"usage: deeplab {words[0]} COMMAND ...", "", *rows]))
        return 0 if len(words) > 1 else 2
    names = {command.name.partition(" ")[2]: command.name for command in members}
    nearest = nearest_word(words[1], list(names))
    hint = f"did you mean '{names[nearest]}'?" if nearest else f"the commands are {', '.join(names.values())}"
    print(f"deeplab: error: unknown command '{words[0]} {words[1]}'; {hint}", file=sys.stderr)
    return 2


def _overview() -> str:
    """What `deeplab --help` prints."""
    lines = ["usage: deeplab COMMAND ...", "", "DeepLab and the Caffe it needs, on PyTorch."]
    group = ""
    width = max(map(len, COMMANDS))
    for command in COMMANDS.values():
        if command.group != group:
            group = command.group
            lines += ["", f"{group}:"]
        lines.append(f"  {command.name:{width}s}  {command.help}")
    return "\n".join([*lines, "", "For details: deeplab COMMAND --help"])
