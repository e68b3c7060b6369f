"""Which layers run backward, and into which bottoms gradients flow. Mirrors `net.cpp`, Init."""

from __future__ import annotations

from collections.abc import Sequence

from ..blob import Blob
from ..layer_types.base import Layer
from .step import NetStep


def decide_backward(
    layer: Layer, bottoms: Sequence[Blob], tops: Sequence[Blob], needs: dict[int, bool], force_backward: bool
) -> None:
    """Set a layer's flags from those of its bottoms (`needs`, by blob), and note those of its tops.

    A stated propagate_down replaces the bottoms' own flags: it may force as well as cut. Whether the layer runs
    backward at all is decided by what its bottoms themselves need.
    """
    flags = [needs.get(id(b), False) for b in bottoms]
    layer.needs_backward = any(flags) or any(layer.param_propagate)
    for blob in tops:
        needs[id(blob)] = layer.needs_backward
    flags = list(layer.param.propagate_down) or flags
    if force_backward:
        layer.needs_backward = True
        flags = [flag or layer.allow_force_backward(i) for i, flag in enumerate(flags)]
    layer.propagate_down = flags


def prune_backward(steps: Sequence[NetStep], force_backward: bool) -> None:
    """Switch backward off where no loss lies above, or where nothing above needs a gradient."""
    if force_backward:
        return
    under_loss: set[int] = set()
    wanted: dict[int, bool] = {}
    for step in reversed(steps):
        layer = step.layer
        contributes = any(layer.loss_weights) or any(id(b) in under_loss for b in step.tops)
        skip = bool(step.tops) and all(wanted.get(id(b)) is False for b in step.tops)
        if skip or not contributes:
            layer.needs_backward = False
            layer.propagate_down = [False] * len(step.bottoms)
        for blob, flag in zip(step.bottoms, layer.propagate_down, strict=True):
            if contributes:
                under_loss.add(id(blob))
            wanted[id(blob)] = flag


def allow_overwriting(steps: Sequence[NetStep]) -> None:
    """Tell the layers that work in place whether they may write over what they read."""
    free: dict[int, bool] = {}
    for step in steps:
        in_place = any(b in step.tops for b in step.bottoms)
        step.layer.overwrites = in_place and all(free.get(id(b)) for b in step.bottoms)
        free.update((id(blob), step.layer.facts.top_is_free) for blob in step.tops)
