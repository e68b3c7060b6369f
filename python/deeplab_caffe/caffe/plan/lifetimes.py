"""Which layers a plan needs, and after which operation a memory is no longer read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..blob import SyncedMemory
from ..layer_types.arithmetic import Split
from ..layer_types.base import TensorLayer
from ..net.graph import NetGraph
from .operations import Operation


def needed_layers(net: NetGraph, wanted: Iterable[str]) -> list[int]:
    """The indices of the layers without which the wanted blobs cannot be computed."""
    memories = {id(net.blobs[name].data_memory) for name in wanted}
    needed: list[int] = []
    for i in reversed(range(len(net.steps))):
        step = net.steps[i]
        if any(id(top.data_memory) in memories for top in step.tops):
            needed.append(i)
            memories |= step.memories
    return needed[::-1]


def permanent(net: NetGraph, kept: Iterable[str]) -> set[int]:
    """The ids of memories that hold their contents: kept blobs, parameters, what the user or a source writes.

    A layer that is not a function of tensors may count on what it wrote into its tops before.
    """
    found = {id(net.blobs[name].data_memory) for name in kept}
    for step in net.steps:
        found.update(id(blob.data_memory) for blob in step.layer.blobs)
        if not step.bottoms or not isinstance(step.layer, TensorLayer | Split):
            found.update(id(blob.data_memory) for blob in step.tops)
    return found


def plan_frees(net: NetGraph, operations: Sequence[Operation], kept: Sequence[str]) -> None:
    """Let every operation free what is read for the last time in it; the last one also what no operation computes."""
    if not operations:
        return
    last = {id(blob.data_memory): operations[-1] for step in net.steps for blob in step.tops}
    for operation in operations:
        last.update((memory, operation) for i in operation.layers for memory in net.steps[i].memories)
    held = permanent(net, kept)
    for memory, names in _named_memories(net):
        if id(memory) not in held:
            last[id(memory)].frees.append((memory, _explanation(names, kept)))


def _named_memories(net: NetGraph) -> list[tuple[SyncedMemory, list[str]]]:
    """All memories of blobs, each with the names of those that lie in it (none for automatic tops)."""
    found: dict[int, tuple[SyncedMemory, list[str]]] = {}
    names = {id(blob): name for name, blob in net.blobs.items()}
    for step in net.steps:
        for blob in step.tops:
            entry = found.setdefault(id(blob.data_memory), (blob.data_memory, []))
            name = names.get(id(blob))
            if name is not None and name not in entry[1]:
                entry[1].append(name)
    return list(found.values())


def _explanation(names: Sequence[str], kept: Sequence[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names)
    return (
        f"blob {shown} holds nothing after a planned pass, which kept {', '.join(kept)}, inputs and data. Ask for it: "
        f"net.plan(keep={list(names[:1])}), or run net.forward(), which keeps every blob"
    )
