"""An ONNX graph that is being built: the writers of layers add nodes and constants to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import InputError
from .graph import OPSET, Graph, Node

try:
    from onnx import TensorProto, checker, helper, numpy_helper
except ImportError:  # pragma: no cover - an optional library
    raise InputError("ONNX export needs the library onnx: pip install 'deeplab-caffe[onnx]'") from None

#: of the file; runtimes since 2022 read it
IR_VERSION = 8
FLOAT, UINT8 = TensorProto.FLOAT, TensorProto.UINT8

#: name, element type, and sizes (an open one by its name) of an input or output
Described = tuple[str, int, list[Any]]


class OnnxGraph:
    """An ONNX graph that is being built. Its inputs and outputs have the names of the net's blobs."""

    FLOAT, DOUBLE, INT64 = TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT64

    def __init__(self, graph: Graph, blobs: Sequence[str] = ()) -> None:
        """blobs: names of blobs that become outputs in addition to the net's own."""
        self.graph = graph
        self.nodes: list[Any] = []
        self.initializers: dict[str, Any] = {}
        self.arrays: dict[str, np.ndarray] = {}
        self.made = 0
        outputs = dict(graph.outputs) | {name: graph.values[name] for name in blobs}
        #: value → the name of the output that it is
        self.outputs: dict[str, str] = {}
        #: further outputs of the same values, as a Dropout makes them: name → value
        self.copies: dict[str, str] = {}
        for name, value in outputs.items():
            if value in self.outputs:
                self.copies[name] = value
            elif value not in graph.inputs:
                self.outputs[value] = name

    def name(self, value: str) -> str:
        """A value's name in ONNX: that of its output; other values must not have the name of an output."""
        if value in self.outputs:
            return self.outputs[value]
        return f"{value}.inner" if value in self.outputs.values() or value in self.copies else value

    def copy(self, value: str, output: str) -> None:
        """Add an output that is a copy of a value."""
        node = helper.make_node("Identity", [self.name(value)], [output], name=f"Identity_{len(self.nodes)}")
        self.nodes.append(node)

    # -- for the writers of layers

    def add(
        self, operator: str, inputs: Sequence[str], outputs: Sequence[str] | None = None, **given: Any
    ) -> list[str]:
        """Add a node; without names it gets one output with a new name. Returns the names of its outputs."""
        if outputs is None:
            self.made += 1
            outputs = [f"_{operator.lower()}_{self.made}"]
        read, made = ([self.name(value) for value in values] for values in (inputs, outputs))
        self.nodes.append(helper.make_node(operator, read, made, name=f"{operator}_{len(self.nodes)}", **given))
        return list(outputs)

    def names(self, count: int) -> list[str]:
        """New names, for the outputs of a node that has several."""
        self.made += 1
        return [f"_value_{self.made}_{i}" for i in range(count)]

    def call(self, operator: str, *inputs: str, **given: Any) -> str:
        """Add a node with one output, and return its name."""
        return self.add(operator, inputs, **given)[0]

    def constant(self, name: str, values: np.ndarray) -> str:
        """A constant of that name, stored once."""
        if name not in self.initializers:
            self.initializers[name] = numpy_helper.from_array(np.asarray(values, order="C"), name)
        return name

    def parameters(self, node: Node) -> list[str]:
        """The layer's blobs as constants; layers that share blobs share the constants."""
        return [self.constant(f"{node.owner}.{i}", blob) for i, blob in enumerate(node.blobs)]

    def integers(self, values: Sequence[int]) -> str:
        numbers = np.array(list(values), np.int64)
        return self.constant("int64." + "_".join(map(str, numbers)), numbers)

    def integer(self, value: int) -> str:
        """A single integer, not an array."""
        return self.constant(f"int64.{value}.scalar", np.array(value, np.int64))

    def floats(self, values: Any) -> str:
        """An array of float32."""
        return self._array("float", np.asarray(values, np.float32))

    def doubles(self, values: Any) -> str:
        """An array of float64."""
        return self._array("double", np.asarray(values, np.float64))

    def _array(self, kind: str, values: np.ndarray) -> str:
        name = next((n for n, known in self.arrays.items() if _equal(known, values)), f"{kind}s.{len(self.arrays)}")
        self.arrays[name] = values
        return self.constant(name, values)

    def double_sizes(self, value: str) -> list[str]:
        """Height and width of a value (N, C, H, W), as float64 arrays of one number."""
        return [self.call("Cast", self.shape(value, [axis]), to=self.DOUBLE) for axis in (2, 3)]

    def number(self, value: float) -> str:
        return self.constant(f"float.{np.float32(value)!r}", np.array(value, np.float32))

    def shape(self, value: str, axes: Sequence[int]) -> str:
        """The sizes of some axes of a value, as an integer array (len(axes))."""
        return self.add("Gather", [*self.add("Shape", [value]), self.integers(axes)])[0]

    def sliced(self, value: str, starts: Sequence[int], ends: Sequence[int], axes: Sequence[int]) -> str:
        return self.add("Slice", [value, *(self.integers(x) for x in (starts, ends, axes))])[0]

    def filled(self, shape: Sequence[str], value: float, outputs: Sequence[str]) -> list[str]:
        """An array of that shape (an integer per axis) filled with one number."""
        number = numpy_helper.from_array(np.array([value], np.float32))
        return self.add("ConstantOfShape", shape, outputs, value=number)

    def resize(self, value: str, size: str, outputs: Sequence[str]) -> None:
        """Bilinear resizing with aligned corners, to a size (2 integers)."""
        (sizes,) = self.add("Concat", [self.shape(value, (0, 1)), size], axis=0)
        how = {"mode": "linear", "coordinate_transformation_mode": "align_corners"}
        self.add("Resize", [value, "", "", sizes], outputs, **how)

    # -- the finished graph

    def finished(self, inputs: Sequence[Described], outputs: Sequence[Described]) -> Any:
        """The ModelProto from inputs to outputs, checked."""
        read, made = ([helper.make_tensor_value_info(*value) for value in values] for values in (inputs, outputs))
        graph = helper.make_graph(self.nodes, self.graph.name or "net", read, made, list(self.initializers.values()))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="deeplab-caffe")
        model.ir_version = IR_VERSION
        checker.check_model(model)
        return model


def _equal(one: np.ndarray, other: np.ndarray) -> bool:
    return one.dtype == other.dtype and np.array_equal(one, other)
