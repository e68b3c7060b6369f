"""Exports run where they are meant to: a module from its source alone, a model by onnxruntime."""

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


def torch_runner(source: str, class_name: str, state: Mapping[str, np.ndarray]) -> Runner:
    """Run the source of a module that was written here, with a state dict."""
    module = ModuleType("exported")
    exec(compile(source, "exported.py", "exec"), module.__dict__)  # our own text, just made from a net
    net: Any = getattr(module, class_name)()
    net.load_state_dict({name: torch.from_numpy(np.array(values)) for name, values in state.items()})
    net.eval()

    def run(inputs: dict[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        with torch.inference_mode():
            tops = net(**{name: torch.from_numpy(values) for name, values in inputs.items()})
        return {name: value.numpy() for name, value in tops.items()}

    return run


def onnx_runner(model: bytes | str | os.PathLike[str]) -> Runner:
    """Run an ONNX model, serialised or in a file, on the CPU."""
    try:
        import onnxruntime
    except ImportError:
        raise InputError("checking ONNX needs onnxruntime: pip install 'deeplab-caffe[onnx]', or --no-verify") from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    given = model if isinstance(model, bytes) else str(Path(model))
    session = onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda inputs: dict(zip(names, session.run(names, inputs), strict=True))
