"""Which Caffe runs the nets: the embedded one, or a real pycaffe where one is installed."""

from __future__ import annotations

import importlib
import os
import sys
from types import ModuleType

from .errors import InputError


def caffe() -> ModuleType:
    """The embedded Caffe, or the installed one if the environment says DEEPLAB_CAFFE=system."""
    which = os.environ.get("DEEPLAB_CAFFE", "embedded")
    if which == "embedded":
        return importlib.import_module("deeplab_caffe.caffe")
    if which != "system":
        raise InputError(f"DEEPLAB_CAFFE is '{which}', wanted 'embedded' or 'system'")
    try:
        return importlib.import_module("caffe")
    except ImportError as error:
        raise InputError(f"DEEPLAB_CAFFE=system, but no caffe can be imported: {error}") from None


def install_as_caffe() -> None:
    """Let `import caffe` in this process give the embedded Caffe, so that scripts for pycaffe run unchanged."""
    embedded = importlib.import_module("deeplab_caffe.caffe")
    for name in ("", ".proto", ".proto.caffe_pb2", ".net_spec"):
        sys.modules[f"caffe{name}"] = importlib.import_module(f"deeplab_caffe.caffe{name}")
    sys.modules["caffe"] = embedded
