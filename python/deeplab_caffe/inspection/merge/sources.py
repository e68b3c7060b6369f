"""Whether every layer of a merged net reads what it reads in the text that it comes from.

A blob's name does not tell: a layer in place writes over a blob, so what a name stands for depends on the order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ...formats.wiring import Maker, Wiring
from .layers import NetText
from .rows import Row

#: the layers that may make a blob, each with the index of its top
_Source = frozenset[tuple[Row, int]]


class OtherSource(NamedTuple):
    """A layer of the merged net that reads another layer's blob than it should."""

    row: Row
    bottom: int
    blob: str
    #: the layer that makes the blob in the merged net, and the one that should
    found: str
    wanted: str
    #: whether the user's text says so, or the generator's
    is_users: bool


class _Sources:
    """Who makes what in one net, by the rows of layers."""

    def __init__(self, net: NetText, rows: Sequence[Row]) -> None:
        self.wiring = Wiring(net.params)
        self._row = [None if i is None else rows[i] for i in net.field_of]
        self.rows = {row for row in self._row if row is not None}
        self._index = {row: i for i, row in reversed(list(enumerate(self._row))) if row is not None}

    def bottoms(self, row: Row) -> list[str]:
        return list(self.wiring.layers[self._index[row]].bottom) if row in self._index else []

    def of(self, row: Row, bottom: int, other: _Sources) -> _Source | None:
        """What makes a bottom, passing over layers in place that the other net lacks; None: it has no such bottom."""
        if bottom >= len(self.bottoms(row)):
            return None
        makers = self.wiring.makers[self._index[row]][bottom]
        found = [self._passed(maker, other) for maker in makers]
        return frozenset((made, top) for layer, top in found if (made := self._row[layer]) is not None)

    def _passed(self, maker: Maker, other: _Sources) -> Maker:
        while self._row[maker[0]] not in other.rows and self.wiring.is_in_place(maker[0]):
            before = self.wiring.makers[maker[0]][0]
            if not before:
                break
            maker = before[0]
        return maker


def other_sources(
    nets: Sequence[NetText], rows: Sequence[Row], merged: NetText, order: Sequence[Row]
) -> Iterator[OtherSource]:
    """The layers that read another blob in the merged net than in the text whose connection was taken.

    Args:
        nets: the net before, the user's, and now.
        rows: the layers of these.
        merged: the merged net.
        order: the rows of its layers.
    """
    sides = []
    for which, net in enumerate(nets):
        index = {i: row for row in rows if (i := (row.base, row.ours, row.theirs)[which]) is not None}
        sides.append(_Sources(net, [index[i] for i in range(len(net.layers))]))
    base, ours, theirs = sides
    result = _Sources(merged, order)
    for row in order:
        for k, blob in enumerate(result.bottoms(row)):
            if row not in ours.rows:
                side = theirs
            elif row not in theirs.rows or not _same(row, k, ours, base):
                side = ours
            else:
                side = theirs
            if side.bottoms(row)[k : k + 1] == [blob] and not _same(row, k, result, side):
                found, wanted = result.of(row, k, side), side.of(row, k, result)
                yield OtherSource(row, k, blob, _names(found), _names(wanted), side is ours)


def _same(row: Row, bottom: int, one: _Sources, other: _Sources) -> bool:
    return one.of(row, bottom, other) == other.of(row, bottom, one)


def _names(source: _Source | None) -> str:
    return ", ".join(sorted(f"'{row.name}'" for row, _ in source or ())) or "no layer"
