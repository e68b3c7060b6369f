"""The passes over a net's layers, forward and backward. Mirrors `net.cpp`, ForwardFromTo and BackwardFromTo."""

from __future__ import annotations

import torch

from .. import mode
from ..blob import SyncedMemory
from ..layer_types.deferred_check import LabelError
from . import debug_info
from .graph import NetGraph

#: what a user is told who reads the diff of a blob that was not kept
_NOT_KEPT = (
    "the diffs of blobs are not kept in this training, which saves memory; set solver.net.keeps_diffs = True before it"
)


def forward(net: NetGraph, start: int, end: int) -> torch.Tensor:
    """Run layers start to end (inclusive); the loss of those layers, left on the device."""
    net.deferred_checks.finish(wait=False)
    loss: torch.Tensor | None = None
    for i in range(start, end + 1):
        net.call_back("<f", i)
        run_layer(net, i)
        if net.debug_info:
            debug_info.forward(net, i)
        loss = plus_loss(loss, net, i)
        net.call_back("f>", i)
    return torch.zeros((), device=mode.device()) if loss is None else loss


def run_layer(net: NetGraph, index: int) -> None:
    """Give a layer's tops their shapes and compute them."""
    step = net.steps[index]
    step.reshape()
    try:
        step.layer.forward(step.bottoms, step.tops)
    except LabelError as error:
        raise net.deferred_checks.explained(error) from None
    net.deferred_checks.collect(step.layer)


def plus_loss(loss: torch.Tensor | None, net: NetGraph, index: int) -> torch.Tensor | None:
    """A loss so far (None for none) and that of a layer, times its weight."""
    step = net.steps[index]
    for blob, weight in zip(step.tops, step.layer.loss_weights, strict=True):
        if weight:
            data = blob.data_tensor()
            plain = data.dim() == 0 and not blob.diff_memory.viewed
            term = data * weight if plain else (data * blob.diff_tensor()).sum()
            loss = term if loss is None else loss + term
    return loss


def backward(net: NetGraph, start: int, end: int, release: bool = False) -> None:
    """Run backward from layer start down to end (inclusive); `release` frees what forward kept for it.

    And the diffs of blobs, if the net does not keep them, as soon as no layer reads them any more.
    """
    used_up = {} if net.keeps_diffs or not release else diffs_by_last_reader(net)
    for i in range(start, end - 1, -1):
        step = net.steps[i]
        layer = step.layer
        net.call_back("<b", i)
        if layer.needs_backward:
            layer.backward(step.tops, layer.propagate_down, step.bottoms)
            if net.debug_info:
                debug_info.backward(net, i)
            if release:
                layer.release()
        for memory in used_up.get(i, ()):
            memory.drop(_NOT_KEPT)
        net.call_back("b>", i)
    if net.debug_info and end == 0 and start == len(net.steps) - 1:
        debug_info.all_params(net)


def diffs_by_last_reader(net: NetGraph) -> dict[int, list[SyncedMemory]]:
    """The diffs of blobs by the layer that reads them last in backward, the one that makes the blob.

    Not those of parameters, and not the loss weights, which are the diffs of losses.
    """
    kept = {id(param.diff_memory) for step in net.steps for param in step.layer.blobs}
    found: dict[int, list[SyncedMemory]] = {}
    for i, step in enumerate(net.steps):
        weights = step.layer.loss_weights or [0.0] * len(step.tops)
        for blob, weight in zip(step.tops, weights, strict=True):
            if weight == 0 and id(blob.diff_memory) not in kept:
                found.setdefault(i, []).append(blob.diff_memory)
            kept.add(id(blob.diff_memory))  # a later layer in place reads it earlier in backward
    return found
