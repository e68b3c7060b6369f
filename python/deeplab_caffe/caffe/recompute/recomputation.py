"""Freeing segments after forward and computing them again in backward, by the net's callbacks."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from .. import mode
from ..blob import SyncedMemory
from ..net import passes
from ..net.graph import NetGraph
from .segments import Usage, chosen_segments, named_segments, statistics


class Recomputation:
    """Manages the recomputed segments of one net until `withdraw`; made by `Net.recompute`.

    segments: the first and last layer of each.
    """

    def __init__(self, net: NetGraph, ends: Sequence[str] | None) -> None:
        self._net = net
        usage = Usage(net)
        wanted = chosen_segments(net) if ends is None else named_segments(net, ends)
        self.segments = [segment for segment in wanted if usage.inner(*segment)]
        self._segments = [_Segment(net, usage, *segment) for segment in self.segments]
        self._of_layer = {i: segment for segment in self._segments for i in segment.layers}
        self._callbacks = {"<f": self._enter, "f>": self._leave, "<b": self._turn_back, "b>": self._finish}
        for when, callback in self._callbacks.items():
            net.callbacks[when].append(callback)

    def withdraw(self) -> None:
        """Stop recomputing: later passes keep everything again."""
        for when, callback in self._callbacks.items():
            self._net.callbacks[when].remove(callback)

    def _enter(self, layer: int) -> None:
        segment = self._of_layer.get(layer)
        if segment and layer == segment.start:
            segment.begin()

    def _leave(self, layer: int) -> None:
        segment = self._of_layer.get(layer)
        if segment and layer == segment.end and segment.begun:
            segment.free()

    def _turn_back(self, layer: int) -> None:
        segment = self._of_layer.get(layer)
        if segment and segment.freed and self._net.layers[layer].needs_backward:
            segment.compute_again()

    def _finish(self, layer: int) -> None:
        segment = self._of_layer.get(layer)
        if segment and layer == segment.start:
            segment.free()
            segment.free_diffs()


class _Segment:
    """Layers start to end; begun: whether forward is in it; freed: whether its inner blobs and its tapes are gone."""

    def __init__(self, net: NetGraph, usage: Usage, start: int, end: int) -> None:
        self._net = net
        self.start, self.end = start, end
        self.layers = range(start, end + 1)
        self.begun = self.freed = False
        self._state: torch.Tensor | None = None
        inner = usage.inner(start, end)
        blobs = [blob for i in self.layers for blob in net.steps[i].tops if id(blob.data_memory) in inner]
        self._data: list[SyncedMemory] = list({id(b.data_memory): b.data_memory for b in blobs}.values())
        self._diffs: list[SyncedMemory] = list({id(b.diff_memory): b.diff_memory for b in blobs}.values())
        first, last = (net.steps[i].name for i in (start, end))
        self._why = (
            f"the blobs inside '{first}' to '{last}' hold nothing after a pass, since net.recompute was called: "
            "what backward needs of them is computed again"
        )

    def begin(self) -> None:
        """Before the first layer runs: remember the state of the random numbers."""
        self.begun, self.freed = True, False
        self._state = mode.generator().get_state()

    def free(self) -> None:
        """Free the inner blobs and the tapes."""
        for memory in self._data:
            memory.release(self._why)
        for i in self.layers:
            self._net.layers[i].release()
        self.begun, self.freed = False, True

    def free_diffs(self) -> None:
        """Free the inner gradients, which were passed on to the layers before."""
        for memory in self._diffs:
            memory.release(self._why)

    def compute_again(self) -> None:
        """Run the layers on what they ran on, with the same random numbers; statistics stay as they are."""
        assert self._state is not None
        self.freed = False
        generator, kept = mode.generator(), self._statistics()
        after = generator.get_state()
        generator.set_state(self._state)
        for i in self.layers:
            passes.run_layer(self._net, i)
        generator.set_state(after)
        with torch.no_grad():
            for held, value in kept:
                held.copy_(value)

    def _statistics(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Parameters that a forward pass changes, and copies of them."""
        tensors = [blob.data_tensor() for i in self.layers for blob in statistics(self._net.layers[i])]
        return [(tensor, tensor.clone()) for tensor in tensors]
