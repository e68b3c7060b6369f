"""A net as other frameworks need it: without in-place layers, Splits, and layers that matter only in training."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from ...arrays import Shape
from ...caffe import TEST
from ...errors import InputError
from ...formats.layer_facts import DATA, DROPPED, IDENTITY, LOSS, METRIC, facts_of

if TYPE_CHECKING:
    from ...caffe.layer_types.base import Layer
    from ...caffe.net.net import Net
    from ...caffe.net.step import NetStep

#: of ONNX's operators that exports use; runtimes since 2022 read it
OPSET = 17

#: names that an attribute of a PyTorch module must not have
_RESERVED = ("forward", "training", "state_dict", "to", "type", "float", "half", "train", "eval", "modules", "apply")


@dataclass(frozen=True)
class Node:
    """One layer, set up by the engine, with the values that it reads and makes; each value is made only once.

    name: the layer's name as a unique identifier. owner: the name of the first node with the same parameters, its own
    name if it is the first. blobs: the values of the parameters.
    """

    name: str
    type: str
    layer: Layer
    bottoms: list[str]
    tops: list[str]
    owner: str
    blobs: list[np.ndarray]
    bottom_shapes: list[Shape]
    top_shapes: list[Shape]

    def fail(self, message: str) -> NoReturn:
        """Raise InputError that names file, line, layer and type."""
        self.layer.fail(message)

    def fail_of_type(self, target: str, types: Sequence[str]) -> NoReturn:
        """Raise InputError because the layer's type is none of the `types` that are written in PyTorch or ONNX."""
        kind = facts_of(self.type).kind
        if kind == DATA:
            self.fail("reads data, which an exported net is given; use the deploy net, or put an Input in its place")
        if kind in (LOSS, METRIC):
            self.fail("is for training and testing; use the deploy net, which ends before it")
        self.fail(f"has no counterpart in {target}; supported types are {', '.join(types)}")


@dataclass
class Graph:
    """A net: its inputs with their shapes, its nodes in order, and its outputs, blob name → value."""

    name: str
    source: str
    inputs: dict[str, Shape]
    nodes: list[Node] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict)
    #: value → the name of its blob; several values have the same one if layers work in place
    blob_of: dict[str, str] = field(default_factory=dict)
    #: blob name → its value at the end of a forward pass
    values: dict[str, str] = field(default_factory=dict)

    @property
    def shapes(self) -> dict[str, Shape]:
        """The shape of every value, for the net's own input sizes."""
        made = {top: shape for node in self.nodes for top, shape in zip(node.tops, node.top_shapes, strict=True)}
        return self.inputs | made

    def scores_of_image(self) -> tuple[str, str]:
        """The name of the only input, an image, and of the only output of its size; InputError without the two."""
        images = [name for name, shape in self.inputs.items() if len(shape) == 4 and shape[1] == 3]
        if len(images) != 1 or len(self.inputs) != 1:
            raise InputError(f"{self.source}: expected a single input with three channels, an image")
        size = self.inputs[images[0]][2:]
        scores = [name for name, value in self.outputs.items() if self.shapes[value][2:] == size]
        if len(scores) != 1:
            raise InputError(f"{self.source}: expected a single output of scores with the size of the image")
        return images[0], scores[0]

    @property
    def owners(self) -> Iterator[Node]:
        """The nodes that have parameters of their own."""
        return (node for node in self.nodes if node.blobs and node.owner == node.name)


def reshaped_sizes(node: Node) -> list[int]:
    """What a Reshape makes, for bottoms of any size: 0 copies the bottom's size at that place, −1 stands for the rest.

    Raises:
        InputError: it changes the number of items, which must stay open.
    """
    p, below, above = node.layer.param.reshape_param, node.bottom_shapes[0], node.top_shapes[0]
    sizes: list[int] = list(above)
    if p.axis == 0 and p.num_axes == -1:
        sizes = list(p.shape.dim)
    if sizes[:1] != [0] and below[:1] != above[:1]:
        node.fail("reshapes the batch, which is not supported in exports")
    return [0, *sizes[1:]] if below[:1] == above[:1] else sizes


