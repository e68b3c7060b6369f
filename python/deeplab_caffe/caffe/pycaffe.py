"""pycaffe's modules `caffe.pycaffe` and `caffe._caffe`: nets, solvers and functions under their names there.

The functions that pycaffe makes methods of Net are here under its private names too, as scripts call them.
"""

from .blob import Blob, BlobVec
from .layer_types.base import Layer, layer_type_list
from .log import init_log
from .mode import set_device, set_mode_cpu, set_mode_gpu, set_random_seed
from .net.net import Net
from .parallel.nccl import (
    NCCL,
    Timer,
    has_nccl,
    set_multiprocess,
    set_solver_count,
    set_solver_rank,
    solver_count,
    solver_rank,
)
from .solver.rules import (
    AdaDeltaSolver,
    AdaGradSolver,
    AdamSolver,
    NesterovSolver,
    RMSPropSolver,
    SGDSolver,
    get_solver,
)

__all__ = [
    "NCCL",
    "AdaDeltaSolver",
    "AdaGradSolver",
    "AdamSolver",
    "Blob",
    "BlobVec",
    "Layer",
    "Net",
    "NesterovSolver",
    "RMSPropSolver",
    "SGDSolver",
    "Timer",
    "get_solver",
    "has_nccl",
    "init_log",
    "layer_type_list",
    "set_device",
    "set_mode_cpu",
    "set_mode_gpu",
    "set_multiprocess",
    "set_random_seed",
    "set_solver_count",
    "set_solver_rank",
    "solver_count",
    "solver_rank",
]

_Net_forward, _Net_backward = Net.forward, Net.backward
_Net_forward_all, _Net_forward_backward_all = Net.forward_all, Net.forward_backward_all
_Net_set_input_arrays, _Net_batch = Net.set_input_arrays, Net._batch
