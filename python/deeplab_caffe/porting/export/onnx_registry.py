"""The layer types that can be written in ONNX (opset 17), and the function that writes each."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ...caffe.layer_types.base import registered
from .graph import Node

if TYPE_CHECKING:
    from .onnx_graph import OnnxGraph

Writer = Callable[["OnnxGraph", Node], None]
WRITERS: dict[str, Writer] = {}


def writes(*types: str) -> Callable[[Writer], Writer]:
    """Decorator: the function adds the nodes of layers of these types."""

    def register(writer: Writer) -> Writer:
        WRITERS.update(dict.fromkeys(types, writer))
        return writer

    return register


def write(graph: OnnxGraph, node: Node) -> None:
    """Add a layer's nodes; InputError if its type or an option has no counterpart in ONNX."""
    operator = node.layer.onnx_operator
    if node.type in WRITERS:
        WRITERS[node.type](graph, node)
    elif operator:
        graph.add(operator, node.bottoms, node.tops)
    else:
        node.fail_of_type("ONNX", written_types())


def written_types() -> list[str]:
    """The types that are written: those with a writer, and those whose class states an `onnx_operator`."""
    return sorted({*WRITERS, *(name for name, cls in registered().items() if cls.onnx_operator)})
