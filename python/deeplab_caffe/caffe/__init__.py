"""The embedded Caffe: pycaffe's public names on PyTorch."""

from typing import TYPE_CHECKING

from ..formats.schema import NAMES
from ..lazy import import_on_use

if TYPE_CHECKING:
    from ..permission import allow_python_layers
    from . import classifier, coord_map, detector, draw, io, log, net_spec, proto, pycaffe
    from .blob import Blob, BlobVec
    from .classifier import Classifier
    from .detector import Detector
    from .layer_types.base import Layer, layer_type_list
    from .log import init_log
    from .mode import has_gpu, set_device, set_mode_cpu, set_mode_gpu, set_random_seed
    from .net.net import Net
    from .net_spec import NetSpec, layers, params, to_proto
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

#: the release of Caffe whose interface this is
__version__ = "1.0.0"
TRAIN: int = NAMES["TRAIN"]
TEST: int = NAMES["TEST"]

__all__ = [
    "NCCL",
    "TEST",
    "TRAIN",
    "AdaDeltaSolver",
    "AdaGradSolver",
    "AdamSolver",
    "Blob",
    "BlobVec",
    "Classifier",
    "Detector",
    "Layer",
    "Net",
    "NetSpec",
    "NesterovSolver",
    "RMSPropSolver",
    "SGDSolver",
    "Timer",
    "allow_python_layers",
    "classifier",
    "coord_map",
    "detector",
    "draw",
    "get_solver",
    "has_gpu",
    "has_nccl",
    "init_log",
    "io",
    "layer_type_list",
    "layers",
    "log",
    "net_spec",
    "params",
    "proto",
    "pycaffe",
    "set_device",
    "set_mode_cpu",
    "set_mode_gpu",
    "set_multiprocess",
    "set_random_seed",
    "set_solver_count",
    "set_solver_rank",
    "solver_count",
    "solver_rank",
    "to_proto",
]

import_on_use(__name__)
