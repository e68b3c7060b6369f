"""`import caffe` giving the embedded Caffe, for old scripts and for layers written in Python."""

from __future__ import annotations

import importlib
import importlib.abc
import sys
from typing import Any

_EMBEDDED = __package__
#: pycaffe's modules; `caffe.layers` is none of them, but an object of `caffe`
_MODULES = (
    "proto", "proto.caffe_pb2", "io", "draw", "net_spec", "classifier", "detector", "coord_map", "pycaffe",
)  # fmt: skip


class _NoOtherModules(importlib.abc.MetaPathFinder):
    """Keeps `import caffe.x` from loading parts of the embedded Caffe a second time under another name."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name.startswith("caffe.") and is_installed():
            raise ModuleNotFoundError(f"the embedded Caffe has no module '{name}'", name=name)


def install() -> None:
    """Let `import caffe` in this process give the embedded Caffe."""
    sys.modules["caffe"] = importlib.import_module(_EMBEDDED)
    for name in _MODULES:
        sys.modules[f"caffe.{name}"] = importlib.import_module(f"{_EMBEDDED}.{name}")
    sys.modules["caffe._caffe"] = sys.modules["caffe.pycaffe"]  # the compiled half of pycaffe, which scripts reach into
    if not any(isinstance(finder, _NoOtherModules) for finder in sys.meta_path):
        sys.meta_path.insert(0, _NoOtherModules())


def is_installed() -> bool:
    """Whether `import caffe` gives the embedded Caffe now."""
    return getattr(sys.modules.get("caffe"), "__name__", "") == _EMBEDDED


def uninstall() -> None:
    """Let the next `import caffe` look for an installed one, if it gave the embedded Caffe."""
    if is_installed():
        for name in ("caffe", "caffe._caffe", *(f"caffe.{module}" for module in _MODULES)):
            sys.modules.pop(name, None)
