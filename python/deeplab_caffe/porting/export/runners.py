"""Runs exports in their target framework: a PyTorch module from its source, an ONNX model by onnxruntime."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

from ...errors import InputError
from .verification import Runner


def torch_module(source: str, class_name: str, state: Mapping[str, np.ndarray]) -> Any:
    """The `nn.Module` of an exported source, with its weights, in evaluation mode."""
    module = ModuleType("exported")
    exec(compile(source, "exported.py", "exec"), module.__dict__)  # text that this package has just generated
    net: Any = getattr(module, class_name)()
    net.load_state_dict({name: torch.from_numpy(np.array(values)) for name, values in state.items()})
    return net.eval()


class Outputs(torch.nn.Module):
    """A module whose outputs are a tuple in place of a dict."""

    def __init__(self, net: torch.nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(self.net(*inputs).values())


def torch_runner(source: str, class_name: str, state: Mapping[str, np.ndarray]) -> Runner:
    """A runner of an exported module's source, with a state dict."""
    net = torch_module(source, class_name, state)

    def run(inputs: dict[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        with torch.inference_mode():
            tops = net(**{name: torch.from_numpy(values) for name, values in inputs.items()})
        return {name: value.numpy() for name, value in tops.items()}

    return run


def onnx_runner(model: bytes | str | os.PathLike[str]) -> Runner:
    """A runner of an ONNX model, serialised or in a file, on the CPU."""
    try:
        import onnxruntime
    except ImportError:
        raise InputError(
            "verifying ONNX needs onnxruntime: pip install 'deeplab-caffe[onnx]', or pass --no-verify"
        ) from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what it raises says the same
    given = model if isinstance(model, bytes) else str(Path(model))
    session = onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda inputs: dict(zip(names, session.run(names, inputs), strict=True))
