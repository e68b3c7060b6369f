"""Where a net may be cut into segments that can be computed again, and where it is best to."""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import InputError
from ...spelling import did_you_mean
from ..blob import Blob
from ..layer_types.arithmetic import Split
from ..layer_types.base import DataLayer, Layer, TensorLayer
from ..layer_types.bn import BN
from ..layer_types.neuron import Dropout
from ..layer_types.normalization import BatchNorm
from ..layer_types.sharing import SharingLayer
from ..net.graph import NetGraph

#: first and last layer
Range = tuple[int, int]
#: stateful types that compute the same again, given the generator's state; statistics are put back
_REPEATABLE = (BN, BatchNorm, Dropout)
#: into how many segments a net is tried to be cut
_COUNTS = range(2, 33)


def repeatable(layer: Layer) -> bool:
    """Whether a layer may be computed twice in one pass. Losses are not: users read them."""
    if any(layer.loss_weights) or isinstance(layer, DataLayer):
        return False
    plain = isinstance(layer, TensorLayer) and (not layer.stateful or isinstance(layer, _REPEATABLE))
    return plain or isinstance(layer, Split)


def statistics(layer: Layer) -> list[Blob]:
    """The parameters that a forward pass of a layer changes."""
    if isinstance(layer, BatchNorm) and not layer.stored:
        return list(layer.blobs)
    return list(layer.blobs[2:]) if isinstance(layer, BN) and layer.by_batch else []


class Usage:
    """Which layers read and write which memories (by id), in order."""

    def __init__(self, net: NetGraph) -> None:
        self.net = net
        self.writers: dict[int, list[int]] = {}
        self.last: dict[int, int] = {}
        self.sizes: dict[int, int] = {}
        for i, step in enumerate(net.steps):
            for blob in step.tops:
                memory = id(blob.data_memory)
                if not isinstance(step.layer, Split | SharingLayer) or memory not in self.writers:
                    self.writers.setdefault(memory, []).append(i)
                self.sizes[memory] = max(blob.count, self.sizes.get(memory, 0))
            self.last.update((memory, i) for memory in step.memories)
        for name in net.outputs:
            self.last[id(net.blobs[name].data_memory)] = len(net.layers)

    def cuts(self) -> set[int]:
        """The layers after which a segment may end: nothing written before is overwritten later."""
        overwritten: set[int] = set()
        for places in self.writers.values():
            overwritten.update(range(places[0], places[-1]))
        return set(range(len(self.net.layers))) - overwritten

    def inner(self, start: int, end: int) -> set[int]:
        """The memories that only the layers start to end use."""
        return {m for m, places in self.writers.items() if start <= places[0] and self.last[m] <= end}


def chosen_segments(net: NetGraph) -> list[Range]:
    """Segments that make the memory for activations small: blobs between segments, and all of the largest one."""
    usage = Usage(net)
    total = sum(usage.sizes.values())
    tried = [_greedy(usage, total // count) for count in _COUNTS]
    return min(tried, key=lambda segments: _cost(usage, segments))


def named_segments(net: NetGraph, ends: Sequence[str]) -> list[Range]:
    """Segments that end with the named layers; fails for a layer that no segment can end with."""
    usage = Usage(net)
    cuts = usage.cuts()
    segments: list[Range] = []
    start = 0
    for name in ends:
        if name not in net.layer_dict:
            raise InputError(f"recompute: the net has no layer '{name}'{did_you_mean(name, net.layer_dict)}")
    for end in sorted(net.index_of(name) for name in ends):
        if end not in cuts:
            net.layers[end].fail(
                "no segment can end with it: a later one works in place on what it, or one before, made"
            )
        segments += _runs(net, cuts, start, end)
        start = end + 1
    return segments


def _runs(net: NetGraph, cuts: set[int], start: int, end: int) -> list[Range]:
    """The stretches between two layers (inclusive) that can be computed again, from a cut to a cut."""
    breaks = [i for i in range(start, end + 1) if not repeatable(net.layers[i])]
    found = []
    for before, after in zip([start - 1, *breaks], [*breaks, end + 1], strict=True):
        ends = [i for i in range(before, after) if i in cuts or i == -1]
        if len(ends) > 1:
            found.append((ends[0] + 1, ends[-1]))
    return found


def _greedy(usage: Usage, target: int) -> list[Range]:
    """Segments of about `target` values each."""
    cuts, segments = usage.cuts(), []
    for start, end in _runs(usage.net, cuts, 0, len(usage.net.layers) - 1):
        first, held = start, 0
        for i in range(start, end + 1):
            held += sum(usage.sizes[m] for m in _made(usage, i))
            if i in cuts and (held >= target or i == end):
                segments.append((first, i))
                first, held = i + 1, 0
    return segments


def _made(usage: Usage, layer: int) -> set[int]:
    """The memories that a layer is the first to write."""
    tops = {id(blob.data_memory) for blob in usage.net.steps[layer].tops}
    return {m for m in tops if usage.writers[m][0] == layer}


def _cost(usage: Usage, segments: Sequence[Range]) -> int:
    inner = [sum(usage.sizes[m] for m in usage.inner(*segment)) for segment in segments]
    return sum(usage.sizes.values()) - sum(inner) + max(inner, default=0)
