"""The embedded Caffe: pycaffe's public names on PyTorch."""

from . import proto
from . import layers as _layer_types  # registers them
from .blob import Blob
from .layers.base import Layer, layer_type_list
from .layers.python import allow_python_layers
from .mode import set_device, set_mode_cpu, set_mode_gpu, set_random_seed
from .net import Net
from .net_spec import NetSpec, layers, params, to_proto
from .proto.caffe_pb2 import TEST, TRAIN
from .solver import SGDSolver, get_solver

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
