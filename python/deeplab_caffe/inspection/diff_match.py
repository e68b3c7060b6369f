"""Which layer of one net corresponds to which layer of another: by name, and by structure where names changed."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Hashable, Sequence
from typing import Any

from ..formats.wiring import Wiring
from .diff_fields import changes

#: fields that identify and connect a layer rather than say what it computes
IDENTITY = ("name", "bottom", "top", "param", "include", "exclude", "phase")
#: layers at the same place are matched, as renamed, if at least this share of their fields is equal
_ALIKE = 0.5


class Matching:
    """Pairs of layers of two nets; `to_after` and `to_before` map the index of a layer to that of its counterpart."""

    def __init__(self, before: Sequence[Any], after: Sequence[Any]) -> None:
        self.before, self.after = Wiring(before), Wiring(after)
        self.to_after: dict[int, int] = {}
        self.to_before: dict[int, int] = {}
        self._by_name()
        while self._by_context():
            pass

    def moved(self) -> set[int]:
        """Indices, in the first net, of the smallest set of layers whose move explains the new order."""
        places = sorted(self.to_after)
        tails: list[int] = []  # of the best increasing sequence of each length, its last index in the second net
        chain: list[tuple[int, int]] = []
        for place in places:
            length = bisect_left(tails, self.to_after[place])
            tails[length : length + 1] = [self.to_after[place]]
            chain.append((length, place))
        kept: set[int] = set()
        wanted = len(tails) - 1
        for length, place in reversed(chain):
            if length == wanted and (not kept or self.to_after[place] < self.to_after[min(kept)]):
                kept.add(place)
                wanted -= 1
        return set(places) - kept

    def _pair(self, before: int, after: int) -> None:
        self.to_after[before], self.to_before[after] = after, before

    # -- by name

    def _by_name(self) -> None:
        """Pair layers of equal names; if several have the name, those of equal type and state first, then in order."""
        for key in (_full_key, lambda layer: layer.name):
            waiting: defaultdict[Hashable, list[int]] = defaultdict(list)
            for i, layer in enumerate(self.before.layers):
                if i not in self.to_after:
                    waiting[key(layer)].append(i)
            for j, layer in enumerate(self.after.layers):
                if j not in self.to_before and waiting[key(layer)]:
                    self._pair(waiting[key(layer)].pop(0), j)

    # -- by structure

    def _by_context(self) -> bool:
        """Pair layers of equal type whose bottoms, or whose readers, correspond. Returns whether there were any."""
        found = False
        for context in (self._sources, self._targets):
            waiting: defaultdict[Hashable, list[int]] = defaultdict(list)
            for i in range(len(self.before.layers)):
                key = context(self.before, i, self.to_after) if i not in self.to_after else None
                if key is not None:
                    waiting[key].append(i)
            for j in range(len(self.after.layers)):
                key = context(self.after, j, None) if j not in self.to_before else None
                best = self._most_alike(waiting[key], j) if key in waiting else None
                if best is not None:
                    waiting[key].remove(best)
                    self._pair(best, j)
                    found = True
        return found

    def _most_alike(self, candidates: Sequence[int], after: int) -> int | None:
        layer = self.after.layers[after]
        scores = [likeness(self.before.layers[i], layer) for i in candidates]
        best = max(scores, default=0.0)
        return candidates[scores.index(best)] if best >= _ALIKE else None

    @staticmethod
    def _sources(wiring: Wiring, layer: int, names: dict[int, int] | None) -> Hashable | None:
        """A layer's type and what it reads, as indices of the second net; None if some of it is not matched."""
        read = [_placed(makers, names) for makers in wiring.makers[layer]]
        return None if None in read else ("reads", wiring.layers[layer].type, tuple(read))

    @staticmethod
    def _targets(wiring: Wiring, layer: int, names: dict[int, int] | None) -> Hashable | None:
        """A layer's type and what reads it."""
        readers = [wiring.readers.get((layer, j), []) for j in range(len(wiring.layers[layer].top))]
        read_by = [_placed(makers, names) for makers in readers]
        return ("read by", wiring.layers[layer].type, tuple(read_by)) if all(read_by) else None


def _placed(makers: Sequence[tuple[int, int]], names: dict[int, int] | None) -> frozenset[tuple[int, int]] | None:
    """The same with layers renumbered by `names`; None if a layer has no counterpart."""
    if names is None:
        return frozenset(makers)
    if any(layer not in names for layer, _ in makers):
        return None
    return frozenset((names[layer], end) for layer, end in makers)


def _full_key(layer: Any) -> Hashable:
    states = sorted(r.SerializeToString(deterministic=True) for r in (*layer.include, *layer.exclude))
    return layer.name, layer.type, tuple(states)


def likeness(before: Any, after: Any) -> float:
    """The share of the stated fields in which two layers of one type agree, from 0 to 1."""
    different = sum(1 for _ in changes(before, after, IDENTITY))
    stated = max(_count(before), _count(after), different)
    return 1 - different / stated if stated else 1.0


def _count(message: Any) -> int:
    """How many scalars a message states, without the fields in IDENTITY."""
    total = 0
    for descriptor, value in message.ListFields():
        if descriptor.name in IDENTITY:
            continue
        values = value if hasattr(value, "__len__") and not isinstance(value, str | bytes) else [value]
        total += sum(_count(item) if descriptor.message_type is not None else 1 for item in values)
    return total
