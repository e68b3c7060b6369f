"""The exceptions that every part of the package shares: bad input, and a stop that was asked for."""

from __future__ import annotations


class InputError(RuntimeError):
    """Something the user gave cannot be used.

    The message is complete in itself: where (file:line:column, layer, list line), what came, what was wanted
    and what to do. The command line prints it without a traceback and exits with code 2.
    A RuntimeError because that is what pycaffe raises for the same faults.
    """


class Stopped(Exception):
    """Long work was stopped by a signal, after what it had was saved; the message says how to go on."""


class NotFinite(Exception):
    """Training was stopped because its loss or a parameter is no longer finite; the message says where and what to try.

    The command line prints it and exits with code 3.
    """
