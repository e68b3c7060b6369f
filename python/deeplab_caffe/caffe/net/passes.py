"""The passes over a net's layers, forward and backward. Mirrors `net.cpp`, ForwardFromTo and BackwardFromTo."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from .. import mode
from ..layer_types.label_check import LabelError
from . import debug_info, deferred_checks

if TYPE_CHECKING:
    from .net import Net


def forward(net: Net, start: int, end: int) -> torch.Tensor:
    """Run layers start to end (inclusive); the loss of those layers, left on the device."""
    deferred_checks.settle(net, wait=False)
    loss: torch.Tensor | None = None
    for i in range(start, end + 1):
        net.call_back("<f", i)
        run_layer(net, i)
        if net.debug_info:
            debug_info.forward(net, i)
        loss = plus_loss(loss, net, i)
        net.call_back("f>", i)
    return torch.zeros((), device=mode.device()) if loss is None else loss


def run_layer(net: Net, index: int) -> None:
    """Give a layer's tops their shapes and compute them."""
    layer, bottoms, tops = net.layers[index], net._bottoms[index], net._tops[index]
    layer.reshape(bottoms, tops)
    try:
        layer.forward(bottoms, tops)
    except LabelError as error:
        raise deferred_checks.explained(net, error) from None
    deferred_checks.note(net, layer)


def plus_loss(loss: torch.Tensor | None, net: Net, index: int) -> torch.Tensor | None:
    """A loss so far (None for none) and that of a layer, times its weight."""
    for blob, weight in zip(net._tops[index], net.layers[index].loss_weights, strict=True):
        if weight:
            data = blob.data_tensor()
            plain = data.dim() == 0 and not blob.diff_memory.viewed
            term = data * weight if plain else (data * blob.diff_tensor()).sum()
            loss = term if loss is None else loss + term
    return loss


def backward(net: Net, start: int, end: int, release: bool = False) -> None:
    """Run backward from layer start down to end (inclusive); `release` frees what forward kept for it."""
    for i in range(start, end - 1, -1):
        layer = net.layers[i]
        net.call_back("<b", i)
        if layer.needs_backward:
            layer.backward(net._tops[i], layer.propagate_down, net._bottoms[i])
            if net.debug_info:
                debug_info.backward(net, i)
            if release:
                layer.release()
        net.call_back("b>", i)
    if net.debug_info and end == 0 and start == len(net.layers) - 1:
        debug_info.all_params(net)
