"""Which Caffe runs the nets: the embedded one, or an installed pycaffe.

Code above this package uses pycaffe's names on the chosen module, `caffe()`. What the two do differently (devices,
training with logs, progress and signals) are methods of the chosen engine, `current()`.
"""

from __future__ import annotations

import builtins
import functools
import importlib
import os
import runpy
import shutil
import sys
import tokenize
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

from ..caffe.solver.shown import Displayed, Tested
from ..errors import InputError
from ..reading import reading
from .interface import Beginning, Engine, Training, Validation, Watcher
from .python2 import python2 as said_of_python2
from .python2_translation import translate

__all__ = [
    "Beginning",
    "Displayed",
    "Engine",
    "Tested",
    "Training",
    "Validation",
    "Watcher",
    "caffe",
    "choose",
    "current",
    "install_as_caffe",
    "is_embedded",
    "replace_by_installed",
    "run_script",
]

_VARIABLE = "DEEPLAB_CAFFE"
#: name of an engine → its module and class
_ENGINES = {"embedded": ("embedded", "Embedded"), "system": ("system", "System")}


def is_embedded() -> bool:
    """Whether the embedded Caffe is chosen (the default).

    Raises:
        InputError: the environment variable DEEPLAB_CAFFE names no engine.
    """
    which = os.environ.get(_VARIABLE) or "embedded"
    if which not in _ENGINES:
        raise InputError(f"{_VARIABLE} is '{which}'; expected {' or '.join(_ENGINES)}")
    return which == "embedded"


def choose(which: str) -> None:
    """Choose the engine for this process and its child processes.

    Args:
        which: "embedded" or "system".
    """
    os.environ[_VARIABLE] = which


def current() -> Engine:
    """The chosen engine; InputError if an installed Caffe is chosen but cannot be imported."""
    return _engine("embedded" if is_embedded() else "system")


@functools.cache
def _engine(which: str) -> Engine:
    """The only engine of its kind; it keeps the chosen devices and precision."""
    module, name = _ENGINES[which]
    engine: Engine = getattr(importlib.import_module(f".{module}", __name__), name)()
    return engine


def caffe() -> ModuleType:
    """The chosen Caffe as a module with pycaffe's names: the embedded one, or with DEEPLAB_CAFFE=system the installed.

    Example:
        >>> caffe().__name__
        'deeplab_caffe.caffe'
    """
    return current().caffe


def install_as_caffe() -> None:
    """Make `import caffe` in this process import the embedded Caffe, so that scripts for pycaffe run unchanged."""
    importlib.import_module("..caffe.alias", __name__).install()


def replace_by_installed(program: str, words: Sequence[str]) -> None:
    """Replace this process by a program of the installed Caffe.

    Args:
        program: name of the program, such as "caffe".
        words: its arguments.

    Raises:
        InputError: the program is not on PATH. This project's scripts of the same name do not count.
    """
    folders = os.environ.get("PATH", "").split(os.pathsep)
    found = [path for folder in folders if (path := shutil.which(program, path=folder))]
    path = next((path for path in found if not (Path(path).resolve().parent / "_run.py").exists()), None)
    if path is None:
        raise InputError(f"{_VARIABLE}=system, but no installed program '{program}' is on PATH")
    sys.stdout.flush()
    os.execv(path, [path, *words])


def _not_python(path: str, error: SyntaxError) -> InputError:
    place = f"{path}:{error.lineno}" if error.lineno and error.filename else path
    return InputError(said_of_python2(error) or f"{place}: not a Python 3 script: {error.msg}")


def _translated(path: str) -> Callable[[], object]:
    """What runs a script of Python 2, translated."""
    with reading(path, damaged="cannot be read as a Python script"), tokenize.open(path) as file:
        text = file.read()
    found = translate(text, path)
    print(f"{path}: {found}", file=sys.stderr)
    space = {"__name__": "__main__", "__file__": path, "__builtins__": builtins}
    return lambda: exec(compile(found.text, path, "exec"), space)


def run_script(path: str, arguments: Sequence[str] = (), python2: bool = False) -> None:
    """Run a Python script written for pycaffe like the interpreter does; its `import caffe` imports the chosen Caffe.

    Args:
        path: the script.
        arguments: its command-line arguments.
        python2: translate it from Python 2 first, in memory; what changed is said on standard error. Modules that it
            imports are not translated.

    Raises:
        InputError: the script does not exist, or is Python 2 (with `python2`: is not Python 2, or fissix is not
            installed).
        SystemExit: the script's own, or 1 after the traceback of an exception in it.
    """
    if not os.path.isfile(path):
        what = "expected a script but got a folder" if os.path.isdir(path) else "the script does not exist"
        raise InputError(f"Could not open file {path}: {what}")
    if is_embedded():
        install_as_caffe()
    run = _translated(path) if python2 else functools.partial(runpy.run_path, path, run_name="__main__")
    before = sys.argv, sys.path
    sys.argv = [path, *arguments]
    sys.path = [os.path.dirname(os.path.abspath(path)), *sys.path]
    try:
        run()
    except SyntaxError as error:
        if error.filename in (None, path):  # of the script itself, which has not begun
            raise _not_python(path, error) from None
        traceback.print_exc()
        raise SystemExit(1) from None
    except Exception as error:
        if said := said_of_python2(error):
            raise InputError(said) from None
        traceback.print_exc()
        raise SystemExit(1) from None
    finally:
        sys.argv, sys.path = before
