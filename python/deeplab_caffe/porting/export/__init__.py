"""Exports nets as the source of a PyTorch module and as ONNX, and verifies that the results are equal."""

from typing import TYPE_CHECKING

from ...lazy import import_on_use

if TYPE_CHECKING:
    from .graph import Graph, graph_of
    from .label_verification import LabelCheck, compare_labels
    from .onnx_model import image_model, net_model
    from .pictures import Pictures
    from .runners import onnx_runner, torch_runner
    from .runtimes import RUNTIMES
    from .torch_source import TorchSource
    from .verification import Verification, compare_nets, fitting_sizes, verify

__all__ = [
    "RUNTIMES",
    "Graph",
    "LabelCheck",
    "Pictures",
    "TorchSource",
    "Verification",
    "compare_labels",
    "compare_nets",
    "fitting_sizes",
    "graph_of",
    "image_model",
    "net_model",
    "onnx_runner",
    "torch_runner",
    "verify",
]

import_on_use(__name__)
