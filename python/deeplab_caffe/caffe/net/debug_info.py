"""What `debug_info: true` prints: mean absolute values along a pass. Mirrors `net.cpp`, ForwardDebugInfo and others."""

from __future__ import annotations

import torch

from .. import log
from .graph import NetGraph


def forward(net: NetGraph, index: int) -> None:
    """The values of a layer's tops and parameters."""
    step = net.steps[index]
    layer = step.layer
    for name, blob in zip(step.top_names, step.tops, strict=True):
        log.info(f"    [Forward] Layer {layer.name}, top blob {name} data: {_mean(blob.data_tensor())}", "net.cpp:622")
    for i, blob in enumerate(layer.blobs):
        shown = layer.param.param[i].name if i < len(layer.param.param) else ""
        log.info(
            f"    [Forward] Layer {layer.name}, param blob {shown or i} data: {_mean(blob.data_tensor())}",
            "net.cpp:634",
        )


def backward(net: NetGraph, index: int) -> None:
    """The gradients that a layer passed on, and those of its parameters."""
    step = net.steps[index]
    layer = step.layer
    for name, blob, flag in zip(step.bottom_names, step.bottoms, layer.propagate_down, strict=True):
        if flag:
            log.info(
                f"    [Backward] Layer {layer.name}, bottom blob {name} diff: {_mean(blob.diff_tensor())}",
                "net.cpp:650",
            )
    for i, (blob, flag) in enumerate(zip(layer.blobs, layer.param_propagate, strict=True)):
        if flag:
            log.info(
                f"    [Backward] Layer {layer.name}, param blob {i} diff: {_mean(blob.diff_tensor())}", "net.cpp:661"
            )


def all_params(net: NetGraph) -> None:
    """The norms of all learnable parameters and their gradients, after a whole backward pass."""
    data = [p.blob.data_tensor().detach() for p in net.learnable_params]
    diff = [p.blob.diff_tensor().detach() for p in net.learnable_params]
    sums = [log.number(float(sum(t.abs().sum() for t in values))) for values in (data, diff)]
    norms = [log.number(float(sum(t.square().sum() for t in values)) ** 0.5) for values in (data, diff)]
    log.error(
        f"    [Backward] All net params (data, diff): L1 norm = ({sums[0]}, {sums[1]}); "
        f"L2 norm = ({norms[0]}, {norms[1]})",
        "net.cpp:749",
    )


def _mean(values: torch.Tensor) -> str:
    return log.number(float(values.detach().abs().mean()) if values.numel() else 0.0)
