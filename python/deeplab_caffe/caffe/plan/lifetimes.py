"""Which layers a plan needs, and after which step nobody reads a memory any more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ..blob import SyncedMemory
from ..layer_types.arithmetic import Split
from ..layer_types.base import TensorLayer

if TYPE_CHECKING:
    from ..net.net import Net
    from .steps import Step


def memories_of(net: Net, layer: int) -> set[int]:
    """The ids of the memories that a layer reads or writes."""
    return {id(blob.data_memory) for blob in (*net._bottoms[layer], *net._tops[layer])}


def needed_layers(net: Net, wanted: Iterable[str]) -> list[int]:
    """The indices of the layers without which the wanted blobs cannot be computed."""
    memories = {id(net.blobs[name].data_memory) for name in wanted}
    needed: list[int] = []
    for i in reversed(range(len(net.layers))):
        if any(id(top.data_memory) in memories for top in net._tops[i]):
            needed.append(i)
            memories |= memories_of(net, i)
    return needed[::-1]


def permanent(net: Net, kept: Iterable[str]) -> set[int]:
    """The ids of memories that hold their contents: kept blobs, parameters, what the user or a source writes.

    A layer that is not a function of tensors may count on what it wrote into its tops before.
    """
    found = {id(net.blobs[name].data_memory) for name in kept}
    for i, layer in enumerate(net.layers):
        found.update(id(blob.data_memory) for blob in layer.blobs)
        if not net._bottoms[i] or not isinstance(layer, TensorLayer | Split):
            found.update(id(blob.data_memory) for blob in net._tops[i])
    return found


def plan_frees(net: Net, steps: Sequence[Step], kept: Sequence[str]) -> None:
    """Let every step free what is read for the last time in it; the last one also what no step computes."""
    if not steps:
        return
    last = {id(blob.data_memory): steps[-1] for tops in net._tops for blob in tops}
    for step in steps:
        last.update((memory, step) for i in step.layers for memory in memories_of(net, i))
    held = permanent(net, kept)
    for memory, names in _named_memories(net):
        if id(memory) not in held:
            last[id(memory)].frees.append((memory, _explanation(names, kept)))


def _named_memories(net: Net) -> list[tuple[SyncedMemory, list[str]]]:
    """All memories of blobs, each with the names of those that lie in it (none for automatic tops)."""
    found: dict[int, tuple[SyncedMemory, list[str]]] = {}
    names = {id(blob): name for name, blob in net.blobs.items()}
    for tops in net._tops:
        for blob in tops:
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
