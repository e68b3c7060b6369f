"""Readers of operators with one input that work element by element: activations, normalisation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...arrays import Shape
from .model import BOOL, FLOATS, INTEGERS, OnnxNode
from .net import CaffeNet, layer_name
from .registry import reads

_PRODUCT = 0


@reads("Identity")
def _identity(net: CaffeNet, node: OnnxNode) -> None:
    net.alias(node)


@reads("Dropout")
def _dropout(net: CaffeNet, node: OnnxNode) -> None:
    if node.present(2) and np.any(net.weights(node, 2, "training_mode")):
        node.fail("drops values at random (training_mode); export the model in evaluation mode")
    net.alias(node)


@reads("Cast")
def _cast(net: CaffeNet, node: OnnxNode) -> None:
    before, after = net.model.types.get(node.inputs[0]), node.get("to")
    if (before in FLOATS and after in INTEGERS) or (after == BOOL and before != BOOL):
        node.fail("makes whole numbers of its input, which has no counterpart in Caffe")
    net.alias(node)  # every blob is float32; the verification shows a cast to float16 that loses more


def _simple(type: str, **fixed: Any) -> Callable[[CaffeNet, OnnxNode], None]:
    """A reader for operators whose layer has no settings."""

    def read(net: CaffeNet, node: OnnxNode) -> None:
        net.add(node, type, [net.blob(node, node.inputs[0])], [node.outputs[0]], **fixed)

    return read


for _operator, _type in (
    ("Relu", "ReLU"),
    ("Sigmoid", "Sigmoid"),
    ("Tanh", "TanH"),
    ("Abs", "AbsVal"),
    ("Softplus", "BNLL"),
):
    reads(_operator)(_simple(_type))
for _operator, _type in (("Exp", "Exp"), ("Log", "Log")):
    reads(_operator)(_simple(_type))
for _operator, _fields in (("Neg", {"scale": -1}), ("Sqrt", {"power": 0.5}), ("Reciprocal", {"power": -1})):
    reads(_operator)(_simple("Power", power_param=_fields))


@reads("LeakyRelu")
def _leaky(net: CaffeNet, node: OnnxNode) -> None:
    _simple("ReLU", relu_param={"negative_slope": node.get("alpha", 0.01)})(net, node)


@reads("Elu")
def _elu(net: CaffeNet, node: OnnxNode) -> None:
    _simple("ELU", elu_param={"alpha": node.get("alpha", 1.0)})(net, node)


@reads("PRelu")
def _prelu(net: CaffeNet, node: OnnxNode) -> None:
    slope, shape = net.weights(node, 1, "slopes"), net.shape(node, node.inputs[0])
    channels = shape[1] if len(shape) > 1 else 1
    if slope.size != 1 and (1,) * (len(shape) - slope.ndim) + slope.shape != _of_channels(shape):
        node.fail(f"has slopes {slope.shape} for {shape}; expected one, or one for each of the {channels} channels")
    bottoms = [net.blob(node, node.inputs[0])]
    fields = {"channel_shared": True} if slope.size == 1 and channels != 1 else {}
    blob = slope.reshape(() if fields else (-1,))
    net.add(node, "PReLU", bottoms, [node.outputs[0]], blobs=[blob], prelu_param=fields)


def _of_channels(shape: Shape) -> Shape:
    """The shape of one value for each channel: (1, C, 1, 1)."""
    return tuple(size if axis == 1 else 1 for axis, size in enumerate(shape))


@reads("Clip")
def _clip(net: CaffeNet, node: OnnxNode) -> None:
    least, greatest = (net.model.argument(node, word, place) for place, word in ((1, "min"), (2, "max")))
    low, high = (None if x is None or not np.isfinite(x) else float(np.ravel(x)[0]) for x in (least, greatest))
    if high is None and low == 0:
        _simple("ReLU")(net, node)
    elif high is None and low is None:
        net.alias(node)
    else:
        limit = float(np.finfo(np.float32).max)
        fields = {"min": -limit if low is None else low, "max": limit if high is None else high}
        _simple("Clip", clip_param=fields)(net, node)


@reads("HardSigmoid")
def _hard_sigmoid(net: CaffeNet, node: OnnxNode) -> None:
    _gate(net, node, node.get("alpha", 0.2), node.get("beta", 0.5), node.outputs[0])


@reads("HardSwish")
def _hard_swish(net: CaffeNet, node: OnnxNode) -> None:
    gate = net.fresh(node, "gate")
    _gate(net, node, 1 / 6, 0.5, gate)
    bottoms = [net.blob(node, node.inputs[0]), gate]
    net.add(node, "Eltwise", bottoms, [node.outputs[0]], eltwise_param={"operation": _PRODUCT})


def _gate(net: CaffeNet, node: OnnxNode, scale: float, shift: float, top: str) -> None:
    """scale * x + shift, held within 0 and 1."""
    line = net.fresh(node, "line")
    power = {"scale": scale, "shift": shift}
    net.add(node, "Power", [net.blob(node, node.inputs[0])], [line], f"{node.name}_line", power_param=power)
    net.add(node, "Clip", [line], [top], clip_param={"min": 0, "max": 1})


@reads("Softmax")
def _softmax(net: CaffeNet, node: OnnxNode) -> None:
    _add_softmax(net, node, node.outputs[0])


@reads("LogSoftmax")
def _log_softmax(net: CaffeNet, node: OnnxNode) -> None:
    share = net.fresh(node, "softmax")
    _add_softmax(net, node, share)
    net.add(node, "Log", [share], [node.outputs[0]])


def _add_softmax(net: CaffeNet, node: OnnxNode, top: str) -> None:
    """Add a Softmax; until opset 12 one of all axes from the stated one on together."""
    shape = net.shape(node, node.inputs[0])
    bottom, together = net.blob(node, node.inputs[0]), net.model.opset < 13
    axis = node.get("axis", 1 if together else -1) % len(shape)
    others = [other for other in range(axis, len(shape)) if shape[other] != 1] if together else [axis]
    if len(others) < 2:
        axis = others[0] if others else axis
        name = "" if top == node.outputs[0] else f"{node.name}_softmax"
        net.add(node, "Softmax", [bottom], [top], name, softmax_param={} if axis == 1 else {"axis": axis})
        return
    flat, share = net.fresh(node, "flat"), net.fresh(node, "share")
    net.add(node, "Flatten", [bottom], [flat], f"{node.name}_flat", flatten_param={"axis": axis})
    net.add(node, "Softmax", [flat], [share], f"{node.name}_share", softmax_param={"axis": axis})
    net.add(node, "Reshape", [share], [top], f"{node.name}_back", reshape_param={"shape": {"dim": shape}})


@reads("ArgMax")
def _argmax(net: CaffeNet, node: OnnxNode) -> None:
    shape = net.shape(node, node.inputs[0])
    axis = node.get("axis", 0) % len(shape)
    if node.get("keepdims", 1):
        _simple("ArgMax", argmax_param={"axis": axis})(net, node)
        return
    kept, dims = net.fresh(node, "kept"), [0] * axis + list(shape[axis + 1 :])
    net.add(node, "ArgMax", [net.blob(node, node.inputs[0])], [kept], argmax_param={"axis": axis})
    net.add(node, "Reshape", [kept], [node.outputs[0]], f"{node.name}_axis", reshape_param={"shape": {"dim": dims}})


@reads("LRN")
def _lrn(net: CaffeNet, node: OnnxNode) -> None:
    given = {"local_size": node.get("size"), "alpha": node.get("alpha", 1e-4), "beta": node.get("beta", 0.75)}
    _simple("LRN", lrn_param=given | {"k": node.get("bias", 1.0)})(net, node)


@reads("BatchNormalization")
def _batch_normalization(net: CaffeNet, node: OnnxNode) -> None:
    if node.get("training_mode", 0):
        node.fail("uses the statistics of the batch; export the model in evaluation mode")
    slope, offset, mean, variance = (net.weights(node, i, "statistics") for i in range(1, 5))
    name = layer_name(node.inputs[1]) or node.name
    plain = bool((slope == 1).all() and not offset.any())
    middle = node.outputs[0] if plain else net.fresh(node, "normalised")
    fields = {"use_global_stats": True, "eps": node.get("epsilon", 1e-5)}
    blobs = [mean, variance, np.ones(1, np.float32)]
    net.add(node, "BatchNorm", [net.blob(node, node.inputs[0])], [middle], name, blobs, batch_norm_param=fields)
    if not plain:
        how = {"bias_term": True}
        net.add(node, "Scale", [middle], [node.outputs[0]], f"{name}_scale", [slope, offset], scale_param=how)
