"""pycaffe's module `caffe.pycaffe`: the net and the solvers under the names that they have there."""

from .layer_types.base import Layer, layer_type_list
from .mode import set_device, set_mode_cpu, set_mode_gpu, set_random_seed
from .net.net import Net
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
    "AdaDeltaSolver",
    "AdaGradSolver",
    "AdamSolver",
    "Layer",
    "Net",
    "NesterovSolver",
    "RMSPropSolver",
    "SGDSolver",
    "get_solver",
    "layer_type_list",
    "set_device",
    "set_mode_cpu",
    "set_mode_gpu",
    "set_random_seed",
]
