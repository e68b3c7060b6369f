"""An ONNX model as the import needs it: fixed shapes, constants computed, nodes that know their place."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ...arrays import Shape
from ...errors import InputError
from ...reading import reading, reason_of
from . import validity
from .libraries import external_data_helper, helper, inliner, numpy_helper, onnx, reference, shape_inference

#: computed constants have at most so many values: models can state shapes of any size
LARGEST_CONSTANT = 1 << 26
#: and all together at most so many times the values of the model's own constants more
_GROWTH = 4
#: operators whose result is not fixed by what they read, or that may never end
_NEVER_COMPUTED = (
    *("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli"),
    *("If", "Loop", "Scan", "SequenceMap"),
)
#: operators whose result is known once the shape of what they read is
_OF_SHAPE = ("Shape", "Size")
_DEFAULT_DOMAIN = ("", "ai.onnx")
_TYPES = onnx.TensorProto
#: types of values, and numpy's; blobs hold all of them as float32
FLOATS: Mapping[int, Any] = {_TYPES.FLOAT: np.float32, _TYPES.FLOAT16: np.float16, _TYPES.DOUBLE: np.float64}
INTEGERS: Mapping[int, Any] = {
    getattr(_TYPES, word.upper()): np.dtype(word)
    for word in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool")
}
BOOL = _TYPES.BOOL
NUMBERS: Mapping[int, Any] = {**FLOATS, **INTEGERS}


@dataclass(frozen=True)
class OnnxNode:
    """A node: its operator, the names of the values that it reads ("" for one left out) and makes, and attributes."""

    source: str
    name: str
    operator: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    attributes: Mapping[str, Any]

    def fail(self, message: str) -> NoReturn:
        """Raise InputError that names model, node and operator."""
        raise InputError(f"{self.source}: node '{self.name}' ({self.operator}): {message}")

    def present(self, place: int) -> bool:
        """Whether the input of a place is not left out."""
        return place < len(self.inputs) and bool(self.inputs[place])

    def get(self, attribute: str, default: Any = None) -> Any:
        """An attribute's value; texts are `str`."""
        value = self.attributes.get(attribute, default)
        return value.decode() if isinstance(value, bytes) else value


