"""Other ways to run a net: OpenCV, onnxruntime, OpenVINO, ncnn. Each gives a function of an image, or why it cannot."""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import torch

#: from an image (1, 3, H, W) float32 to scores (1, C, H, W)
Run = Callable[[np.ndarray], np.ndarray]


class Absent(Exception):
    """A peer cannot take part; says why."""


def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise Absent("not installed; pip install -c constraints.txt -e '.[bench]'") from None


def opencv(prototxt: Path, weights: Path, threads: int) -> Run:
    """OpenCV's dnn module, from Caffe's own files."""
    cv2.setNumThreads(threads)
    try:
        net = cv2.dnn.readNetFromCaffe(str(prototxt), str(weights))
    except cv2.error as error:
        raise Absent(f"cannot read the net: {str(error).strip().splitlines()[-1]}") from None

    def run(image: np.ndarray) -> np.ndarray:
        net.setInput(image)
        return net.forward()

    return run


def export(model: torch.nn.Module, image: np.ndarray, path: Path) -> None:
    """Write a model as ONNX."""
    _module("onnx"), _module("onnxscript")
    logging.disable(logging.WARNING)
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, (torch.from_numpy(image),), str(path), dynamo=True, verbose=False)
    logging.disable(logging.NOTSET)


def onnxruntime(path: Path, threads: int) -> Run:
    """onnxruntime on the CPU."""
    module = _module("onnxruntime")
    if not path.exists():
        raise Absent("wants the ONNX file, which could not be written")
    options = module.SessionOptions()
    options.intra_op_num_threads = threads
    session = module.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda image: session.run(None, {name: image})[0]


def openvino(path: Path, threads: int, precision: str) -> Run:
    """OpenVINO on the CPU, set for latency; precision: f32 or bf16."""
    module = _module("openvino")
    if not path.exists():
        raise Absent("wants the ONNX file, which could not be written")
    core = module.Core()
    if precision == "bf16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise Absent("this processor has no bfloat16")
    settings = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
    compiled = core.compile_model(core.read_model(str(path)), "CPU", settings)
    return lambda image: compiled(image)[0]


def convert_to_ncnn(model: torch.nn.Module, image: np.ndarray, path: Path) -> None:
    """Write a model for ncnn, with float32 weights, as `path`.ncnn.param and `path`.ncnn.bin."""
    converter = _module("pnnx").EXEC_PATH
    traced = path.with_suffix(".pt")
    torch.jit.trace(model, torch.from_numpy(image)).save(str(traced))
    shape = ",".join(map(str, image.shape))
    subprocess.run([converter, traced, f"inputshape=[{shape}]f32", "fp16=0"], check=True, capture_output=True)


def ncnn(path: Path, threads: int, winograd: bool) -> Run:
    """ncnn on the CPU in float32, with its Winograd convolution or without."""
    module = _module("ncnn")
    if not path.with_suffix(".ncnn.bin").exists():
        raise Absent("wants the converted net, which could not be written")
    net = module.Net()
    net.opt.num_threads = threads
    net.opt.use_winograd_convolution = winograd
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    net.opt.use_bf16_storage = False
    net.load_param(str(path.with_suffix(".ncnn.param")))
    net.load_model(str(path.with_suffix(".ncnn.bin")))

    def run(image: np.ndarray) -> np.ndarray:
        extractor = net.create_extractor()
        extractor.input("in0", module.Mat(image[0]))
        _, scores = extractor.extract("out0")
        return np.array(scores)[None]

    return run
