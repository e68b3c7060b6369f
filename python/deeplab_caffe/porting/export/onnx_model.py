"""A net as an ONNX model, its batch and image of any size that the net takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..surgery import Preprocessing
from . import (  # noqa: F401 - they register what writes each type
    onnx_detection,
    onnx_functions,
    onnx_layers,
    onnx_regions,
)
from .graph import Graph
from .onnx_graph import FLOAT, UINT8, Described, OnnxGraph
from .onnx_registry import write

_SPATIAL = (2, 3)


def net_model(graph: Graph, blobs: Sequence[str] = (), dynamic: bool = True) -> Any:
    """A net as a ModelProto: float32 inputs (N, C, H, W) to its outputs.

    Args:
        graph: the net.
        blobs: names of blobs that become outputs besides the net's own.
        dynamic: whether batch, height and width stay open; else they are the net's.
    """
    written = _written(graph, blobs)
    inputs = [_described(name, shape, dynamic) for name, shape in graph.inputs.items()]
    for name, value in written.copies.items():
        written.copy(value, name)
    named = [*((name, value) for value, name in written.outputs.items()), *written.copies.items()]
    outputs = [_described(name, graph.shapes[value], dynamic, f"{name}_") for name, value in named]
    return written.finished(inputs, outputs)


def image_model(graph: Graph, wants: Preprocessing, stride: int, offset: int) -> Any:
    """A net with its pre- and postprocessing: images, uint8 (N, h, w, 3) in RGB, to labels, uint8 (N, h, w).

    Images of any size are padded at the bottom and on the right with the mean, up to a size that the net takes; labels
    are the arg-max of its one output of scores.

    Args:
        graph: the net; its one input is an image, one of its outputs as large as that.
        wants: the preprocessing that the net was trained with.
        stride, offset: sizes that the net takes are stride * k + offset.

    Raises:
        InputError: where the net has no such input or output.
    """
    data, scores = graph.scores_of_image()
    written = _written(graph)
    net, written.nodes = written.nodes, []
    _prepare(written, "image", data, wants, stride, offset)
    written.nodes += net
    _label(written, "image", graph.outputs[scores], "labels")
    image = ("image", UINT8, ["batch", "height", "width", 3])
    labels = ("labels", UINT8, ["batch", "height", "width"])
    return written.finished([image], [labels])


def _written(graph: Graph, blobs: Sequence[str] = ()) -> OnnxGraph:
    """The nodes of all layers."""
    written = OnnxGraph(graph, blobs)
    for node in graph.nodes:
        write(written, node)
    return written


def _prepare(g: OnnxGraph, image: str, data: str, wants: Preprocessing, stride: int, offset: int) -> None:
    x = g.add("Transpose", g.add("Cast", [image], to=FLOAT), perm=[0, 3, 1, 2])
    if wants.order == "BGR":
        x = g.add("Gather", [*x, g.integers([2, 1, 0])], axis=1)
    for operator, values in (("Sub", wants.mean), ("Mul", wants.scale)):
        numbers = np.array(values, np.float32).reshape(3, 1, 1)
        x = g.add(operator, [*x, g.constant(f"image.{operator.lower()}", numbers)])
    # n + (offset - n) mod stride is the next size that fits; Mod gives the sign of its divisor
    (less,) = g.add("Sub", [g.integers([offset]), g.shape(x[0], _SPATIAL)])
    (more,) = g.add("Mod", [less, g.integers([stride])])
    (pads,) = g.add("Concat", [g.integers([0] * 6), more], axis=0)
    g.add("Pad", [*x, pads], [data])


def _label(g: OnnxGraph, image: str, scores: str, labels: str) -> None:
    size = g.shape(image, (1, 2))
    x = g.add("Slice", [scores, g.integers([0, 0]), size, g.integers(_SPATIAL)])
    x = g.add("ArgMax", x, axis=1, keepdims=0, select_last_index=1)
    g.add("Cast", x, [labels], to=UINT8)


def _described(name: str, shape: Sequence[int], dynamic: bool, prefix: str = "") -> Described:
    """A float32 value; open sizes are named, an output's with its name before, as they may differ from the input's."""
    sizes: list[Any] = list(shape)
    if dynamic:
        sizes[0] = "batch"
        for axis, word in zip(_SPATIAL, ("height", "width"), strict=True):
            if axis < len(sizes):
                sizes[axis] = prefix + word
    return name, FLOAT, sizes
