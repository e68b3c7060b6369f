"""The passes over a net's layers, forward and backward. Mirrors `net.cpp`, ForwardFromTo and BackwardFromTo."""

from __future__ import annotations

import torch

from .. import mode
from ..layer_types.deferred_check import LabelError
from . import debug_info
from .graph import NetGraph


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
    """Run backward from layer start down to end (inclusive); `release` frees what forward kept for it."""
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
        net.call_back("b>", i)
    if net.debug_info and end == 0 and start == len(net.steps) - 1:
        debug_info.all_params(net)
