"""The one exception for bad input, shared by every part of the package."""

from __future__ import annotations


class InputError(RuntimeError):
    """Something the user gave cannot be used.

    The message is complete in itself: where (file:line:column, layer, list line), what came, what was wanted
    and what to do. The command line prints it without a traceback and exits with code 2.
    A RuntimeError because that is what pycaffe raises for the same faults.
    """
