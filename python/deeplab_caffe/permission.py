"""Whether nets may import, that is run, the modules that their Python layers name.

A prototxt names a module and a class, so that building a net from it runs that module's code. A program that uses the
API runs code of its own choice anyway, so there Python layers work as in pycaffe; the command-line tools refuse them
unless they are called with --allow-python-layers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

_allowed = True


def allow_python_layers(allowed: bool = True) -> None:
    """Say whether nets may import the modules that their Python layers name (in the API they may from the start)."""
    global _allowed
    _allowed = allowed


def python_layers_allowed() -> bool:
    """Whether nets may import the modules that their Python layers name."""
    return _allowed


@contextmanager
def python_layers(allowed: bool) -> Iterator[None]:
    """Within, what a file names runs only if `allowed`; afterwards as before."""
    before = _allowed
    allow_python_layers(allowed)
    try:
        yield
    finally:
        allow_python_layers(before)
