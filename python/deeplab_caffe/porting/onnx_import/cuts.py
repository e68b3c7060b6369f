"""Readers of operators that take some places of an axis: Split, Slice, Gather."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from .model import OnnxNode
from .net import CaffeNet
from .registry import reads

#: tops that a Slice may have, which are joined in another order
_MOST_PIECES = 1024
_MAX = 0

#: adds layers that make a blob (the second) of another
_Step = Callable[[str, str], None]


@reads("Split")
def _split(net: CaffeNet, node: OnnxNode) -> None:
    axis = node.get("axis", 0) % len(net.shape(node, node.inputs[0]))
    sizes = [net.shape(node, name)[axis] for name in node.outputs]
    _cut(net, node, net.blob(node, node.inputs[0]), axis, np.cumsum(sizes)[:-1].tolist(), node.outputs)


@reads("Slice")
def _slice(net: CaffeNet, node: OnnxNode) -> None:
    shape = net.shape(node, node.inputs[0])
    begins, ends = (np.ravel(net.model.argument(node, word, i)) for i, word in ((1, "starts"), (2, "ends")))
    axes = np.ravel(net.model.argument(node, "axes", 3, np.arange(len(begins))))
    steps = np.ravel(net.model.argument(node, "steps", 4, np.ones(len(begins))))
    done: list[_Step] = []
    strides = {2: 1, 3: 1}
    for begin, end, step, given in zip(begins, ends, steps, axes, strict=True):
        axis = int(given) % len(shape)
        places = range(*slice(int(begin), int(end), int(step)).indices(shape[axis]))
        if not places:
            node.fail(f"takes nothing of axis {axis}; Caffe has no empty blobs")
        if step > 1 and len(shape) == 4 and axis in strides:
            strides[axis], places = int(step), range(places[0], places[-1] + 1)
        if list(places) != list(range(shape[axis])):
            done.append(partial(_take, net, node, axis, shape[axis], list(places)))
    if any(step > 1 for step in strides.values()):
        done.append(partial(_every, net, node, strides[2], strides[3]))
    if not done:
        net.alias(node)
    blob = net.blob(node, node.inputs[0])
    for i, add in enumerate(done, 1):
        top = node.outputs[0] if i == len(done) else net.fresh(node, "cut")
        add(blob, top)
        blob = top


def _every(net: CaffeNet, node: OnnxNode, stride_h: int, stride_w: int, bottom: str, top: str) -> None:
    """Add what takes rows and columns at equal distances: a Pooling that looks at one position."""
    fields = {"pool": _MAX, "kernel_size": 1, "stride_h": stride_h, "stride_w": stride_w}
    net.add(node, "Pooling", [bottom], [top], pooling_param=fields)


@reads("Gather")
def _gather(net: CaffeNet, node: OnnxNode) -> None:
    shape, indices = net.shape(node, node.inputs[0]), net.constant(node.inputs[1])
    if indices is None:
        node.fail("computes its indices from the input; only fixed places can be imported")
    if indices.ndim > 1:
        node.fail(f"takes indices {indices.shape}; Caffe joins places along one axis")
    axis = node.get("axis", 0) % len(shape)
    places = [int(place) % shape[axis] for place in np.ravel(indices)]
    if not places:
        node.fail("takes nothing; Caffe has no empty blobs")
    bottom = net.blob(node, node.inputs[0])
    if indices.ndim == 0:
        one = net.fresh(node, "one") if shape[axis] > 1 else bottom
        if one != bottom:
            _take(net, node, axis, shape[axis], places, bottom, one)
        dims = net.shape(node, node.outputs[0])
        net.add(node, "Reshape", [one], [node.outputs[0]], f"{node.name}_axis", reshape_param={"shape": {"dim": dims}})
    elif places == list(range(shape[axis])):
        net.alias(node)
    else:
        _take(net, node, axis, shape[axis], places, bottom, node.outputs[0])


def _take(
    net: CaffeNet, node: OnnxNode, axis: int, size: int, places: Sequence[int], bottom: str, top: str
) -> None:
    """Add the layers that take places of an axis in their order: a Slice into runs of them, and a Concat."""
    ends = [i for i in range(1, len(places)) if places[i] != places[i - 1] + 1]
    runs = [(places[a], places[b - 1] + 1) for a, b in zip([0, *ends], [*ends, len(places)], strict=True)]
    points = sorted({point for run in runs for point in run} - {0, size})
    if max(len(points), len(runs)) > _MOST_PIECES:
        node.fail(f"takes {len(runs)} separate pieces of axis {axis}; Caffe's Slice makes a blob of each")
    edges = [0, *points, size]
    alone = len(runs) == 1
    names = [top if alone and low == runs[0][0] else net.fresh(node, "piece") for low in edges[:-1]]
    if points:
        _cut(net, node, bottom, axis, points, names)
    else:
        names = [bottom]
    parts = [name for low, high in runs for edge, name in zip(edges, names, strict=False) if low <= edge < high]
    unused = [name for name in names if name not in parts]
    if unused:
        net.add(node, "Silence", unused, [], f"{node.name}_rest")
    if not alone:
        fields = {} if axis == 1 else {"axis": axis}
        net.add(node, "Concat", parts, [top], f"{node.name}_order", concat_param=fields)


def _cut(net: CaffeNet, node: OnnxNode, blob: str, axis: int, points: Sequence[int], tops: Sequence[str]) -> None:
    fields = {"slice_point": list(points)} | ({} if axis == 1 else {"axis": axis})
    net.add(node, "Slice", [blob], tops, slice_param=fields)
