"""Which layers after a convolution can be computed with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...formats import schema
from ...formats.layer_facts import IDENTITY
from ..net.graph import NetGraph
from ..net.step import NetStep
from .lifetimes import permanent


def find_chains(net: NetGraph, run: Sequence[int], kept: Sequence[str]) -> dict[int, list[int]]:
    """Of each 2-D convolution among the layers that are run: its index, and those of the layers computed with it.

    These are affine layers, then a ReLU, and Dropout that does nothing. Nobody else may see what lies between.
    """
    readers: dict[int, list[int]] = {}
    for i in run:
        for memory in net.steps[i].memories:
            readers.setdefault(memory, []).append(i)
    held = permanent(net, kept)
    return {i: _chain(net, i, readers, held) for i in run if _is_start(net.steps[i])}


def _is_start(step: NetStep) -> bool:
    layer = step.layer
    plane = layer.type == "Convolution" and getattr(layer, "spatial", 0) == 2 and getattr(layer, "channel_axis", 0) == 1
    return plane and len(step.tops) == 1 and not any(layer.loss_weights)


def _chain(net: NetGraph, start: int, readers: Mapping[int, list[int]], held: set[int]) -> list[int]:
    chain = [start]
    rectified = False
    while True:
        following = _sole_follower(net, chain[-1], readers, held)
        if following is None:
            return chain
        layer = net.layers[following]
        idle = layer.facts.in_use == IDENTITY and layer.phase == schema.TEST
        if rectified and not idle:
            return chain
        rectified = rectified or layer.type == "ReLU"
        if not (idle or rectified or layer.is_affine):
            return chain
        chain.append(following)


def _sole_follower(net: NetGraph, index: int, readers: Mapping[int, list[int]], held: set[int]) -> int | None:
    """The next layer that touches a layer's top, if it reads only that and no other layer needs what it read."""
    blob = net.steps[index].tops[0]
    later = [i for i in readers[id(blob.data_memory)] if i > index]
    if not later:
        return None
    step = net.steps[later[0]]
    if len(step.bottoms) != 1 or step.bottoms[0] is not blob or len(step.tops) != 1 or any(step.layer.loss_weights):
        return None
    in_place = step.tops[0] is blob
    missed = len(later) > 1 or id(blob.data_memory) in held
    return later[0] if in_place or not missed else None
