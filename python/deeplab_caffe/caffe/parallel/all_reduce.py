"""The mean of gradients over the workers of a group, taken while backward still runs. Mirrors `parallel.cpp`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from ..blob import Blob
from ..net.net import Net
from .group import Group

#: bytes of gradients that are summed in one go: enough to use a link well, few enough to begin early
_BUCKET = 16 << 20


@dataclass
class _Bucket:
    """Parameters whose gradients travel together, those of late layers first; complete after layer `layer` ran."""

    blobs: list[Blob] = field(default_factory=list)
    layer: int = 0
    #: their gradients in one piece of memory, and each one's part of it
    flat: torch.Tensor = field(default_factory=lambda: torch.empty(0))
    slots: list[torch.Tensor] = field(default_factory=list)
    wait: Callable[[], None] | None = None

    @property
    def count(self) -> int:
        return sum(blob.count for blob in self.blobs)

    def begin(self, group: Group) -> None:
        """Start to sum the gradients as they are now."""
        gradients = [blob.diff_tensor() for blob in self.blobs]
        if not self.slots or self.flat.device != gradients[0].device:
            self.flat = torch.empty(self.count, device=gradients[0].device)
            pieces = self.flat.split([blob.count for blob in self.blobs])
            self.slots = [piece.view(blob.shape) for piece, blob in zip(pieces, self.blobs, strict=True)]
        for slot, gradient in zip(self.slots, gradients, strict=True):
            slot.copy_(gradient)
        self.wait = group.begin_sum(self.flat)

    def end(self, group: Group) -> None:
        """Make the mean the gradient of each parameter."""
        if self.wait is None:
            self.begin(group)
        assert self.wait is not None
        self.wait()
        self.wait = None
        self.flat.mul_(1 / group.count)
        for blob, slot in zip(self.blobs, self.slots, strict=True):
            blob.set_diff(slot)


class GradientAverage:
    """Makes the gradients of a net those of all workers; a callback of solver and net.

    `on_start` and `on_gradients_ready` go to the solver's callbacks; called with a layer's index after each layer's
    backward, it starts to sum every bucket that is complete, in the last of `iter_size` passes. Parameters
    that nothing propagates to (BatchNorm's statistics) stay each worker's own.
    """

    def __init__(self, group: Group, net: Net, iter_size: int = 1) -> None:
        self._group = group
        self._iter_size = iter_size
        self._passes_left = 0
        self._buckets = _buckets(net)

    def on_start(self) -> None:
        """An iteration begins."""
        self._passes_left = self._iter_size

    def __call__(self, layer: int) -> None:
        """Called after a layer's backward."""
        if self._passes_left == 1:
            for bucket in self._buckets:
                if bucket.layer == layer:
                    bucket.begin(self._group)
        if layer == 0:
            self._passes_left -= 1

    def on_gradients_ready(self) -> None:
        """Called after backward: wait for the sums that are running, and sum the rest."""
        self._passes_left = 0
        with torch.no_grad():
            for bucket in self._buckets:
                bucket.end(self._group)


def _buckets(net: Net) -> list[_Bucket]:
    """The net's parameters that get gradients, in the order in which backward completes them."""
    buckets: list[_Bucket] = []
    for layer, blob in sorted(_completed(net), key=lambda pair: -pair[0]):
        if not buckets or buckets[-1].count * 4 >= _BUCKET:
            buckets.append(_Bucket())
        buckets[-1].blobs.append(blob)
        buckets[-1].layer = layer
    return buckets


def _completed(net: Net) -> list[tuple[int, Blob]]:
    """Each parameter that gets a gradient, with the index of the first layer that has it."""
    first: dict[int, int] = {}
    wanted: set[int] = set()
    for i, layer in enumerate(net.layers):
        for blob, propagates in zip(layer.blobs, layer.param_propagate, strict=True):
            first.setdefault(id(blob.diff_memory), i)
            if propagates:
                wanted.add(id(blob.diff_memory))
    blobs = [p.blob for p in net.learnable_params]
    return [(first[id(b.diff_memory)], b) for b in blobs if id(b.diff_memory) in wanted]
