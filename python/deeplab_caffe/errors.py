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
    """A signal stopped a long computation, after its state was saved; the message says how to resume."""


class NotFinite(Exception):
    """Training was stopped because its loss or a parameter is no longer finite; the message says where and what to try.

    The command line prints it and exits with code 3.
    """
