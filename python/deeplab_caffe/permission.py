"""Whether nets may import, that is run, the modules that their Python layers name.

A prototxt names a module and a class, so building a net from it runs that module's code. A program that uses the API
runs its own code anyway, so there Python layers are allowed, as in pycaffe; the command-line tools refuse them without
--allow-python-layers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

_allowed = True


def allow_python_layers(allowed: bool = True) -> None:
    """Set whether nets may import the modules that their Python layers name (allowed by default in the API)."""
    global _allowed
    _allowed = allowed


def python_layers_allowed() -> bool:
    """Whether nets may import the modules that their Python layers name."""
    return _allowed


@contextmanager
def python_layers(allowed: bool) -> Iterator[None]:
    """Allow or refuse Python layers within a `with` block; restore the setting afterwards."""
    before = _allowed
    allow_python_layers(allowed)
    try:
        yield
    finally:
        allow_python_layers(before)
