"""Exports for other runtimes, with the converter that each runtime's makers publish: through ONNX or a PyTorch module.

All take the net's own input sizes.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import InputError
from ...lazy import imported_on_use
from ...reading import reason_of
from .graph import Graph
from .verification import Runner

if TYPE_CHECKING:
    import torch

    from . import onnx_model, runners, torch_source
else:
    torch = imported_on_use("torch")
    onnx_model = imported_on_use(f"{__package__}.onnx_model")
    runners = imported_on_use(f"{__package__}.runners")
    torch_source = imported_on_use(f"{__package__}.torch_source")

#: converts a net; gets the names of its files without suffix
Converter = Callable[[Graph, Path], None]
#: gives what runs the files
Loader = Callable[[Graph, Path], Runner]


@dataclass(frozen=True)
class Runtime:
    """A runtime that a net can be exported for.

    Attributes:
        title: its name in messages.
        modules: the Python modules that the conversion needs.
        packages: the packages that have them.
        suffixes: of the files (or folders) that are written; the first is the one that a user names.
        convert: writes them, into an empty folder.
        load: gives a runner of what was written.
        runs_here: False where the runtime needs another system, so that nothing can be compared.
    """

    title: str
    modules: Sequence[str]
    packages: str
    suffixes: Sequence[str]
    convert: Converter
    load: Loader
    runs_here: bool = True

    def demand_installed(self) -> None:
        """Raise InputError with what to install if a module is missing."""
        for module in self.modules:
            try:
                with _quiet():
                    importlib.import_module(module)
            except ImportError:
                raise InputError(
                    f"exporting for {self.title} needs the package {module}: pip install {self.packages}"
                ) from None

    def write(self, graph: Graph, prefix: Path) -> list[Path]:
        """Convert a net and put the files at `prefix` plus suffix, all of them or none; returns their names.

        Raises:
            InputError: a package is missing, or the converter refuses the net.
        """
        self.demand_installed()
        with tempfile.TemporaryDirectory(dir=prefix.parent, prefix=f".{prefix.name}.") as folder:
            made = Path(folder, "net")
            try:
                with _quiet():
                    self.convert(graph, made)
            except InputError:
                raise
            except Exception as error:  # the converters raise almost anything
                raise InputError(
                    f"{graph.source}: {self.title}'s converter refuses the net: {reason_of(error)}"
                ) from error
            files = [prefix.with_name(prefix.name + suffix) for suffix in self.suffixes]
            for suffix, path in zip(self.suffixes, files, strict=True):
                source = made.with_name(made.name + suffix)
                if source.is_dir() and path.is_dir():
                    shutil.rmtree(path)
                os.replace(source, path)
        return files


@contextlib.contextmanager
def _quiet() -> Any:
    """Without what converters print."""
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        yield


def _onnx_file(graph: Graph, path: Path) -> Path:
    path.write_bytes(onnx_model.net_model(graph, dynamic=False).SerializeToString())
    return path


def _module(graph: Graph) -> tuple[torch.nn.Module, tuple[torch.Tensor, ...]]:
    """The net as a module with a tuple of outputs, and inputs of its sizes."""
    source = torch_source.TorchSource(graph)
    module = runners.Outputs(runners.torch_module(source.text, source.class_name, source.state)).eval()
    return module, tuple(torch.zeros(shape) for shape in graph.inputs.values())


def _named(graph: Graph, values: Sequence[Any]) -> Mapping[str, np.ndarray]:
    return {name: np.asarray(value, np.float32) for name, value in zip(graph.outputs, values, strict=True)}


# -- OpenVINO


def _to_openvino(graph: Graph, made: Path) -> None:
    openvino = importlib.import_module("openvino")
    model = openvino.convert_model(os.fspath(_onnx_file(graph, made.with_suffix(".onnx"))))
    openvino.save_model(model, os.fspath(made.with_suffix(".xml")), compress_to_fp16=False)


def _openvino_runner(graph: Graph, prefix: Path) -> Runner:
    core = importlib.import_module("openvino").Core()
    file = prefix.with_name(prefix.name + ".xml")
    compiled = core.compile_model(core.read_model(os.fspath(file)), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda inputs: {name: compiled(inputs)[compiled.output(name)] for name in graph.outputs}


# -- ncnn


def _to_ncnn(graph: Graph, made: Path) -> None:
    package = importlib.import_module("pnnx")
    (folder,) = package.__path__
    sizes = ",".join(str(list(shape)).replace(" ", "") for shape in graph.inputs.values())
    words = [
        os.path.join(folder, "pnnx"),
        os.fspath(_onnx_file(graph, made.with_suffix(".onnx"))),
        f"inputshape={sizes}",
    ]
    done = subprocess.run([*words, "fp16=0"], cwd=made.parent, capture_output=True, text=True, check=False)
    for part in ("param", "bin"):
        file = made.with_suffix(f".ncnn.{part}")
        if done.returncode or not file.is_file():
            raise InputError(f"{graph.source}: pnnx refuses the net: {done.stderr.strip().splitlines()[-1:]}")
        file.rename(made.with_suffix(f".{part}"))


def _ncnn_runner(graph: Graph, prefix: Path) -> Runner:
    ncnn = importlib.import_module("ncnn")
    net = ncnn.Net()
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    net.opt.use_bf16_storage = False
    net.load_param(os.fspath(prefix.with_name(prefix.name + ".param")))
    net.load_model(os.fspath(prefix.with_name(prefix.name + ".bin")))

    def run(inputs: dict[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        with net.create_extractor() as extractor:
            for i, name in enumerate(graph.inputs):
                extractor.input(f"in{i}", ncnn.Mat(np.ascontiguousarray(inputs[name][0])).clone())
            found = [np.array(extractor.extract(f"out{i}")[1]) for i in range(len(graph.outputs))]
        return _named(graph, [values[None] for values in found])

    return run


# -- Core ML


def _to_coreml(graph: Graph, made: Path) -> None:
    coremltools = importlib.import_module("coremltools")
    module, examples = _module(graph)
    inputs = [coremltools.TensorType(name=name, shape=shape) for name, shape in graph.inputs.items()]
    outputs = [coremltools.TensorType(name=name) for name in graph.outputs]
    model = coremltools.convert(
        torch.jit.trace(module, examples),
        inputs=inputs,
        outputs=outputs,
        convert_to="mlprogram",
        compute_precision=coremltools.precision.FLOAT32,
    )
    model.save(os.fspath(made.with_suffix(".mlpackage")))


def _coreml_runner(graph: Graph, prefix: Path) -> Runner:
    model = importlib.import_module("coremltools").models.MLModel(
        os.fspath(prefix.with_name(prefix.name + ".mlpackage"))
    )

    def run(inputs: dict[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        found = model.predict(inputs)
        return _named(graph, [found[name] for name in graph.outputs])

    return run


# -- TensorFlow Lite


def _to_tflite(graph: Graph, made: Path) -> None:
    module, examples = _module(graph)
    importlib.import_module("litert_torch").convert(module, examples).export(os.fspath(made.with_suffix(".tflite")))


def _tflite_runner(graph: Graph, prefix: Path) -> Runner:
    interpreter = importlib.import_module("ai_edge_litert.interpreter").Interpreter(
        model_path=os.fspath(prefix.with_name(prefix.name + ".tflite"))
    )
    signature = interpreter.get_signature_runner()
    arguments = [f"args_{i}" for i in range(len(graph.inputs))]

    def run(inputs: dict[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        found = signature(**{word: inputs[name] for word, name in zip(arguments, graph.inputs, strict=True)})
        return _named(graph, [found[f"output_{i}"] for i in range(len(graph.outputs))])

    return run


RUNTIMES: dict[str, Runtime] = {
    "openvino": Runtime("OpenVINO", ["openvino"], "openvino", [".xml", ".bin"], _to_openvino, _openvino_runner),
    "ncnn": Runtime("ncnn", ["pnnx", "ncnn"], "pnnx ncnn", [".param", ".bin"], _to_ncnn, _ncnn_runner),
    "coreml": Runtime(
        "Core ML",
        ["coremltools"],
        "coremltools",
        [".mlpackage"],
        _to_coreml,
        _coreml_runner,
        platform.system() == "Darwin",
    ),
    "tflite": Runtime(
        "TensorFlow Lite", ["litert_torch", "ai_edge_litert"], "litert-torch", [".tflite"], _to_tflite, _tflite_runner
    ),
}
