"""The exceptions that the whole package shares: invalid input, and a stop that the user asked for."""

from __future__ import annotations


class InputError(RuntimeError, ValueError):
    """Invalid input: a file, an argument or a value that the user gave cannot be used.

    The message is complete in itself: where (file:line:column, layer, line of a list), what was given, what was
    expected, and what to do. The command line prints it without a traceback and exits with code 2.

    It is a RuntimeError because pycaffe raises that for the same faults, and a ValueError because Python does. So code
    that turns a ValueError of its own into another message must let an InputError pass: `except InputError: raise`.
    """


class Stopped(Exception):
    """A signal stopped a long computation, after its state was saved; the message says how to resume.

    The command line exits with `code`: 130 after Ctrl-C (SIGINT), 143 after SIGTERM.
    """

    def __init__(self, message: str, cause: BaseException | int = 130) -> None:
        super().__init__(message)
        self.code = cause if isinstance(cause, int) else stop_code(cause)


class Terminated(KeyboardInterrupt):
    """SIGTERM came: what it interrupts ends as after Ctrl-C."""


def stop_code(stop: BaseException) -> int:
    """The exit code of a program that this ended: 143 for SIGTERM, else 130."""
    return getattr(stop, "code", 143 if isinstance(stop, Terminated) else 130)


class NotFinite(Exception):
    """Training was stopped because its loss or a parameter is no longer finite; the message says where and what to try.

    The command line prints it and exits with code 3.
    """
