"""Signals of one axis (N, C, L) as images of height 1: what reads windows of images reads theirs too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from .model import OnnxNode
from .net import CaffeNet
from .registry import Reader

#: attributes with a number for each axis, and what they are for the height
_SIZES = {"strides": 1, "dilations": 1, "kernel_shape": 1, "output_padding": 0}
_OFF, _BACK = [0, 0, 1, -1], [0, 0, -1]


def also_of_lines(reader: Reader) -> Reader:
    """The reader of an operator of images, which reads signals as well."""

    def read(net: CaffeNet, node: OnnxNode) -> None:
        shape = net.model.shapes.get(node.inputs[0], ())
        if len(shape) != 3 or node.inputs[0] in net.padding:
            reader(net, node)
            return
        image, result = _image(net, node), net.fresh(node, "row")
        items, channels, length = net.shape(node, node.outputs[0])
        net.state(result, (items, channels, 1, length))
        tops = [result, *node.outputs[1:]]
        reader(net, replace(node, inputs=[image, *node.inputs[1:]], outputs=tops, attributes=_wide(node.attributes)))
        name = f"{node.name}_line"
        net.add(node, "Reshape", [result], [node.outputs[0]], name, reshape_param={"shape": {"dim": _BACK}})

    return read


def _image(net: CaffeNet, node: OnnxNode) -> str:
    """The blob of height 1 that a node reads, without a Reshape there and back."""
    before = net.sole_maker(node.inputs[0], "Reshape")
    if before is not None and list(before.reshape_param.shape.dim) == _BACK:
        net.remove(before)
        return str(before.bottom[0])
    image = net.fresh(node, "image")
    items, channels, length = net.shape(node, node.inputs[0])
    net.state(image, (items, channels, 1, length))
    bottoms = [net.blob(node, node.inputs[0])]
    net.add(node, "Reshape", bottoms, [image], f"{node.name}_image", reshape_param={"shape": {"dim": _OFF}})
    return image


def _wide(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of one axis as those of two."""
    found = dict(attributes)
    for name, height in _SIZES.items():
        if found.get(name):
            found[name] = [height, *_numbers(found[name])]
    if found.get("pads"):
        begin, end = _numbers(found["pads"])
        found["pads"] = [0, begin, 0, end]
    return found


def _numbers(values: Sequence[Any]) -> list[int]:
    return [int(value) for value in values]
