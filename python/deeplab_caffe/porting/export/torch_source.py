"""The source of an `nn.Module` that computes what a net does, in one file that needs only PyTorch."""

from __future__ import annotations

import inspect
import json
import keyword
import re
from collections.abc import Iterator, Sequence

import numpy as np

from . import torch_detection, torch_parts  # noqa: F401 - the first registers what writes its types
from .graph import Graph, Node
from .torch_layers import write

#: types after which variables that are no longer needed are deleted, several in one line
_ENDS_A_BLOCK = {"Pooling", "Eltwise", "Concat", "Interp"}


class TorchSource:
    """A graph as Python source, its state dict, and the layer in Caffe of each module.

    text: the file. state: name → values. layers: attribute → (layer name, type, names of its parameters in Caffe's
    order), from which the weights can be converted back.
    """

    def __init__(self, graph: Graph, blobs: Sequence[str] = ()) -> None:
        """blobs: names of blobs that the module returns in addition to the net's outputs."""
        self.graph = graph
        self.outputs = dict(graph.outputs) | {name: graph.values[name] for name in blobs}
        self.class_name = _class_name(graph.name)
        self._written = {node.name: write(node) for node in graph.nodes}
        self._modules = {node.name: self._written[node.name].module for node in graph.owners}
        self.state: dict[str, np.ndarray] = {}
        self.layers: dict[str, tuple[str, str, list[str]]] = {}
        for node in graph.owners:
            names = list(self._written[node.name].parameters)
            self.layers[node.name] = (node.layer.name, node.type, names)
            for name, values in zip(names, node.blobs, strict=True):
                self.state[f"{node.name}.{name}"] = values
        self.text = "\n".join(self._lines()) + "\n"

    def metadata(self) -> dict[str, str]:
        """Metadata for a safetensors file, from which its tensors can be converted back to a .caffemodel."""
        return {"caffe_layers": json.dumps(self.layers), "net": self.graph.name}

    def _lines(self) -> Iterator[str]:
        inputs = ", ".join(f"{name} {_shape(shape)}" for name, shape in self.graph.inputs.items())
        yield f'"""{_harmless(self.graph.name) or "A net"} as a PyTorch module. Takes {inputs}."""'
        yield ""
        yield from ["from __future__ import annotations", ""]
        parts = dict.fromkeys(part for w in self._written.values() for part in w.parts)
        sources = [inspect.getsource(getattr(torch_parts, part)).rstrip() for part in parts]
        if any("math." in text for text in (*sources, *(w.call for w in self._written.values()))):
            yield from ["import math", ""]
        yield from ["import torch", "from torch import nn", "from torch.nn import functional as F"]
        for source in sources:
            yield from ["", "", source]
        yield from ["", "", f"class {self.class_name}(nn.Module):"]
        yield from self._docstring()
        yield from ["", "    def __init__(self) -> None:", "        super().__init__()"]
        for name, module in self._modules.items():
            yield f"        self.{name} = {module}"
        yield ""
        yield from self._forward()

    def _docstring(self) -> Iterator[str]:
        outputs = [f"{_harmless(name)} {_shape(self.graph.shapes[value])}" for name, value in self.outputs.items()]
        yield f'    """Returns {", ".join(outputs)} as a dict, for the sizes stated; batch and image may have others.'
        yield ""
        yield "    Load the weights: net.load_state_dict(safetensors.torch.load_file(path)); then net.eval()."
        yield '    """'

    def _forward(self) -> Iterator[str]:
        arguments = ", ".join(f"{name}: torch.Tensor" for name in self.graph.inputs)
        yield f"    def forward(self, {arguments}) -> dict[str, torch.Tensor]:"
        last = {value: index for index, node in enumerate(self.graph.nodes) for value in node.bottoms}
        last.update(dict.fromkeys(self.outputs.values(), len(self.graph.nodes)))
        variables = _Variables(self.graph, last, {part for w in self._written.values() for part in w.parts})
        for index, node in enumerate(self.graph.nodes):
            bottoms, tops = variables.step(index, node)
            yield f"        {', '.join(tops)} = {self._call(node, bottoms)}"
            if node.type in _ENDS_A_BLOCK and (gone := variables.unused(index)):
                yield f"        del {', '.join(gone)}"
        results = ", ".join(f"{json.dumps(name)}: {variables.of[value]}" for name, value in self.outputs.items())
        yield f"        return {{{results}}}"

    def _call(self, node: Node, bottoms: list[str]) -> str:
        written = self._written[node.name]
        if node.blobs and written.module != self._modules[node.owner]:
            node.fail(
                f"shares its parameters with '{node.owner}', but has other sizes, which is not supported in exports"
            )
        return written.call.format(*bottoms, module=f"self.{node.owner}")


class _Variables:
    """Which variable holds which value: a value that replaces its bottom, as of a ReLU, uses the same variable."""

    def __init__(self, graph: Graph, last: dict[str, int], functions: set[str]) -> None:
        """functions: names that no variable may have, which would hide a function."""
        self.of = {value: value for value in graph.inputs}
        self.blob_of = graph.blob_of
        self.last = last
        self.functions = functions

    def step(self, index: int, node: Node) -> tuple[list[str], list[str]]:
        """The variables that a node reads and sets."""
        bottoms = [self.of[value] for value in node.bottoms]
        replaces = self.blob_of[node.tops[0]] == self.blob_of[node.bottoms[0]]
        if len(node.tops) == 1 and replaces and self.last.get(node.bottoms[0]) == index:
            del self.of[node.bottoms[0]]
            self.of[node.tops[0]] = bottoms[0]
        else:
            self.of.update((value, self._free(value)) for value in node.tops)
        return bottoms, [self.of[value] for value in node.tops]

    def _free(self, value: str) -> str:
        name = value
        while name in self.functions or (name != value and name in self.blob_of):
            name += "_"
        return name

    def unused(self, index: int) -> list[str]:
        """The variables whose values no later node reads; they are removed."""
        gone = [value for value in self.of if self.last.get(value, index) <= index]
        return [self.of.pop(value) for value in gone]


def _harmless(text: str) -> str:
    """A name from a prototxt, made safe for a docstring."""
    return re.sub(r"[^\w .,:()/-]", "_", text)


def _class_name(name: str) -> str:
    """CamelCase: `deeplab_v2-resnet101` → `DeeplabV2Resnet101`."""
    found = "".join(part[0].upper() + part[1:] for part in re.split(r"\W|_", name) if part)
    return found if found.isidentifier() and not keyword.iskeyword(found) else f"Net{found}"


def _shape(shape: tuple[int, ...]) -> str:
    return f"({', '.join(map(str, shape))})"