def check_segnet(node: Node) -> None:
    """Fail for a BN of SegNet that uses the batch's statistics, and for one that is not of maps."""
    if not node.layer.is_affine:
        node.fail("uses the statistics of the batch (bn_mode: LEARN); only bn_mode: INFERENCE can be exported")
    if len(node.bottom_shapes[0]) != 4:
        node.fail("is not of maps (N, C, H, W), which is not supported in exports")


def unpooled_sizes(node: Node) -> list[tuple[int, int]]:
    """Of an Upsample or Unpooling for height and width: (scale, more), the top's size being scale · bottom's + more."""
    layer: Any = node.layer
    one, two = layer.size((1, 1, 1, 1)), layer.size((1, 1, 2, 2))
    return [(after - before, 2 * before - after) for before, after in zip(one, two, strict=True)]


def graph_of(net: Net) -> Graph:
    """The graph of a net in the test phase, whose images come from an Input layer.

    Raises:
        InputError: if the net is in the training phase, has data layers, or has layers that share only some of their
            parameters.
    """
    if net.state.phase != TEST:
        raise InputError(f"{net.source}: is built for training; expected a net for inference, such as the deploy net")
    graph = _Builder(net).graph
    if not graph.nodes:
        raise InputError(f"{net.source}: has no layers to export")
    return graph


class _Builder:
    def __init__(self, net: Net) -> None:
        self.net = net
        self.graph = Graph(net.name or "Net", net.source, {})
        self.present: dict[str, str] = {}  # blob name → the value that it has at this place
        self.value_names: set[str] = set()
        self.node_names: set[str] = set(_RESERVED)
        self.owners: dict[tuple[int, ...], str] = {}
        for step in net.steps:
            self._add(step)
        shown = [name for name in net.outputs if name in self.present]
        self.graph.outputs = {name: self.present[name] for name in shown}
        self.graph.values = dict(self.present)

    def _add(self, step: NetStep) -> None:
        layer = step.layer
        if layer.type == "Input":
            for name, blob in zip(step.top_names, step.tops, strict=True):
                self.present[name] = self._new(name)
                self.graph.inputs[self.present[name]] = tuple(blob.shape)
        elif not step.bottoms and layer.type != "DummyData":
            layer.fail("reads data itself; export the deploy net instead, whose images come from an Input layer")
        elif layer.facts.in_use == IDENTITY:
            self.present.update(dict.fromkeys(step.top_names, self.present[step.bottom_names[0]]))
        elif layer.facts.in_use != DROPPED:
            self.graph.nodes.append(self._node(step))

    def _node(self, step: NetStep) -> Node:
        layer = step.layer
        bottoms = [self.present[name] for name in step.bottom_names]
        tops = [self._new(name) for name in step.top_names]
        self.present.update(zip(step.top_names, tops, strict=True))
        name = self._new(layer.name or layer.type, values=False)
        shapes = [[tuple(blob.shape) for blob in blobs] for blobs in (step.bottoms, step.tops)]
        blobs = [np.array(blob.data) for blob in layer.blobs]
        return Node(name, layer.type, layer, bottoms, tops, self._owner(name, layer), blobs, *shapes)

    def _owner(self, name: str, layer: Layer) -> str:
        """The first layer with the same parameters."""
        memory = tuple(id(blob.data_memory) for blob in layer.blobs)
        owner = self.owners.setdefault(memory, name) if memory else name
        known = {part for other, first in self.owners.items() if first != owner for part in other}
        if known & set(memory):
            layer.fail(
                "shares some of its parameters, but not all, with another layer; this is not supported in exports"
            )
        return owner

    def _new(self, name: str, values: bool = True) -> str:
        """A free identifier similar to `name`, for a value or for a node."""
        plain = re.sub(r"\W", "_", name) or "x"
        plain = f"_{plain}" if plain[0].isdigit() else plain
        taken = self.value_names if values else self.node_names
        candidate, number = plain, 1
        while candidate in taken or keyword.iskeyword(candidate):
            number += 1
            candidate = f"{plain}_{number}"
        taken.add(candidate)
        if values:
            self.graph.blob_of[candidate] = name
        return candidate
