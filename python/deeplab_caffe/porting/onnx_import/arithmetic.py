"""Readers of arithmetic: several blobs, or a blob and a constant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays import Shape
from .model import OnnxNode
from .net import CaffeNet, layer_name
from .registry import reads

_PRODUCT, _MAX = 0, 2


@reads("Add", "Sub", "Mul", "Div", "Max", "Min", "Sum")
def _arithmetic(net: CaffeNet, node: OnnxNode) -> None:
    constant = [i for i, name in enumerate(node.inputs) if net.constant(name) is not None]
    if len(node.inputs) == 1:
        net.alias(node)
        return
    if len(constant) == 1 and len(node.inputs) == 2:
        _with_constant(net, node, constant[0])
        return
    shapes = [net.shape(node, name) for name in node.inputs]
    if len(set(shapes)) == 1:
        _ELTWISE[node.operator](net, node, [net.blob(node, name) for name in node.inputs])
    elif node.operator in ("Mul", "Add") and len(shapes) == 2:
        _spread(net, node)
    else:
        node.fail(f"computes with the shapes {' and '.join(map(str, shapes))}; Caffe's Eltwise has equal ones alone")


def _eltwise(**fields: Any) -> Callable[[CaffeNet, OnnxNode, list[str]], None]:
    def add(net: CaffeNet, node: OnnxNode, bottoms: list[str]) -> None:
        net.add(node, "Eltwise", bottoms, [node.outputs[0]], eltwise_param=fields)

    return add


def _quotient(net: CaffeNet, node: OnnxNode, bottoms: list[str]) -> None:
    inverse = net.fresh(node, "inverse")
    net.add(node, "Power", bottoms[1:], [inverse], f"{node.name}_inverse", power_param={"power": -1})
    _eltwise(operation=_PRODUCT)(net, node, [bottoms[0], inverse])


def _least(net: CaffeNet, node: OnnxNode, bottoms: list[str]) -> None:
    """-max(-a, -b)."""
    opposite = {"scale": -1}
    negatives = [net.fresh(node, "negative") for _ in bottoms]
    for bottom, negative in zip(bottoms, negatives, strict=True):
        net.add(node, "Power", [bottom], [negative], f"{node.name}_negative", power_param=opposite)
    greatest = net.fresh(node, "greatest")
    net.add(node, "Eltwise", negatives, [greatest], f"{node.name}_greatest", eltwise_param={"operation": _MAX})
    net.add(node, "Power", [greatest], [node.outputs[0]], power_param=opposite)


_ELTWISE: dict[str, Callable[[CaffeNet, OnnxNode, list[str]], None]] = {
    "Add": _eltwise(),
    "Sum": _eltwise(),
    "Sub": _eltwise(coeff=[1, -1]),
    "Mul": _eltwise(operation=_PRODUCT),
    "Max": _eltwise(operation=_MAX),
    "Div": _quotient,
    "Min": _least,
}


def _spread(net: CaffeNet, node: OnnxNode) -> None:
    """A blob (N, C, H, W) times, or plus, a value for each of its channels (N, C, 1, 1), or a map (N, 1, H, W)."""
    large, small = sorted(node.inputs, key=lambda name: -int(np.prod(net.shape(node, name))))
    whole, part = net.shape(node, large), net.shape(node, small)
    if len(whole) == 4 and part == (whole[0], 1, *whole[2:]):  # a map for all channels
        tiled = net.fresh(node, "tiled")
        tile = {"axis": 1, "tiles": whole[1]}
        net.add(node, "Tile", [net.blob(node, small)], [tiled], f"{node.name}_tile", tile_param=tile)
        _ELTWISE[node.operator](net, node, [net.blob(node, large), tiled])
        return
    axes = len(part)
    while axes and part[axes - 1] == 1:
        axes -= 1
    if len(part) != len(whole) or part[:axes] != whole[:axes]:
        node.fail(f"spreads {part} over {whole}; Caffe spreads a value for each item and channel, (N, C, 1, 1), alone")
    bottom = net.blob(node, small)
    if axes < len(part):
        flat = net.fresh(node, "flat")
        shape = {"dim": [0] * axes}
        net.add(node, "Reshape", [bottom], [flat], f"{node.name}_flat", reshape_param={"shape": shape})
        bottom = flat
    kind, field = ("Scale", "scale_param") if node.operator == "Mul" else ("Bias", "bias_param")
    settings: dict[str, Any] = {field: {"axis": 0}}
    net.add(node, kind, [net.blob(node, large), bottom], [node.outputs[0]], **settings)


def _with_constant(net: CaffeNet, node: OnnxNode, place: int) -> None:
    """One blob and one constant: Power for a number, Scale or Bias for a value per channel or the like."""
    value = node.inputs[1 - place]
    values = np.asarray(net.constant(node.inputs[place]), np.float32)
    shape = net.shape(node, value)
    if node.operator in ("Max", "Min"):
        _limited(net, node, value, values)
        return
    if net.shape(node, node.outputs[0]) != shape:
        node.fail(f"spreads its input {shape} over a constant {values.shape}, which has no counterpart in Caffe")
    bottom, operator = net.blob(node, value), node.operator
    if operator == "Div" and place == 1 and not values.all():
        node.fail("divides by a constant that is zero")
    if place == 0 and operator in ("Sub", "Div"):  # the constant stands on the left
        value, bottom = "", _turned(net, node, bottom)
    if operator in ("Sub", "Div"):
        if place == 1:
            values = -values if operator == "Sub" else np.float32(1) / values
        operator = "Add" if operator == "Sub" else "Mul"
    if values.size == 1:
        _number(net, node, value, bottom, operator, float(values.reshape(-1)[0]))
    elif not (operator == "Add" and value and _joined(net, node, value, shape, values)):
        _per_channel(net, node, bottom, shape, values, operator)


def _limited(net: CaffeNet, node: OnnxNode, value: str, values: NDArray[np.float32]) -> None:
    """The greater, or the smaller, of a blob and a number."""
    if values.size != 1 or values.ndim > len(net.shape(node, value)):
        node.fail(f"compares with a constant {values.shape}; Caffe's Clip has one number")
    number, limit = float(values.reshape(-1)[0]), float(np.finfo(np.float32).max)
    if node.operator == "Max" and number == 0:
        net.add(node, "ReLU", [net.blob(node, value)], [node.outputs[0]])
        return
    fields = {"min": number, "max": limit} if node.operator == "Max" else {"min": -limit, "max": number}
    net.add(node, "Clip", [net.blob(node, value)], [node.outputs[0]], clip_param=fields)


def _turned(net: CaffeNet, node: OnnxNode, bottom: str) -> str:
    """The negative or the inverse of a blob, to which a constant is added or with which it is multiplied."""
    power = {"scale": -1} if node.operator == "Sub" else {"power": -1}
    turned = net.fresh(node, "turned")
    net.add(node, "Power", [bottom], [turned], f"{node.name}_turned", power_param=power)
    return turned


def _number(net: CaffeNet, node: OnnxNode, value: str, bottom: str, operator: str, number: float) -> None:
    """Multiply by a number or add it; what is added to a product belongs to the layer of the product."""
    before = net.sole_maker(value, "Power")
    fits = before is not None and before.power_param.power == 1 and before.power_param.shift == 0
    if before is not None and fits and operator == "Add":
        before.power_param.shift = number
        net.retop(before, node.outputs[0])
        return
    field = {"shift" if operator == "Add" else "scale": number}
    net.add(node, "Power", [bottom], [node.outputs[0]], power_param=field)


@reads("Pow")
def _power(net: CaffeNet, node: OnnxNode) -> None:
    exponent = net.weights(node, 1, "exponents")
    if exponent.size != 1:
        node.fail(f"has exponents {exponent.shape}; Caffe's Power has one")
    power = float(exponent.reshape(-1)[0])
    before = net.sole_maker(node.inputs[0], "Power")
    if before is not None and before.power_param.power == 1:
        before.power_param.power = power
        net.retop(before, node.outputs[0])
    else:
        net.add(node, "Power", [net.blob(node, node.inputs[0])], [node.outputs[0]], power_param={"power": power})


def _axes(values: NDArray[np.float32], shape: Shape) -> tuple[int, Shape]:
    """The axis at which a constant that is spread over a shape begins, and its sizes, without ones at both ends.

    Example:
        >>> _axes(np.ones((3, 1, 1), np.float32), (2, 3, 4, 4))
        (1, (3,))
    """
    sizes = (1,) * (len(shape) - values.ndim) + values.shape
    used = [axis for axis, size in enumerate(sizes) if size != 1]
    return used[0], sizes[used[0] : used[-1] + 1]


def _joined(net: CaffeNet, node: OnnxNode, value: str, shape: Shape, values: NDArray[np.float32]) -> bool:
    """Whether the layer before takes the constant as its bias: an InnerProduct or a Scale without one."""
    axis, sizes = _axes(values, shape)
    product, scale = (net.sole_maker(value, kind) for kind in ("InnerProduct", "Scale"))
    if product is not None and axis == len(shape) - 1 and not product.inner_product_param.bias_term:
        layer, field = product, product.inner_product_param
    elif scale is not None and _takes_bias(net, scale, axis, sizes):
        layer, field = scale, scale.scale_param
    else:
        return False
    field.bias_term = True
    net.blobs[layer.name].append(values.reshape(sizes))
    net.retop(layer, node.outputs[0])
    return True


def _takes_bias(net: CaffeNet, scale: Any, axis: int, sizes: Shape) -> bool:
    own = net.blobs.get(scale.name, [])
    return len(own) == 1 and own[0].shape == sizes and scale.scale_param.axis == axis


def _per_channel(
    net: CaffeNet, node: OnnxNode, bottom: str, shape: Shape, values: NDArray[np.float32], operator: str
) -> None:
    axis, sizes = _axes(values, shape)
    if sizes != shape[axis : axis + len(sizes)]:
        node.fail(f"spreads a constant {values.shape} over {shape} in a way that Caffe's Scale and Bias have not")
    fields = {key: x for key, x in (("axis", axis), ("num_axes", len(sizes))) if x != 1}
    kind, field = ("Scale", "scale_param") if operator == "Mul" else ("Bias", "bias_param")
    constant = next(name for name in node.inputs if net.constant(name) is not None)
    settings: dict[str, Any] = {field: fields}
    net.add(node, kind, [bottom], [node.outputs[0]], layer_name(constant), [values.reshape(sizes)], **settings)
