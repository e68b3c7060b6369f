"""Which Caffe runs the nets: the embedded one, or a real pycaffe where one is installed."""

from __future__ import annotations

import importlib
import os
import runpy
import sys
import traceback
from collections.abc import Sequence
from types import ModuleType

from .errors import InputError

_EMBEDDED = "deeplab_caffe.caffe"


def caffe() -> ModuleType:
    """The embedded Caffe, or the installed one if the environment says DEEPLAB_CAFFE=system."""
    which = os.environ.get("DEEPLAB_CAFFE", "embedded")
    if which == "embedded":
        return importlib.import_module(_EMBEDDED)
    if which != "system":
        raise InputError(f"DEEPLAB_CAFFE is '{which}', wanted 'embedded' or 'system'")
    try:
        return importlib.import_module("caffe")
    except ImportError as error:
        raise InputError(f"DEEPLAB_CAFFE=system, but no caffe can be imported: {error}") from None


def install_as_caffe() -> None:
    """Let `import caffe` in this process give the embedded Caffe, so that scripts for pycaffe run unchanged."""
    importlib.import_module(f"{_EMBEDDED}.alias").install()


def run_script(path: str, arguments: Sequence[str] = ()) -> None:
    """Run a Python script written for pycaffe as the interpreter would, with `import caffe` giving the embedded one.

    An exception of the script is shown with its traceback and ends in SystemExit(1).
    """
    if not os.path.isfile(path):
        raise InputError(f"Could not open file {path}: there is no such script")
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
