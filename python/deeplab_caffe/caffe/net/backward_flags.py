"""Which layers run backward, and into which bottoms gradients flow. Mirrors `net.cpp`, Init."""

from __future__ import annotations

from collections.abc import Sequence

from ..blob import Blob
from ..layer_types.base import Layer

#: types whose gradient does not read their tops
_TOPS_UNREAD = {"BN", "BatchNorm", "Bias", "Convolution", "Deconvolution", "Eltwise", "InnerProduct", "Scale"}


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


def prune_backward(
    layers: Sequence[Layer], bottoms: Sequence[Sequence[Blob]], tops: Sequence[Sequence[Blob]], force_backward: bool
) -> None:
    """Switch backward off where no loss lies above, or where all that lies above wants no gradient."""
    if force_backward:
        return
    under_loss: set[int] = set()
    wanted: dict[int, bool] = {}
    for i in reversed(range(len(layers))):
        layer = layers[i]
        contributes = any(layer.loss_weights) or any(id(b) in under_loss for b in tops[i])
        skip = bool(tops[i]) and all(wanted.get(id(b)) is False for b in tops[i])
        if skip or not contributes:
            layer.needs_backward = False
            layer.propagate_down = [False] * len(bottoms[i])
        for blob, flag in zip(bottoms[i], layer.propagate_down, strict=True):
            if contributes:
                under_loss.add(id(blob))
            wanted[id(blob)] = flag


def allow_overwriting(
    layers: Sequence[Layer], bottoms: Sequence[Sequence[Blob]], tops: Sequence[Sequence[Blob]]
) -> None:
    """Tell the layers that work in place whether they may write over what they read."""
    makers: dict[int, str] = {}
    for layer, below, above in zip(layers, bottoms, tops, strict=True):
        layer.overwrites = any(b in above for b in below) and all(makers.get(id(b)) in _TOPS_UNREAD for b in below)
        makers.update((id(blob), layer.type) for blob in above)
