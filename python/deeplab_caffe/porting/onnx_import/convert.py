"""The import of a model: reading, building, loading into the embedded Caffe, writing."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import caffe
from ...errors import InputError
from ...files import write_text
from ...formats.definition import definition_of
from ...formats.writer import format_message
from ...reading import reason_of
from ...spelling import did_you_mean
from . import arithmetic, cuts, depth, elementwise, matrices, resizing, windows  # noqa: F401 - they register readers
from .gathers import join_gathers
from .model import OnnxModel, OnnxNode, read_model
from .net import FORKS, CaffeNet
from .registry import READERS

#: operator → what to do, where there is something
_ADVICE = {
    **dict.fromkeys(
        ("InstanceNormalization", "GroupNormalization", "LayerNormalization"),
        "Caffe normalises by stored statistics (its MVN adds eps to the deviation, not to the variance): train the "
        "model with BatchNorm, or cut it before this node",
    ),
    "Erf": "GELU has no counterpart; ReLU, ELU and Hardswish have",
    **dict.fromkeys(("LSTM", "GRU", "RNN"), "cut the model before it, and compute the recurrent part elsewhere"),
}


@dataclass(frozen=True)
class Imported:
    """A model as a Caffe net.

    Attributes:
        param: the NetParameter.
        net: the same with its weights, in the embedded Caffe, in the state TEST.
        model: the model that it comes from, with fixed shapes.
        outputs: the blob of each of the model's outputs.
    """

    param: Any
    net: Any
    model: OnnxModel
    outputs: Mapping[str, str]

    def write(self, prefix: str | os.PathLike[str]) -> tuple[str, str]:
        """Write `<prefix>.prototxt` and `<prefix>.caffemodel`; returns the two names."""
        text, weights = f"{os.fspath(prefix)}.prototxt", f"{os.fspath(prefix)}.caffemodel"
        self.net.save(weights)
        write_text(text, format_message(self.param))
        return text, weights

    @property
    def forks(self) -> dict[str, str]:
        """The layer types that are not BVLC's, and whose they are."""
        return {layer.type: FORKS[layer.type] for layer in self.param.layer if layer.type in FORKS}


def import_onnx(
    model: str | os.PathLike[str] | Any, shapes: Mapping[str, Sequence[int]] | None = None, allow_forks: bool = False
) -> Imported:
    """A Caffe net that computes what an ONNX model computes, in the layer types of BVLC's Caffe.

    Args:
        model: a file, or a ModelProto.
        shapes: shapes of inputs, by name, where the model leaves them open; an open batch is 1.
        allow_forks: whether layer types of Caffe's forks may be used: Permute (SSD), Interp (DeepLab).

    Raises:
        InputError: the model is invalid, or has what Caffe has no counterpart for; names the node.
    """
    path = model if isinstance(model, str | os.PathLike) else None
    proto = model if path is None else read_model(path)
    source = "the model" if path is None else os.fspath(path)
    read = OnnxModel(proto, source, shapes or {})
    join_gathers(read)
    _demand_known(read)
    built = CaffeNet(read, allow_forks)
    for node in read.nodes:
        with _reading_node(node):
            READERS[node.operator](built, node)
    outputs = {}
    for name in read.outputs:
        if name in read.constants:
            raise InputError(f"{source}: output '{name}' does not depend on the input; there is nothing to compute")
        outputs[name] = built.blob_of_output(name)
    net = caffe.Net(definition_of(built.param, source), caffe.TEST)
    for name, blobs in built.blobs.items():
        _fill(source, name, net.params[name], blobs)
    _demand_shapes(read, built, net)
    return Imported(built.param, net, read, outputs)


def import_torch(module: Any, example: Any, **options: Any) -> Imported:
    """A Caffe net from a PyTorch module, through torch.export and ONNX.

    Args:
        module: in evaluation mode.
        example: an input (N, C, H, W) float32, or a tuple of inputs; their shapes are the net's.
        options: as for `import_onnx`.

    Raises:
        InputError: as `import_onnx`, or if PyTorch cannot export the module.
    """
    import torch

    given = example if isinstance(example, tuple) else (example,)
    file = io.BytesIO()
    try:
        with _quiet():
            program = torch.onnx.export(module.eval(), given, dynamo=True, verbose=False, optimize=True)
            program.save(file)  # type: ignore[union-attr, arg-type]
    except ImportError as error:
        raise InputError(f"importing a module needs onnxscript: pip install 'deeplab-caffe[onnx]' ({error})") from None
    except Exception as error:  # PyTorch raises almost anything on what it cannot trace
        raise InputError(f"PyTorch cannot export {type(module).__name__}: {str(error).splitlines()[0]}") from error
    import onnx

    return import_onnx(onnx.load_from_string(file.getvalue()), **options)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's own log and warnings."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


@contextlib.contextmanager
def _reading_node(node: OnnxNode) -> Iterator[None]:
    """Turn whatever a reader raises on what a node says into an InputError that names the node."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"{node.source}: node '{node.name}' ({node.operator}): cannot be read: {reason_of(error)}"
        ) from error


def _demand_shapes(model: OnnxModel, built: CaffeNet, net: Any) -> None:
    """Raise InputError at the first node whose value has another shape in Caffe."""
    for node in model.nodes:
        for value in filter(built.maker, node.outputs):
            mine, theirs = tuple(net.blobs[value].shape), model.shapes.get(value)
            if theirs is not None and mine != theirs:
                node.fail(f"makes '{value}' of {theirs}; in Caffe it is {mine}")


def _demand_known(model: OnnxModel) -> None:
    """Raise InputError with all operators that have no reader, and the first node of each."""
    unknown = {node.operator: node for node in reversed(model.nodes) if node.operator not in READERS}
    if unknown:
        named = ", ".join(f"{operator} (node '{node.name}')" for operator, node in sorted(unknown.items()))
        near = did_you_mean(next(iter(unknown)), READERS) if len(unknown) == 1 else ""
        advice = "".join(f"; {_ADVICE[operator]}" for operator in sorted(unknown) if operator in _ADVICE)
        raise InputError(f"{model.source}: operators without a counterpart in Caffe: {named}{near}{advice}")


def _fill(source: str, name: str, blobs: Sequence[Any], values: Sequence[NDArray[np.float32]]) -> None:
    for blob, given in zip(blobs, values, strict=True):
        if tuple(blob.shape) != given.shape:
            raise InputError(f"{source}: layer '{name}' wants weights {tuple(blob.shape)}; the model has {given.shape}")
        blob.data[...] = given
