"""Whether an ONNX model is valid, and no larger than it looks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ...errors import InputError
from .libraries import checker, onnx

#: functions may call functions: a small file can stand for any number of nodes
_MOST_NODES = 1 << 18


def check(proto: Any) -> None:
    """Raise what `onnx.checker` raises on a model; unlike it, accepts outputs without a shape."""
    checked = onnx.ModelProto()
    checked.CopyFrom(proto)
    for output in checked.graph.output:
        if output.type.HasField("tensor_type"):
            output.type.tensor_type.shape.SetInParent()
    checker.check_model(checked)


def demand_bounded(proto: Any, source: str) -> None:
    """Raise InputError if a model has too many nodes once its functions are written out, or if they call themselves."""
    functions = {(function.domain, function.name): function for function in proto.functions}
    counts: dict[tuple[str, str], int] = {}

    def count(nodes: Iterable[Any], calling: tuple[tuple[str, str], ...]) -> int:
        return sum(1 + count_of((node.domain, node.op_type), calling) for node in nodes)

    def count_of(name: tuple[str, str], calling: tuple[tuple[str, str], ...]) -> int:
        if name not in functions:
            return 0
        if name in calling or len(calling) > 100:
            raise InputError(f"{source}: function '{name[1]}' calls itself, or functions call each other too deeply")
        if name not in counts:
            counts[name] = count(_nodes(functions[name].node), (*calling, name))
        return counts[name]

    if (nodes := count(_nodes(proto.graph.node), ())) > _MOST_NODES:
        raise InputError(f"{source}: has {nodes} nodes with its functions written out; expected at most {_MOST_NODES}")


def _nodes(nodes: Iterable[Any]) -> Iterator[Any]:
    """Nodes, and those of the graphs within them."""
    for node in nodes:
        yield node
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                yield from _nodes(graph.node)


def tensors(proto: Any) -> Iterator[Any]:
    """All tensors of a model: initializers and attributes, also of functions and of graphs within nodes."""
    yield from _of_graph(proto.graph)
    for function in proto.functions:
        yield from _of_nodes(function.node)


def _of_graph(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _of_nodes(graph.node)


def _of_nodes(nodes: Iterable[Any]) -> Iterator[Any]:
    for node in nodes:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for graph in (attribute.g, *attribute.graphs):
                yield from _of_graph(graph)


def external(tensor: Any) -> Mapping[str, str]:
    """Where a tensor's values are, if not in the model: location, offset, length."""
    return {entry.key: entry.value for entry in tensor.external_data}


def demand_beside(path: Path, proto: Any) -> None:
    """Refuse weights in files that are not plain files of the model's folder."""
    for tensor in tensors(proto):
        location = external(tensor).get("location")
        if location is None:
            continue
        beside = path.parent / location
        if Path(location).name != location or beside.is_symlink():
            raise InputError(f"{path}: weights '{tensor.name}' are in {location!r}; expected a file in the same folder")
        if not beside.is_file():
            raise InputError(f"{path}: its weights are in {location}, which is missing; put it into the same folder")


def demand_complete(proto: Any, source: str) -> None:
    """Refuse a model in memory whose weights are in files."""
    for tensor in tensors(proto):
        if "location" in external(tensor):
            raise InputError(f"{source}: weights '{tensor.name}' are in a file; give the model's file instead")
