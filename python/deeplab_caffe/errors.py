"""The exceptions that every part of the package shares: bad input, and a stop that was asked for."""

from __future__ import annotations


class InputError(RuntimeError):
    """Something the user gave cannot be used.

    The message is complete in itself: where (file:line:column, layer, list line), what came, what was wanted
    and what to do. The command line prints it without a traceback and exits with code 2.
    A RuntimeError because that is what pycaffe raises for the same faults.
    """


class Stopped(Exception):
    """Long work was stopped by a signal, after what it had was saved; the message says how to go on.

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
