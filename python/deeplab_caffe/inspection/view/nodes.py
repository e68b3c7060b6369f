"""The boxes of a net's picture: layers that work in place stand in the box of what they change; boxes form blocks."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...formats.wiring import Wiring

#: layers whose names count by the layer before them: pool4 belongs to conv4's block
_FOLLOWERS = re.compile(r"(relu|pool|norm|drop|bn|scale|bias)", re.IGNORECASE)
_STAGE = re.compile(r"([A-Za-z]+)(\d+)")


@dataclass
class Node:
    """One box. layers: places of its first layer and those that work in place behind it; below: (node, blob) that read
    it; above: nodes that it reads."""

    layers: list[int]
    name: str
    below: list[tuple[int, str]] = field(default_factory=list)
    above: list[int] = field(default_factory=list)
    block: str = ""


def make_nodes(params: Sequence[Any]) -> list[Node]:
    """The boxes of layers (LayerParameters of one state, in order), in an order in which edges lead forward."""
    wiring = Wiring(params)
    home: dict[int, int] = {}
    nodes: list[Node] = []
    for i, param in enumerate(params):
        sources = [(wiring.makers[i][j][-1][0], name) for j, name in enumerate(param.bottom) if wiring.makers[i][j]]
        into = next((home[maker] for maker, name in sources if name in param.top), None)
        if into is None:
            into = len(nodes)
            nodes.append(Node([], param.name))
        nodes[into].layers.append(i)
        home[i] = into
        for maker, name in sources:
            _connect(nodes, home[maker], into, name)
    for node in nodes:
        node.block = _block(node, nodes)
    return nodes


def _connect(nodes: list[Node], above: int, below: int, blob: str) -> None:
    # What a layer in place reads besides may be younger than its box; such an edge would lead back.
    if above < below and (below, blob) not in nodes[above].below:
        nodes[above].below.append((below, blob))
        nodes[below].above.append(above)


def _block(node: Node, nodes: Sequence[Node]) -> str:
    """The stage of a box by its name: conv4 for conv4_3 and the pool4 behind it, res4 for res4b22_branch2a."""
    if node.above and _FOLLOWERS.match(node.name):
        return nodes[node.above[0]].block
    stage = _STAGE.match(node.name)
    return stage[0] if stage else re.split(r"[_/]", node.name)[0]


def blocks(nodes: Sequence[Node]) -> list[tuple[str, list[int]]]:
    """Label and boxes of every block of two or more boxes of one stage that hang together."""
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


def _label(group: Sequence[int], nodes: Sequence[Node]) -> str:
    """The stage, with the suffix that all its boxes share and other boxes of the stage have not."""
    block = nodes[group[0]].block
    names = [nodes[i].name for i in group]
    suffix = names[0][len(names[0].rpartition("_")[0]) :]
    shared = len(suffix) > 1 and all(name.endswith(suffix) for name in names)
    others = {i for i, node in enumerate(nodes) if node.block == block} - set(group)
    return f"{block}{suffix}" if shared and others else block


def ranks(nodes: Sequence[Node]) -> list[int]:
    """The row of every box: below all that it reads; those that are read late, near their readers."""
    return _settled(_rows(_below(nodes)), _below(nodes))


def common_ranks(
    first: Sequence[Node], second: Sequence[Node], pairs: Mapping[int, int]
) -> tuple[list[int], list[int]]:
    """The rows of two nets' boxes such that those of a pair (place in the first, in the second) stand side by side.

    Where that cannot be, because the order of matched boxes differs, each net has rows of its own.
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


def _below(nodes: Sequence[Node]) -> list[list[int]]:
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
    """The rows with every vertex that is read no less than it reads moved down to its readers."""
    reads = [0] * len(below)
    for targets in below:
        for j in targets:
            reads[j] += 1
    for i in sorted(range(len(below)), key=lambda i: -rows[i]):
        if below[i] and len(below[i]) >= reads[i]:
            rows[i] = min(rows[j] for j in below[i]) - 1
    return rows
