"""What PyTorch writes for `x[:, [2, 0, 1]]`, as the one Gather that it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .model import OnnxModel, OnnxNode


def join_gathers(model: OnnxModel) -> None:
    """Make a Gather of each GatherND of a model that takes fixed places of one axis.

    Its indices are (count, 1), so it takes places of the first axis. PyTorch brings another axis there by a Transpose
    before it, and back by one behind it; both are left out if nothing else reads what they make.
    """
    makers = {name: node for node in model.nodes for name in node.outputs}
    readers = {name: node for node in model.nodes for name in node.inputs}
    joined: dict[str, OnnxNode] = {}
    dropped: list[OnnxNode] = []
    for node in model.nodes:
        places = model.constants.get(node.inputs[1]) if node.operator == "GatherND" else None
        if places is None or places.ndim != 2 or places.shape[1] != 1 or node.get("batch_dims", 0):
            continue
        name = f"{node.outputs[0]}_places"
        model.constants[name] = places[:, 0].astype(np.int64)
        gather = replace(node, operator="Gather", inputs=[node.inputs[0], name], attributes={"axis": 0})
        before, behind = makers.get(node.inputs[0]), readers.get(node.outputs[0])
        if before is not None and behind is not None and _goes_and_comes(model, before, behind):
            axis = _order(model, before)[0]
            ends = [before.inputs[0], name]
            gather = replace(gather, inputs=ends, outputs=behind.outputs, attributes={"axis": axis})
            dropped += [before, behind]
        joined[node.outputs[0]] = gather
    model.nodes = [joined.get(node.outputs[0], node) for node in model.nodes if node not in dropped]


def _goes_and_comes(model: OnnxModel, before: OnnxNode, behind: OnnxNode) -> bool:
    """Whether two nodes are a Transpose and the one that undoes it, around the one reader of the first."""
    if before.operator != "Transpose" or behind.operator != "Transpose":
        return False
    there, back = _order(model, before), _order(model, behind)
    alone = model.readers[before.outputs[0]] == model.readers[behind.inputs[0]] == 1
    return alone and [there[axis] for axis in back] == list(range(len(there)))


def _order(model: OnnxModel, transpose: OnnxNode) -> list[int]:
    axes = len(model.shapes[transpose.inputs[0]])
    return [int(axis) for axis in transpose.get("perm", range(axes)[::-1])]
