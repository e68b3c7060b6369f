"""The embedded Caffe: pycaffe's public names on PyTorch."""

from ..formats.schema import NAMES
from . import layers as _layer_types
from . import proto
from .blob import Blob
from .layers.base import Layer, layer_type_list
from .layers.python import allow_python_layers
from .mode import has_gpu, set_device, set_mode_cpu, set_mode_gpu, set_random_seed
from .net import Net
from .net_spec import NetSpec, layers, params, to_proto
from .solvers import SGDSolver, get_solver

TRAIN: int = NAMES["TRAIN"]
TEST: int = NAMES["TEST"]
# `layers` above is pycaffe's net_spec language; the package of that name registers the layer types.
_registered = _layer_types.__all__

__all__ = [
    "TEST",
    "TRAIN",
    "Blob",
    "Layer",
    "Net",
    "NetSpec",
    "SGDSolver",
    "allow_python_layers",
    "get_solver",
    "has_gpu",
    "layer_type_list",
    "layers",
    "params",
    "proto",
    "set_device",
    "set_mode_cpu",
    "set_mode_gpu",
    "set_random_seed",
    "to_proto",
]
