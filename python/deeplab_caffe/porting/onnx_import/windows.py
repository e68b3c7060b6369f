"""Readers of operators with windows: convolutions, pooling, padding, resizing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .depth import over_channels
from .lines import also_of_lines
from .model import OnnxNode
from .net import CaffeNet, layer_name
from .registry import reads

_MAX, _AVERAGE, _FLOOR = 0, 1, 1


@reads("Conv", "ConvTranspose")
@also_of_lines
def _convolution(net: CaffeNet, node: OnnxNode) -> None:
    weights = net.weights(node, 1)
    if weights.ndim == 3:
        weights = weights[:, :, None]
    if weights.ndim != 4 or len(net.shape(node, node.inputs[0])) != 4:
        node.fail(f"its weights are {weights.shape}; only convolutions of images (N, C, H, W) have a counterpart")
    bottom, (more_h, more_w) = _padded(net, node)
    pad_h, pad_w = _pads(net, node, weights.shape[2:])
    if any(node.get("output_padding", [])) or node.get("output_shape"):
        node.fail("has output_padding or output_shape, which Caffe's Deconvolution has not")
    group, is_conv = int(node.get("group", 1)), node.operator == "Conv"
    fields: dict[str, Any] = {
        "num_output": weights.shape[0] if is_conv else weights.shape[1] * group,
        **sides("kernel", weights.shape[2:]),
        **sides("stride", node.get("strides") or [1, 1], unless=1),
        **sides("pad", (pad_h + more_h, pad_w + more_w), unless=0),
        **({"dilation": _dilation(node)} if _dilation(node) != [1] else {}),
        **({"group": group} if group > 1 else {}),
    }
    blobs = [weights]
    if len(node.inputs) > 2 and node.inputs[2]:
        blobs.append(net.weights(node, 2, "bias"))
    else:
        fields["bias_term"] = False
    kind = "Convolution" if is_conv else "Deconvolution"
    name = layer_name(node.inputs[1])
    net.add(node, kind, [bottom], [node.outputs[0]], name, blobs, convolution_param=fields)


def _dilation(node: OnnxNode) -> list[int]:
    high, wide = node.get("dilations") or [1, 1]
    return [high] if high == wide else [high, wide]


def sides(word: str, sizes: Sequence[int], unless: int | None = None) -> dict[str, Any]:
    """The fields of a size: one number if both sides are equal (in a list, as it is repeated), else `_h` and `_w`."""
    high, wide = (int(size) for size in sizes)
    if high == wide:
        name = f"{word}_size" if word == "kernel" else word
        return {} if high == unless else {name: [high]}
    return {f"{word}_h": high, f"{word}_w": wide}


def _padded(net: CaffeNet, node: OnnxNode) -> tuple[str, tuple[int, int]]:
    """The blob that a node reads, before a Pad in front of it, and what that pads."""
    value, pads = net.padding.get(node.inputs[0], (None, (0, 0)))
    return (net.blob(node, node.inputs[0]), pads) if value is None else (value, pads)


def _pads(net: CaffeNet, node: OnnxNode, kernel: Sequence[int]) -> tuple[int, int]:
    """The padding of height and width, which Caffe has the same on both sides."""
    how = node.get("auto_pad", "NOTSET")
    if how in ("NOTSET", "VALID"):
        top, left, bottom, right = node.get("pads") or [0, 0, 0, 0]
    else:
        top, left, bottom, right = _same(net, node, kernel, how)
    if (top, left) != (bottom, right):
        pads = f"{top} above, {bottom} below, {left} on the left, {right} on the right"
        node.fail(f"pads {pads}; Caffe pads both sides alike (an input of another size may give equal sides)")
    return top, left


def _same(net: CaffeNet, node: OnnxNode, kernel: Sequence[int], how: str) -> list[int]:
    """The pads of auto_pad SAME_UPPER or SAME_LOWER: top, left, bottom, right."""
    strides, dilations = node.get("strides") or [1, 1], node.get("dilations") or [1, 1]
    begins, ends = [], []
    for size, k, stride, dilation in zip(net.shape(node, node.inputs[0])[2:], kernel, strides, dilations, strict=True):
        total = max(0, (-(-size // stride) - 1) * stride + (k - 1) * dilation + 1 - size)
        less, more = total // 2, total - total // 2
        begins.append(less if how == "SAME_UPPER" else more)
        ends.append(more if how == "SAME_UPPER" else less)
    return [*begins, *ends]


@reads("MaxPool", "AveragePool")
@also_of_lines
def _pooling(net: CaffeNet, node: OnnxNode) -> None:
    kernel = node.get("kernel_shape")
    if len(kernel) != 2:
        node.fail(f"has a kernel of {len(kernel)} axes; only pooling of images has a counterpart")
    if any(d != 1 for d in node.get("dilations") or []) or len([name for name in node.outputs if name]) > 1:
        node.fail("has dilations or gives indices, which Caffe's Pooling has not")
    pads = _pads(net, node, kernel)
    average = node.operator == "AveragePool"
    if average and any(pads) and not node.get("count_include_pad", 0):
        node.fail("does not count padding (count_include_pad 0), which Caffe's average always does")
    strides = node.get("strides") or [1, 1]
    fields = {
        "pool": _AVERAGE if average else _MAX,
        **_pool_sides("kernel", kernel),
        **_pool_sides("stride", strides, unless=1),
        **_pool_sides("pad", pads, unless=0),
    }
    size = net.shape(node, node.inputs[0])[2:]
    wanted = net.shape(node, node.outputs[0])[2:]
    if any((n - 1) * stride >= a + pad for a, n, stride, pad in zip(size, wanted, strides, pads, strict=True)):
        node.fail("rounds sizes up (ceil_mode) to windows that begin outside of the input; runtimes differ in these")
    if tuple(map(_caffes_size, size, kernel, strides, pads)) != tuple(wanted):
        fields["round_mode"] = _FLOOR
    net.add(node, "Pooling", [net.blob(node, node.inputs[0])], [node.outputs[0]], pooling_param=fields)


def _pool_sides(word: str, sizes: Sequence[int], unless: int | None = None) -> dict[str, Any]:
    return {name: value[0] if isinstance(value, list) else value for name, value in sides(word, sizes, unless).items()}


def _caffes_size(size: int, kernel: int, stride: int, pad: int) -> int:
    """The size of Caffe's Pooling, which rounds up (`pooling_layer.cpp`)."""
    pooled = -(-(size + 2 * pad - kernel) // stride) + 1
    return pooled - 1 if pad and (pooled - 1) * stride >= size + pad else pooled


@reads("GlobalAveragePool", "GlobalMaxPool")
@also_of_lines
def _global_pooling(net: CaffeNet, node: OnnxNode) -> None:
    kind = _AVERAGE if node.operator == "GlobalAveragePool" else _MAX
    global_pooling(net, node, kind, node.outputs[0])


def global_pooling(net: CaffeNet, node: OnnxNode, kind: int, top: str, name: str = "") -> None:
    """Add a Pooling over the whole of (N, C, H, W)."""
    if len(net.shape(node, node.inputs[0])) != 4:
        node.fail("reads no image (N, C, H, W)")
    fields = {"pool": kind, "global_pooling": True}
    net.add(node, "Pooling", [net.blob(node, node.inputs[0])], [top], name, pooling_param=fields)


@reads("ReduceMean", "ReduceMax", "ReduceSum")
def _reduce(net: CaffeNet, node: OnnxNode) -> None:
    shape = net.shape(node, node.inputs[0])
    axes = net.model.argument(node, "axes", 1)
    found = sorted(int(axis) % len(shape) for axis in (range(len(shape)) if axes is None else axes))
    if len(shape) == 4 and found == [1] and node.get("keepdims", 1):
        over_channels(net, node)
        return
    if len(shape) != 4 or found != [2, 3]:
        where = "only height and width, or the channels (with keepdims), of images have a counterpart"
        node.fail(f"reduces the axes {found} of {shape}; {where}")
    if node.operator == "ReduceSum":
        pooled = net.fresh(node, "mean")
        global_pooling(net, node, _AVERAGE, pooled, f"{node.name}_mean")
        dims = net.shape(node, node.outputs[0])
        summed = node.outputs[0] if len(dims) == 4 else net.fresh(node, "sum")
        net.add(node, "Power", [pooled], [summed], power_param={"scale": shape[2] * shape[3]})
        if len(dims) != 4:
            net.add(node, "Flatten", [summed], [node.outputs[0]], f"{node.name}_flat")
        return
    kind = _AVERAGE if node.operator == "ReduceMean" else _MAX
    if node.get("keepdims", 1):
        global_pooling(net, node, kind, node.outputs[0])
        return
    pooled = net.fresh(node, "pool")
    global_pooling(net, node, kind, pooled)
    net.add(node, "Flatten", [pooled], [node.outputs[0]])


@reads("Pad")
def _pad(net: CaffeNet, node: OnnxNode) -> None:
    pads = [int(x) for x in np.ravel(net.model.argument(node, "pads", 1))]
    value = net.model.argument(node, "constant_value", 2, node.get("value", 0))
    if net.model.opset >= 18 and node.present(3):
        pads = _of_all_axes(net, node, pads)
    half = len(pads) // 2
    if not any(pads):
        net.alias(node)
        return
    fits = half == 4 and pads[:half] == pads[half:] and not any(pads[:2]) and min(pads) >= 0
    if node.get("mode", "constant") != "constant" or float(np.ravel(value)[0]) != 0 or not fits:
        how = f"pads {pads} (mode {node.get('mode', 'constant')})"
        node.fail(f"{how}; only zeros, alike on both sides, have a counterpart")
    readers = [n for n in net.model.nodes if node.outputs[0] in n.inputs]
    if any(n.operator != "Conv" for n in readers) or node.outputs[0] in net.model.outputs:
        node.fail("is read by more than convolutions; Caffe pads in a convolution alone")
    net.padding[node.outputs[0]] = (net.blob(node, node.inputs[0]), (pads[2], pads[3]))


def _of_all_axes(net: CaffeNet, node: OnnxNode, pads: Sequence[int]) -> list[int]:
    """The pads of some axes as those of all: begins, then ends."""
    rank = len(net.shape(node, node.inputs[0]))
    axes = [int(axis) % rank for axis in np.ravel(net.weights(node, 3, "axes"))]
    found = [0] * (2 * rank)
    for axis, begin, end in zip(axes, pads[: len(axes)], pads[len(axes) :], strict=True):
        found[axis], found[rank + axis] = begin, end
    return found