class OnnxModel:
    """A model with fixed shapes, without nodes that compute constants.

    Args:
        proto: a ModelProto; not changed.
        source: its name in messages.
        shapes: shapes of inputs, by name; others are the model's own, an open first axis being 1.

    Attributes:
        name: of its graph.
        proto: the model with these shapes, as onnxruntime is asked for its values.
        inputs, outputs: names of values; inputs are without initializers.
        constants: the values that do not depend on inputs.
        shapes: the shape of each value, where it is known.
        types: the type of each value, as a TensorProto's data_type, where it is known.
        nodes: what is left to compute, in order.
        readers: how often a value is read; an output of the model counts.

    Raises:
        InputError: an input's shape is open or contradicts the model, or the model is not valid.
    """

    def __init__(self, proto: Any, source: str, shapes: Mapping[str, Sequence[int]]) -> None:
        self.source = source
        self.proto = onnx.ModelProto()
        self.proto.CopyFrom(proto)
        self.shapes: dict[str, Shape] = {}
        self.types: dict[str, int] = {}
        with reading_model(source):
            validity.demand_complete(self.proto, source)
            validity.demand_bounded(self.proto, source)
            self.proto = inliner.inline_local_functions(self.proto)
            self._read_graph(self.proto.graph, shapes)
            self._room = LARGEST_CONSTANT + _GROWTH * sum(values.size for values in self.constants.values())
            self._fold()
        counts = Counter(name for node in self.nodes for name in node.inputs)
        self.readers = counts + Counter(self.outputs)

    def _read_graph(self, graph: Any, shapes: Mapping[str, Sequence[int]]) -> None:
        self.name = graph.name
        if not isinstance(self.name, str):  # protobuf gives bytes that are not UTF-8 as they are
            raise InputError(f"{self.source}: the name of its graph is not UTF-8")
        self.constants = {x.name: _values(self.source, x) for x in graph.initializer}
        self.inputs = [value.name for value in graph.input if value.name not in self.constants]
        self.outputs = [value.name for value in graph.output]
        self._fix_shapes(shapes)
        self.nodes = [self._node(i, node) for i, node in enumerate(graph.node)]
        validity.check(self.proto)

    @property
    def opset(self) -> int:
        """The version of ONNX's operators."""
        return max((x.version for x in self.proto.opset_import if x.domain in _DEFAULT_DOMAIN), default=1)

    def _node(self, index: int, node: Any) -> OnnxNode:
        if node.domain not in _DEFAULT_DOMAIN:
            raise InputError(f"{self.source}: node '{node.name}' ({node.domain}.{node.op_type}): unknown operator")
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        name = node.name or f"{node.op_type}_{index}"
        return OnnxNode(self.source, name, node.op_type, list(node.input), list(node.output), attributes)

    # -- shapes

    def _fix_shapes(self, stated: Mapping[str, Sequence[int]]) -> None:
        unknown = [name for name in stated if name not in self.inputs]
        if unknown:
            raise InputError(f"{self.source}: has no input '{unknown[0]}'; its inputs are {', '.join(self.inputs)}")
        for value in self.proto.graph.input:
            if value.name in self.constants:
                continue
            _demand_numbers(self.source, value)
            dims = value.type.tensor_type.shape.dim
            own = [d.dim_value if d.HasField("dim_value") else 0 for d in dims]
            sizes = self._sizes(value.name, own, stated.get(value.name))
            del dims[:]
            for size in sizes:
                dims.add(dim_value=size)

    def _sizes(self, name: str, own: Sequence[int], stated: Sequence[int] | None) -> Sequence[int]:
        """The sizes of an input, of which the model's own may be 0 for open ones."""
        if stated is None:
            sizes = [size or (1 if axis == 0 else 0) for axis, size in enumerate(own)]
            if not own or 0 in sizes:
                shown = ", ".join(str(size) if size else "?" for size in own) or "not stated"
                raise InputError(
                    f"{self.source}: the shape of input '{name}' is open ({shown}); state it: --shape {name}=…"
                )
            return sizes
        if own and (len(own) != len(stated) or any(a and a != b for a, b in zip(own, stated, strict=True))):
            shown = ", ".join(str(size) if size else "any" for size in own)
            raise InputError(f"{self.source}: input '{name}' is ({shown}); got {tuple(stated)}")
        return stated

    # -- constants

    def _fold(self) -> None:
        """Compute what does not depend on inputs, until nothing more is found."""
        left = -1
        while left != len(self.nodes):
            left = len(self.nodes)
            self._infer()
            self.nodes = [node for node in self.nodes if not self._computed(node)]

    def _infer(self) -> None:
        """Find the shapes of values, with what is constant by now."""
        proto = onnx.ModelProto()
        proto.CopyFrom(self.proto)
        known = {x.name for x in proto.graph.initializer}
        small = {k: v for k, v in self.constants.items() if k not in known and v.size <= 64}
        proto.graph.initializer.extend(numpy_helper.from_array(v, k) for k, v in small.items())
        kept = {output for node in self.nodes for output in node.outputs}
        nodes = [node for node in proto.graph.node if kept.intersection(node.output)]
        del proto.graph.node[:]
        proto.graph.node.extend(nodes)
        with reading_model(self.source):
            inferred = shape_inference.infer_shapes(proto, data_prop=True).graph
        for value in (*inferred.input, *inferred.value_info, *inferred.output):
            self.types[value.name] = value.type.tensor_type.elem_type
            dims = value.type.tensor_type.shape.dim
            if value.type.tensor_type.HasField("shape") and all(d.HasField("dim_value") for d in dims):
                self.shapes[value.name] = tuple(d.dim_value for d in dims)
        self.shapes.update((name, values.shape) for name, values in self.constants.items())

    def _computed(self, node: OnnxNode) -> bool:
        """Whether a node makes constants, which are then known."""
        if node.operator in _NEVER_COMPUTED:
            return False
        if node.operator in _OF_SHAPE and node.inputs[0] in self.shapes:
            given: dict[str, NDArray[Any]] = {
                node.inputs[0]: np.broadcast_to(np.float32(0), self.shapes[node.inputs[0]])
            }
        elif all(name in self.constants for name in node.inputs if name):
            given = {name: self.constants[name] for name in node.inputs if name}
        else:
            return False
        sizes = [int(np.prod(self.shapes[name], dtype=float)) for name in node.outputs if name in self.shapes]
        if node.operator != "Constant":
            if len(sizes) < len(node.outputs) or max(sizes) > LARGEST_CONSTANT or sum(sizes) > self._room:
                return False
            self._room -= sum(sizes)
        original = next(n for n in self.proto.graph.node if list(n.output) == list(node.outputs))
        with reading_model(self.source):
            evaluator = reference.ReferenceEvaluator(
                original, opsets={d.domain: d.version for d in self.proto.opset_import}
            )
            found = evaluator.run(None, given)
        self.constants.update((name, np.asarray(value)) for name, value in zip(node.outputs, found, strict=True))
        return True

    # -- for the readers of operators

    def argument(self, node: OnnxNode, attribute: str, place: int, default: Any = None) -> Any:
        """What newer models give as an input (a constant) and older ones as an attribute."""
        if attribute in node.attributes:
            return node.get(attribute)
        if place >= len(node.inputs) or not node.inputs[place]:
            return default
        name = node.inputs[place]
        if name not in self.constants:
            node.fail(f"its {attribute} is computed from the input; only fixed values can be imported")
        return self.constants[name]


def _values(source: str, tensor: Any) -> NDArray[Any]:
    try:
        return np.asarray(numpy_helper.to_array(tensor))
    except Exception as error:
        raise InputError(f"{source}: weights '{tensor.name}' are damaged: {reason_of(error)}") from error


def _demand_numbers(source: str, value: Any) -> None:
    """Refuse an input that is no tensor of numbers."""
    kind = value.type.tensor_type.elem_type
    if not value.type.HasField("tensor_type") or kind not in NUMBERS:
        given = onnx.TensorProto.DataType.Name(kind) if value.type.HasField("tensor_type") else "no tensor"
        raise InputError(f"{source}: input '{value.name}' is {given}; expected a tensor of numbers")


def reading_model(source: str) -> Any:
    """A context in which whatever a library raises on a model is an InputError that names it."""
    return _Reading(source)


class _Reading:
    def __init__(self, source: str) -> None:
        self.source = source

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, Exception) and not isinstance(error, InputError):
            raise InputError(f"{self.source}: not a valid ONNX model: {reason_of(error)}") from error


def read_model(path: str | os.PathLike[str]) -> Any:
    """A ModelProto from a file, with weights that lie in files beside it.

    Raises:
        InputError: the file is missing or damaged, or names weights outside of its folder.
    """
    path = Path(path)
    with reading(path, "the ONNX model", damaged="not an ONNX model"):
        proto = onnx.load(os.fspath(path), load_external_data=False)
        if not proto.graph.node:
            raise InputError(f"{path}: has no nodes; expected an ONNX model")
        validity.demand_beside(path, proto)
        external_data_helper.load_external_data_for_model(proto, os.fspath(path.parent))
    return proto
