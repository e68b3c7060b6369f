"""Which Caffe runs the nets: the embedded one, or a real pycaffe where one is installed.

Whatever stands above speaks to the one that is chosen with pycaffe's names (`caffe()`), and leaves to it
(`current()`) what the two do in different ways: choosing devices, training with logs, progress and signals.
"""

from __future__ import annotations

import functools
import importlib
import os
import runpy
import shutil
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from ..errors import InputError
from .interface import Engine, Training

__all__ = [
    "Engine",
    "Training",
    "caffe",
    "choose",
    "current",
    "install_as_caffe",
    "is_embedded",
    "replace_by_installed",
    "run_script",
]

_VARIABLE = "DEEPLAB_CAFFE"
#: the engines, and the module and class of each
_ENGINES = {"embedded": ("embedded", "Embedded"), "system": ("system", "System")}


def is_embedded() -> bool:
    """Whether the embedded Caffe is chosen; raises InputError for a word that names no engine."""
    which = os.environ.get(_VARIABLE) or "embedded"
    if which not in _ENGINES:
        raise InputError(f"{_VARIABLE} is '{which}', wanted {' or '.join(_ENGINES)}")
    return which == "embedded"


def choose(which: str) -> None:
    """Choose 'embedded' or 'system', for this process and those that it starts."""
    os.environ[_VARIABLE] = which


def current() -> Engine:
    """The engine that is chosen; raises InputError where no real Caffe can be imported though one is wanted."""
    return _engine("embedded" if is_embedded() else "system")


@functools.cache
def _engine(which: str) -> Engine:
    """The one engine of a kind, which keeps what was chosen for it."""
    module, name = _ENGINES[which]
    engine: Engine = getattr(importlib.import_module(f".{module}", __name__), name)()
    return engine


def caffe() -> ModuleType:
    """The embedded Caffe, or the installed one if the environment says DEEPLAB_CAFFE=system."""
    return current().caffe


def install_as_caffe() -> None:
    """Let `import caffe` in this process give the embedded Caffe, so that scripts for pycaffe run unchanged."""
    importlib.import_module("..caffe.alias", __name__).install()


def replace_by_installed(program: str, words: Sequence[str]) -> None:
    """Become a program of the installed Caffe, such as `caffe`, with these words.

    Raises InputError where there is none on PATH; a script of ours that bears the name does not count.
    """
    folders = os.environ.get("PATH", "").split(os.pathsep)
    found = [path for folder in folders if (path := shutil.which(program, path=folder))]
    path = next((path for path in found if not (Path(path).resolve().parent / "_run.py").exists()), None)
    if path is None:
        raise InputError(f"{_VARIABLE}=system, but there is no installed program '{program}' on PATH")
    sys.stdout.flush()
    os.execv(path, [path, *words])


def run_script(path: str, arguments: Sequence[str] = ()) -> None:
    """Run a Python script written for pycaffe as the interpreter would, with `import caffe` giving the chosen Caffe.

    An exception of the script is shown with its traceback and ends in SystemExit(1).
    """
    if not os.path.isfile(path):
        raise InputError(f"Could not open file {path}: there is no such script")
    if is_embedded():
        install_as_caffe()
    before = sys.argv, sys.path
    sys.argv = [path, *arguments]
    sys.path = [os.path.dirname(os.path.abspath(path)), *sys.path]
    try:
        runpy.run_path(path, run_name="__main__")
    except Exception:
        traceback.print_exc()
        raise SystemExit(1) from None
    finally:
        sys.argv, sys.path = before
