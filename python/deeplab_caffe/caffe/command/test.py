"""`caffe test`: score a net with given weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch

from ...errors import InputError
from ...formats import schema
from .. import log
from ..net.net import Net
from ..net.weights import weight_layers
from ..solver.log import with_loss
from .flags import Flags, use_one_device


def test(flags: Flags) -> None:
    """Run a net in its TEST phase for some batches and log each value of each output, and the means.

    By the planned execution, which keeps the outputs alone, unless `plain`.
    """
    flags.require("test", "model", "weights")
    with flags.in_force():
        use_one_device(flags, ("caffe.cpp:270", "caffe.cpp:279"))
        net = Net(flags.model, schema.TEST, flags.level, flags.stages)
        _load(net, flags.weights, flags.allow_uninitialized)
        try:
            _score(net, flags)
        finally:
            net.close()


def _load(net: Net, weights: str, allow_uninitialized: bool) -> None:
    """Copy the weights in; refuse those that say nothing of a layer that needs some, or name it in a warning."""
    loaded = net.copy_from(weights)
    layers = weight_layers(net)
    missing = [name for name, layer in layers.items() if name not in loaded and layer.needs_weights]
    if missing and not (allow_uninitialized and loaded):
        raise InputError(
            f"{net.source}: {weights} has no weights for {len(missing)} of the {len(layers)} layers that need some, "
            f"'{missing[0]}' the first; give weights of this net, or --allow_uninitialized"
        )
    for name in missing:
        log.warning(f"Layer {name} gets no weights from {weights}; it keeps those it began with", "caffe.cpp:284")


def _score(net: Net, flags: Flags) -> None:
    count = flags.iterations
    run = _plain(net, flags.precision) if flags.plain else net.plan(precision=flags.precision, exact=flags.exact).run
    log.info(f"Running for {count} iterations.", "caffe.cpp:285")
    loss = np.zeros((), np.float32)
    sums: list[np.ndarray] = []
    for batch in range(count):
        loss += float(run())
        log.open_files()
        net.deferred_checks.finish()
        values = [net.blobs[name].data.ravel() for name in net.outputs]
        _log_batch(batch, net.outputs, values)
        sums = _added(net, sums, values)
    log.info(f"Loss: {log.number(float(loss / np.float32(count)))}", "caffe.cpp:313")
    _log_means(net, [total / np.float32(count) for total in sums])


def _plain(net: Net, precision: str) -> Callable[[], torch.Tensor]:
    net.set_precision(precision)
    return partial(net.forward_range, 0, len(net.layers) - 1)


def _log_batch(batch: int, names: Sequence[str], values: Sequence[np.ndarray]) -> None:
    for name, own in zip(names, values, strict=True):
        for value in own.tolist():
            log.info(f"Batch {batch}, {name} = {log.number(value)}", "caffe.cpp:308")


def _added(net: Net, sums: list[np.ndarray], values: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The sums so far, float32 as in Caffe, with one batch's values added."""
    for name, total, own in zip(net.outputs, sums, values, strict=False):
        if total.shape != own.shape:
            raise InputError(
                f"{net.source}: output '{name}' has {own.size} values in this batch and had {total.size} before; "
                "only outputs of one size can be averaged: let the net end in Accuracy, a loss, or Silence"
            )
    return [total + own for total, own in zip(sums, values, strict=True)] if sums else [own.copy() for own in values]


def _log_means(net: Net, means: Sequence[np.ndarray]) -> None:
    weights = net.blob_loss_weights
    for name, own in zip(net.outputs, means, strict=True):
        for value in own.tolist():
            log.info(f"{name} = {with_loss(value, weights[name])}", "caffe.cpp:325")
