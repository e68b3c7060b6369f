"""The compiled half: layers, logs, checks that end the process."""

from __future__ import annotations

import importlib
import os
import traceback
from pathlib import Path
from typing import Any, NoReturn

from deeplab_caffe.caffe import log as _log
from deeplab_caffe.caffe import mode as _mode
from deeplab_caffe.caffe.layer_types.base import Layer as _EngineLayer
from deeplab_caffe.caffe.net import graph as _net_graph
from deeplab_caffe.formats.definition import read_definition as _read_definition
from deeplab_caffe.formats.definition import read_solver as _read_solver

from .blobs import Blob, BlobVec, BoolVec

_LISTS = Path(__file__).parent.parent.parent.parent / "data" / "bvlc"
#: layer types, and Message.field of every field, of BVLC's Caffe 1.0
_TYPES = (_LISTS / "layer_types.txt").read_text().split()
_FIELDS = set((_LISTS / "fields.txt").read_text().split())


class _Stderr:
    """Where glog writes: file descriptor 2, whatever Python's sys.stderr is."""

    def write(self, text: str) -> None:
        os.write(2, text.encode())

    def flush(self) -> None:
        pass


_log.set_stderr(False)
_log.add_file(_Stderr())


def fatal(message: str) -> NoReturn:
    """LOG(FATAL): a line on standard error, and the end of the process."""
    os.write(2, f"F0101 00:00:00.000000     1 stand_in.cpp:1] {message}\n*** Check failure stack trace: ***\n".encode())
    os._exit(134)


def checked_net(path: str) -> str:
    """The path of a net, unless C++ would end with it."""
    if not os.path.isfile(path):
        raise RuntimeError(f"Could not open file {path}")
    for layer in _read_definition(path).param.layer:
        if layer.type not in _TYPES:
            fatal(f"Check failed: registry.count(type) == 1 (0 vs. 1) Unknown layer type: {layer.type}")
        if unknown := _unknown_field(layer):
            fatal(f"Error parsing text-format caffe.NetParameter: {unknown} is no field; Failed to parse {path}")
    return path


def _unknown_field(message: Any) -> str:
    for descriptor, value in message.ListFields():
        name = f"{message.DESCRIPTOR.name}.{descriptor.name}"
        if name not in _FIELDS:
            return name
        if descriptor.message_type is not None:
            for inner in [value] if hasattr(value, "ListFields") else value:
                if unknown := _unknown_field(inner):
                    return unknown
    return ""


def guarded(function: Any, *arguments: Any) -> Any:
    """What a call to C++ gives; an error of Caffe's own is fatal there, one of a Python layer's comes through."""
    try:
        return function(*arguments)
    except RuntimeError as error:
        if type(error).__module__.startswith("deeplab_layers"):
            raise
        traceback.print_exc()
        fatal(str(error))


class Layer:
    """What a layer written in Python derives from."""

    def __init__(self, param: Any) -> None:
        self._blobs: Any = None

    @property
    def blobs(self) -> BlobVec:
        return BlobVec(self._blobs)

    @property
    def type(self) -> str:
        return "Python"


class _Bridge(_EngineLayer):
    """A layer written in Python among the engine's own."""

    type = "Python"

    def __init__(self, param: Any, phase: int, origin: str) -> None:
        super().__init__(param, phase, origin)
        p = param.python_param
        self._user = getattr(importlib.import_module(p.module), p.layer)(param)
        assert isinstance(self._user, Layer)
        self._user.param_str, self._user.phase = p.param_str, phase

    def setup(self, bottom: Any, top: Any) -> None:
        self._user._blobs = self.blobs
        self._user.setup(*_wrapped(bottom, top))

    def reshape(self, bottom: Any, top: Any) -> None:
        self._user.reshape(*_wrapped(bottom, top))

    def forward(self, bottom: Any, top: Any) -> None:
        self._user.forward(*_wrapped(bottom, top))

    def backward(self, top: Any, propagate_down: Any, bottom: Any) -> None:
        bottom, top = _wrapped(bottom, top)
        self._user.backward(top, BoolVec(propagate_down), bottom)


def _wrapped(bottom: Any, top: Any) -> tuple[list[Blob], list[Blob]]:
    return [Blob(b) for b in bottom], [Blob(t) for t in top]


_net_graph.python_layer = _Bridge


def layer_type_list() -> list[str]:
    return sorted(_TYPES)


def init_log(level: int = 0, stderr: bool = True) -> None:
    _log.init_log(level, False)


def log(message: str) -> None:
    _log.info(message)


def set_mode_cpu() -> None:
    _mode.set_mode_cpu()


def set_mode_gpu() -> NoReturn:
    fatal("Cannot use GPU in CPU-only Caffe: check mode.")


def set_device(number: int) -> NoReturn:
    fatal("Cannot use GPU in CPU-only Caffe: check mode.")


def set_random_seed(seed: int) -> None:
    _mode.set_random_seed(seed)


def get_solver(path: str) -> Any:
    """A solver of the type that the file states."""
    if type(path) is not str:
        raise TypeError(f"Python argument types did not match C++ signature: get_solver({type(path).__name__})")
    from . import pycaffe

    return getattr(pycaffe, f"{_read_solver(path).type}Solver")(path)
