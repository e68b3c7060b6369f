"""The table of all layers of three versions of a net: a row for each, with its index in each net."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .layers import Counterparts, NetText


@dataclass(eq=False)
class Row:
    """One layer: its name in the merged net, and its indices in the nets before, of the user, and now."""

    name: str
    base: int | None = None
    ours: int | None = None
    theirs: int | None = None


def rows_of(nets: Sequence[NetText], pairs: Sequence[Counterparts]) -> list[Row]:
    """The rows of the layers of `base`, `ours` and `theirs`; layers that both added are one by their name."""
    base, ours, theirs = nets
    rows = [Row(base.name(i), i, pairs[0].to_after.get(i), pairs[1].to_after.get(i)) for i in range(len(base.layers))]
    known = {row.ours for row in rows}
    added = [Row(ours.name(j), None, j) for j in range(len(ours.layers)) if j not in known]
    known = {row.theirs for row in rows}
    for k in [k for k in range(len(theirs.layers)) if k not in known]:
        same = next((row for row in added if row.theirs is None and row.name == theirs.name(k)), None)
        if same is None:
            rows.append(Row(theirs.name(k), None, None, k))
        else:
            same.theirs = k
    for row in rows:
        if row.ours is not None:
            row.name = ours.name(row.ours)
    return [*rows, *added]
