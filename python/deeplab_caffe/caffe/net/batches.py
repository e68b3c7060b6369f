"""Running a net over more items than its batch holds. Mirrors `_Net_forward_all` and its kin of `pycaffe.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np

from ...errors import InputError
from .graph import NetGraph

Arrays = Mapping[str, Any]
#: a pass of a net: names of blobs, first and last layer, arrays by name; returns arrays by name
Pass = Callable[..., Mapping[str, np.ndarray]]


def check(net: NetGraph, arrays: Arrays, wanted: Sequence[str], mismatch: str, what: str) -> None:
    """Refuse arrays that are not one for each of the wanted blobs, or not of their batch size."""
    if set(arrays) != set(wanted):
        raise InputError(f"{mismatch} Given: {', '.join(sorted(arrays))}; wanted: {', '.join(wanted)}")
    for name, values in arrays.items():
        if np.shape(values)[:1] != net.blobs[name].shape[:1]:
            raise InputError(
                f"{what} is not batch sized: '{name}' is {np.shape(values)}, wanted {net.blobs[name].shape}"
            )


def fill_inputs(net: NetGraph, inputs: Arrays) -> None:
    """Copy arrays, one for each input of the net, or none at all, into its input blobs."""
    if inputs:
        check(net, inputs, net.inputs, "Input blob arguments do not match net inputs.", "Input")
    for name, value in inputs.items():
        net.blobs[name].data[...] = value


def forward_all(net: NetGraph, forward: Pass, blobs: Sequence[str] | None, inputs: Arrays) -> dict[str, np.ndarray]:
    """Outputs (and `blobs`) for every item of the inputs: (n, ...) arrays of their own memory."""
    if not _count(inputs):
        raise InputError(f"forward_all needs one or more items for each input of the net: {', '.join(net.inputs)}")
    parts: dict[str, list[np.ndarray]] = {name: [] for name in {*net.outputs, *(blobs or [])}}
    for batch in batches(net, inputs):
        for name, values in forward(blobs, None, None, **batch).items():
            parts[name].append(values.copy())
    return _joined(parts, inputs)


def forward_backward_all(
    net: NetGraph,
    forward: Pass,
    backward: Pass,
    blobs: Sequence[str] | None,
    diffs: Sequence[str] | None,
    arrays: Arrays,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Outputs (and `blobs`), and diffs of the inputs (and `diffs`), for every item of the inputs and top diffs."""
    inputs = {name: values for name, values in arrays.items() if name in net.inputs}
    top_diffs = {name: values for name, values in arrays.items() if name not in net.inputs}
    forward_parts: dict[str, list[np.ndarray]] = {name: [] for name in {*net.outputs, *(blobs or [])}}
    backward_parts: dict[str, list[np.ndarray]] = {name: [] for name in {*net.inputs, *(diffs or [])}}
    nothing: dict[str, np.ndarray] = {}
    for batch, diff_batch in zip_longest(batches(net, inputs), batches(net, top_diffs), fillvalue=nothing):
        for name, values in forward(blobs, None, None, **batch).items():
            forward_parts[name].append(values.copy())
        for name, values in backward(diffs, None, None, **diff_batch).items():
            backward_parts[name].append(values.copy())
    return _joined(forward_parts, inputs), _joined(backward_parts, inputs)


def batches(net: NetGraph, arrays: Arrays) -> Iterator[dict[str, np.ndarray]]:
    """Slices of the size of the first blob's batch; the last one is filled up with zeros."""
    size = _batch_size(net)
    count = _count(arrays)
    for start in range(0, count, size):
        pieces = {name: np.asarray(values[start : start + size]) for name, values in arrays.items()}
        missing = start + size - count
        if missing > 0:
            pieces = {n: np.concatenate([p, np.zeros((missing, *p.shape[1:]), p.dtype)]) for n, p in pieces.items()}
        yield pieces


def _batch_size(net: NetGraph) -> int:
    first = next(iter(net.blobs.values()))
    return first.shape[0] if first.shape else 1


def _count(arrays: Arrays) -> int:
    return len(next(iter(arrays.values()))) if arrays else 0


def _joined(parts: Mapping[str, list[np.ndarray]], inputs: Arrays) -> dict[str, np.ndarray]:
    """Batches as one array, without the items that only filled the last batch."""
    return {name: np.concatenate(pieces)[: _count(inputs)] for name, pieces in parts.items()}


def set_input_arrays(net: NetGraph, data: np.ndarray, labels: np.ndarray) -> None:
    """Give the MemoryData layer that the net begins with its items; see `Net.set_input_arrays`."""
    layer: Any = net.layers[0]
    if layer.type != "MemoryData":
        raise InputError(f"set_input_arrays needs MemoryData as the first layer, '{layer.name}' is {layer.type}")
    layer.reset(data, labels)
