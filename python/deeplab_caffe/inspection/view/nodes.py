"""The boxes of a net's picture: an in-place layer is in the box of the layer that it changes; boxes form blocks."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...formats.stages import is_follower, stage_label, stage_of
from ...formats.wiring import Wiring


@dataclass
class DrawnNode:
    """One box.

    layers: indices of its first layer and of the in-place layers after it; below: (node, blob) pairs that read it;
    above: nodes that it reads.
    """

    layers: list[int]
    name: str
    below: list[tuple[int, str]] = field(default_factory=list)
    above: list[int] = field(default_factory=list)
    block: str = ""


def make_nodes(params: Sequence[Any]) -> list[DrawnNode]:
    """The boxes of layers (LayerParameters of one state, in order), in topological order."""
    wiring = Wiring(params)
    home: dict[int, int] = {}
    nodes: list[DrawnNode] = []
    for i, param in enumerate(params):
        sources = [(wiring.makers[i][j][-1][0], name) for j, name in enumerate(param.bottom) if wiring.makers[i][j]]
        into = next((home[maker] for maker, name in sources if name in param.top), None)
        if into is None:
            into = len(nodes)
            nodes.append(DrawnNode([], param.name))
        nodes[into].layers.append(i)
        home[i] = into
        for maker, name in sources:
            _connect(nodes, home[maker], into, name)
    for node in nodes:
        node.block = _block(node, nodes)
    return nodes


def _connect(nodes: list[DrawnNode], above: int, below: int, blob: str) -> None:
    # Other bottoms of an in-place layer may come after its box; such an edge would lead back.
    if above < below and (below, blob) not in nodes[above].below:
        nodes[above].below.append((below, blob))
        nodes[below].above.append(above)


def _block(node: DrawnNode, nodes: Sequence[DrawnNode]) -> str:
    """The stage of a box: that of its name, or of the box before it, as for the pool4 after conv4_3."""
    return nodes[node.above[0]].block if node.above and is_follower(node.name) else stage_of(node.name)


def blocks(nodes: Sequence[DrawnNode]) -> list[tuple[str, list[int]]]:
    """Label and boxes of every block: two or more connected boxes of one stage."""
    root = list(range(len(nodes)))

    def find(i: int) -> int:
        while root[i] != i:
            root[i] = root[root[i]]
            i = root[i]
        return i

    for i, node in enumerate(nodes):
        for j, _ in node.below:
            if nodes[j].block == node.block:
                root[find(j)] = find(i)
    members: dict[int, list[int]] = {}
    for i in range(len(nodes)):
        members.setdefault(find(i), []).append(i)
    found = [group for group in members.values() if len(group) > 1]
    return [(_label(group, nodes), group) for group in found]


def _label(group: Sequence[int], nodes: Sequence[DrawnNode]) -> str:
    block = nodes[group[0]].block
    others = {i for i, node in enumerate(nodes) if node.block == block} - set(group)
    return stage_label(block, [nodes[i].name for i in group], not others)


def ranks(nodes: Sequence[DrawnNode]) -> list[int]:
    """The row of every box: below all that it reads; a box that is read late is near its readers."""
    return _settled(_rows(_below(nodes)), _below(nodes))


def common_ranks(
    first: Sequence[DrawnNode], second: Sequence[DrawnNode], pairs: Mapping[int, int]
) -> tuple[list[int], list[int]]:
    """The rows of two nets' boxes such that those of a pair (index in the first, in the second) are side by side.

    If that is impossible, because the order of matched boxes differs, each net has its own rows.
    """
    place: list[Hashable] = [("both", pairs[i]) if i in pairs else ("first", i) for i in range(len(first))]
    taken = set(pairs.values())
    other: list[Hashable] = [("both", j) if j in taken else ("second", j) for j in range(len(second))]
    numbers = {key: i for i, key in enumerate(dict.fromkeys([*place, *other]))}
    below: list[list[int]] = [[] for _ in numbers]
    for nodes, keys in ((first, place), (second, other)):
        for node, key in zip(nodes, keys, strict=True):
            below[numbers[key]] += [numbers[keys[j]] for j, _ in node.below]
    try:
        rows = _settled(_rows(below), below)
    except ValueError:
        return ranks(first), ranks(second)
    return [rows[numbers[key]] for key in place], [rows[numbers[key]] for key in other]


def _below(nodes: Sequence[DrawnNode]) -> list[list[int]]:
    return [[j for j, _ in node.below] for node in nodes]


def _rows(below: Sequence[Sequence[int]]) -> list[int]:
    """The length of the longest path to every vertex; ValueError for a graph with a cycle."""
    waiting = [0] * len(below)
    for targets in below:
        for j in targets:
            waiting[j] += 1
    rows = [0] * len(below)
    ready = [i for i, count in enumerate(waiting) if count == 0]
    for i in ready:
        for j in below[i]:
            rows[j] = max(rows[j], rows[i] + 1)
            waiting[j] -= 1
            if waiting[j] == 0:
                ready.append(j)
    if len(ready) < len(below):
        raise ValueError("the graph has a cycle")
    return rows


def _settled(rows: list[int], below: Sequence[Sequence[int]]) -> list[int]:
    """The rows, with every vertex that has at least as many readers as bottoms moved down to its readers."""
    reads = [0] * len(below)
    for targets in below:
        for j in targets:
            reads[j] += 1
    for i in sorted(range(len(below)), key=lambda i: -rows[i]):
        if below[i] and len(below[i]) >= reads[i]:
            rows[i] = min(rows[j] for j in below[i]) - 1
    return rows
