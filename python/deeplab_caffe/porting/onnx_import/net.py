"""The Caffe net that an import builds, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays import Shape
from ...errors import InputError
from ...formats import schema
from .model import OnnxModel, OnnxNode

#: layer types of forks, and whose; all others that the functions for operators write are BVLC's
FORKS = {"Permute": "SSD's Caffe", "Interp": "DeepLab's Caffe"}


class CaffeNet:
    """A net under construction. Blobs have the names of the model's values, layers those of their weights or nodes.

    Attributes:
        model: where values come from.
        param: the NetParameter so far.
        blobs: the parameters of layers, by layer name.
        padding: values that a node has padded, which a convolution is to pad instead: the value and (height, width).
    """

    def __init__(self, model: OnnxModel, allow_forks: bool) -> None:
        self.model = model
        self.allow_forks = allow_forks
        self.param = schema.NetParameter(name=model.name or "net")
        self.blobs: dict[str, list[NDArray[np.float32]]] = {}
        self.padding: dict[str, tuple[str, tuple[int, int]]] = {}
        self._blob_of: dict[str, str] = {}
        self._makers: dict[str, Any] = {}
        self._made = 0
        self._shapes: dict[str, Shape] = {}
        for name in model.inputs:
            layer = self.param.layer.add(name=name, type="Input", top=[name])
            layer.input_param.shape.add(dim=model.shapes[name])

    # -- values

    def constant(self, name: str) -> NDArray[Any] | None:
        """A value that does not depend on inputs, or None."""
        return self.model.constants.get(name)

    def weights(self, node: OnnxNode, place: int, what: str = "weights") -> NDArray[np.float32]:
        """An input that must be constant, as float32."""
        values = self.constant(node.inputs[place])
        if values is None:
            node.fail(f"computes its {what} from the input; only fixed values can be imported")
        return np.ascontiguousarray(values, np.float32)

    def shape(self, node: OnnxNode, value: str) -> Shape:
        """The shape of a value that a node reads or makes."""
        if value in self._shapes:
            return self._shapes[value]
        if value not in self.model.shapes:
            node.fail(f"the shape of '{value}' depends on the values of the input; only fixed shapes can be imported")
        return self.model.shapes[value]

    def state(self, blob: str, shape: Shape) -> None:
        """Say the shape of a blob that the model has no value for, so that readers may ask for it."""
        self._shapes[blob] = shape

    def blob(self, node: OnnxNode, value: str) -> str:
        """The blob of a value that a node reads."""
        if value in self.padding:
            node.fail(f"reads '{value}', which a Pad makes; Caffe pads in a convolution alone")
        if self.constant(value) is not None:
            node.fail(f"reads the constant '{value}' as if it were a blob, which has no counterpart in Caffe")
        blob = self._blob_of.get(value, value)
        if blob not in self._makers and blob not in self.model.inputs:
            node.fail(f"reads '{value}', which no layer makes")
        return blob

    def alias(self, node: OnnxNode) -> None:
        """Make a node's output another name of its first input."""
        self._blob_of[node.outputs[0]] = self.blob(node, node.inputs[0])

    def blob_of_output(self, value: str) -> str:
        """The blob of one of the model's outputs."""
        blob = self._blob_of.get(value, value)
        if blob not in self._makers and blob not in self.model.inputs:
            raise InputError(f"{self.model.source}: output '{value}' is made by no layer")
        return blob

    # -- layers

    def add(
        self,
        node: OnnxNode,
        type: str,
        bottoms: Sequence[str],
        tops: Sequence[str],
        name: str = "",
        blobs: Sequence[NDArray[Any]] = (),
        **fields: Any,
    ) -> Any:
        """Add a layer.

        Args:
            node: the node that it comes from.
            bottoms, tops: names of blobs.
            name: of the layer; "" for the node's. A name that is taken gets a number.
            blobs: its parameters.
            fields: fields of the layer, such as relu_param, as messages or dictionaries.
        """
        if type in FORKS and not self.allow_forks:
            node.fail(f"has no counterpart in BVLC's Caffe; with --allow-forks it becomes {type} of {FORKS[type]}")
        layer = self.param.layer.add(name=self._free_name(name or node.name), type=type, bottom=bottoms, top=tops)
        for field, values in fields.items():
            message = getattr(layer, field)
            message.SetInParent()
            for key, value in values.items():
                _set(message, key, value)
        if blobs:
            self.blobs[layer.name] = [np.asarray(blob, np.float32) for blob in blobs]
        self._makers.update((top, layer) for top in tops)
        return layer

    def fresh(self, node: OnnxNode, word: str) -> str:
        """A name for a blob that the model has no value for."""
        while True:
            self._made += 1
            name = f"{node.outputs[0]}.{word}{self._made}"
            if not any(name in taken for taken in (self.model.shapes, self.model.readers, self._makers)):
                return name

    def _free_name(self, wanted: str) -> str:
        taken = {layer.name for layer in self.param.layer}
        number, name = 1, wanted
        while name in taken:
            number += 1
            name = f"{wanted}_{number}"
        return name

    # -- joining a node with the layer before it

    def sole_maker(self, value: str, type: str) -> Any | None:
        """The layer of this type that makes a value, if nothing else reads the value and it is the layer's only top."""
        layer = self._makers.get(self._blob_of.get(value, value))
        alone = self.model.readers[value] == 1 and value not in self._blob_of
        return layer if layer is not None and layer.type == type and alone and len(layer.top) == 1 else None

    def retop(self, layer: Any, value: str) -> None:
        """Let a layer make another value in place of its own."""
        for top in layer.top:
            del self._makers[top]
        del layer.top[:]
        layer.top.append(value)
        self._makers[value] = layer

    def maker(self, blob: str) -> Any | None:
        """The layer that makes a blob, or None."""
        return self._makers.get(blob)

    def remove(self, layer: Any) -> None:
        """Take a layer out again."""
        self.param.layer.remove(layer)
        for top in layer.top:
            del self._makers[top]
        self.blobs.pop(layer.name, None)


def _set(message: Any, key: str, value: Any) -> None:
    field = getattr(message, key)
    if isinstance(value, list | tuple):
        field.extend(value)
    elif isinstance(value, dict):
        for inner, content in value.items():
            _set(field, inner, content)
    else:
        setattr(message, key, value)


def layer_name(weights: str) -> str:
    """The layer whose weights have a name, such as `features.0` for `features.0.weight`; "" if the name does not say.

    Example:
        >>> layer_name("layer1.0.conv1.weight"), layer_name("conv1_1.0"), layer_name("w")
        ('layer1.0.conv1', 'conv1_1', '')
    """
    before, _, last = weights.rpartition(".")
    known = ("weight", "bias", "0", "1", "slope", "mul", "add", "W", "kernel", "mean", "var", "offset")
    return before if last in known else ""
