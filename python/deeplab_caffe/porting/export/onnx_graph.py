"""A net as an ONNX model, its batch and image of any size that the net takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import InputError
from ..surgery import Preprocessing
from . import onnx_functions, onnx_layers  # noqa: F401 - they register what writes each type
from .graph import Graph, Node
from .onnx_registry import write

try:
    import onnx
    from onnx import TensorProto, helper, numpy_helper
except ImportError:  # pragma: no cover - an optional library
    raise InputError("ONNX needs the library onnx: pip install 'deeplab-caffe[onnx]'") from None

#: of the operators, and of the file; runtimes since 2022 read them
OPSET, IR_VERSION = 17, 8
_SPATIAL = (2, 3)


class OnnxGraph:
    """An ONNX graph in the making. Its inputs and outputs have the names of the net's blobs."""

    def __init__(self, graph: Graph, blobs: Sequence[str] = ()) -> None:
        """blobs: names of blobs that become outputs besides the net's own."""
        self.graph = graph
        self.nodes: list[Any] = []
        self.initializers: dict[str, Any] = {}
        self.made = 0
        outputs = dict(graph.outputs) | {name: graph.values[name] for name in blobs}
        #: value → the name of the output that it is
        self.outputs = {value: name for name, value in outputs.items() if value not in graph.inputs}
        for node in graph.nodes:
            write(self, node)

    def name(self, value: str) -> str:
        """A value's name in ONNX: its output's; another value must not be called like an output."""
        if value in self.outputs:
            return self.outputs[value]
        return f"{value}.inner" if value in self.outputs.values() else value

    # -- what the writers of layers use

    def add(
        self, operator: str, inputs: Sequence[str], outputs: Sequence[str] | None = None, **given: Any
    ) -> list[str]:
        """Add a node; without names for its outputs it makes one of its own."""
        if outputs is None:
            self.made += 1
            outputs = [f"_{operator.lower()}_{self.made}"]
        read, made = ([self.name(value) for value in values] for values in (inputs, outputs))
        self.nodes.append(helper.make_node(operator, read, made, name=f"{operator}_{len(self.nodes)}", **given))
        return list(outputs)

    def constant(self, name: str, values: np.ndarray) -> str:
        """A constant of that name, kept once."""
        if name not in self.initializers:
            self.initializers[name] = numpy_helper.from_array(np.ascontiguousarray(values), name)
        return name

    def parameters(self, node: Node) -> list[str]:
        """The layer's blobs as constants, which layers that share them have in common."""
        return [self.constant(f"{node.owner}.{i}", blob) for i, blob in enumerate(node.blobs)]

    def integers(self, values: Sequence[int]) -> str:
        numbers = np.array(list(values), np.int64)
        return self.constant("int64." + "_".join(map(str, numbers)), numbers)

    def number(self, value: float) -> str:
        return self.constant(f"float.{np.float32(value)!r}", np.array(value, np.float32))

    def shape(self, value: str, axes: Sequence[int]) -> str:
        """The sizes of some axes of a value, as integers (len(axes))."""
        return self.add("Gather", [*self.add("Shape", [value]), self.integers(axes)])[0]

    def sliced(self, value: str, starts: Sequence[int], ends: Sequence[int], axes: Sequence[int]) -> str:
        return self.add("Slice", [value, *(self.integers(x) for x in (starts, ends, axes))])[0]

    def filled(self, shape: Sequence[str], value: float, outputs: Sequence[str]) -> None:
        """A value of that shape (an integer for each axis) which is one number everywhere."""
        number = numpy_helper.from_array(np.array([value], np.float32))
        self.add("ConstantOfShape", shape, outputs, value=number)

    def resize(self, value: str, size: str, outputs: Sequence[str]) -> None:
        """Bilinear, corners on corners, to a size (2 integers)."""
        (sizes,) = self.add("Concat", [self.shape(value, (0, 1)), size], axis=0)
        how = {"mode": "linear", "coordinate_transformation_mode": "align_corners"}
        self.add("Resize", [value, "", "", sizes], outputs, **how)

    # -- the whole

    def model(self, dynamic: bool = True) -> Any:
        """The ModelProto: float32 inputs (N, C, H, W) to the outputs; `dynamic` leaves batch, height and width open."""
        shapes = self.graph.shapes
        inputs = [_described(name, shape, dynamic) for name, shape in self.graph.inputs.items()]
        outputs = [_described(name, shapes[value], dynamic, f"{name}_") for value, name in self.outputs.items()]
        return self._finished(inputs, outputs)

    def model_of_images(self, wants: Preprocessing, stride: int, offset: int) -> Any:
        """The ModelProto from images, uint8 (N, h, w, 3) in RGB, of any size, to labels, uint8 (N, h, w).

        Images are padded at the bottom and on the right with the mean, up to a size that the net takes (stride * k +
        offset); labels are the arg-max of its one output of scores.
        """
        data, scores = self.graph.scores_of_image()
        net, self.nodes = self.nodes, []
        self._prepare("image", data, wants, stride, offset)
        self.nodes += net
        self._label("image", self.graph.outputs[scores], "labels")
        image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", "height", "width", 3])
        labels = helper.make_tensor_value_info("labels", TensorProto.UINT8, ["batch", "height", "width"])
        return self._finished([image], [labels])

    def _prepare(self, image: str, data: str, wants: Preprocessing, stride: int, offset: int) -> None:
        x = self.add("Transpose", self.add("Cast", [image], to=TensorProto.FLOAT), perm=[0, 3, 1, 2])
        if wants.order == "BGR":
            x = self.add("Gather", [*x, self.integers([2, 1, 0])], axis=1)
        for operator, values in (("Sub", wants.mean), ("Mul", wants.scale)):
            numbers = np.array(values, np.float32).reshape(3, 1, 1)
            x = self.add(operator, [*x, self.constant(f"image.{operator.lower()}", numbers)])
        # n + (offset - n) mod stride is the next size that fits; Mod gives the sign of its divisor
        (less,) = self.add("Sub", [self.integers([offset]), self.shape(x[0], _SPATIAL)])
        (more,) = self.add("Mod", [less, self.integers([stride])])
        (pads,) = self.add("Concat", [self.integers([0] * 6), more], axis=0)
        self.add("Pad", [*x, pads], [data])

    def _label(self, image: str, scores: str, labels: str) -> None:
        size = self.shape(image, (1, 2))
        x = self.add("Slice", [scores, self.integers([0, 0]), size, self.integers(_SPATIAL)])
        x = self.add("ArgMax", x, axis=1, keepdims=0, select_last_index=1)
        self.add("Cast", x, [labels], to=TensorProto.UINT8)

    def _finished(self, inputs: list[Any], outputs: list[Any]) -> Any:
        constants = list(self.initializers.values())
        graph = helper.make_graph(self.nodes, self.graph.name or "net", inputs, outputs, constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="deeplab-caffe")
        model.ir_version = IR_VERSION
        onnx.checker.check_model(model)
        return model


def _described(name: str, shape: Sequence[int], dynamic: bool, prefix: str = "") -> Any:
    """A float32 value; open sizes are named, an output's with its name before, as they may differ from the input's."""
    sizes: list[Any] = list(shape)
    if dynamic:
        sizes[0] = "batch"
        for axis, word in zip(_SPATIAL, ("height", "width"), strict=True):
            if axis < len(sizes):
                sizes[axis] = prefix + word
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, sizes)
