"""A stand-in for an installed pycaffe: the names that BVLC's Caffe 1.0 has and no others, as strict as C++ is.

Put the folder above on PYTHONPATH. The embedded engine computes, behind wrappers: blobs take only ints, shapes are no
tuples, an unknown layer type or field ends the process, logs are written to file descriptor 2, nothing of ours shows.
"""

from . import _caffe
from ._caffe import (
    Layer,
    get_solver,
    init_log,
    layer_type_list,
    log,
    set_device,
    set_mode_cpu,
    set_mode_gpu,
    set_random_seed,
)
from .proto import TEST, TRAIN
from .pycaffe import AdaDeltaSolver, AdaGradSolver, AdamSolver, NesterovSolver, Net, RMSPropSolver, SGDSolver

__version__ = "1.0.0"
__all__ = [
    "TEST",
    "TRAIN",
    "AdaDeltaSolver",
    "AdaGradSolver",
    "AdamSolver",
    "Layer",
    "Net",
    "NesterovSolver",
    "RMSPropSolver",
    "SGDSolver",
    "_caffe",
    "get_solver",
    "init_log",
    "layer_type_list",
    "log",
    "set_device",
    "set_mode_cpu",
    "set_mode_gpu",
    "set_random_seed",
]
