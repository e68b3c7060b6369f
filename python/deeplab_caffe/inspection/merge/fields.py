"""The fields of three blocks merged: what the generator changed becomes edits of the user's text."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...formats.edits import Edits
from ...formats.prototxt import Document
from ...formats.tree import Block, Field, Scalar
from ..diff_fields import ABSENT, SETS
from ..transplant import FieldCarrier
from .field_meaning import element_meaning, inner_kind, meaning, shown, unit_of, units
from .marks import insert_mark, mark_lines
from .outcome import MergeChange, Taken
from .three_way import merged

#: the fields of one setting in each of the three texts
Sides = tuple[list[Field], list[Field], list[Field]]


@dataclass(frozen=True)
class _Place:
    """Three blocks that correspond, and where they are: the layer, the path to them, and their message."""

    layer: str
    prefix: str
    kind: Any
    base: Block
    ours: Block
    theirs: Block

    def within(self, name: str, index: str, base: Field | None, ours: Field, theirs: Field) -> _Place:
        blocks = _blocks(base, ours, theirs)
        return _Place(self.layer, f"{self.prefix}{name}{index}.", inner_kind(self.kind, name), *blocks)


class FieldMerge:
    """Merges blocks; what the generator changed becomes edits of the user's document.

    Args:
        base, theirs: the generated documents, before and now.
        edits: those of the user's document.

    Attributes:
        changes: every field that differs between the three.
    """

    def __init__(self, base: Document, theirs: Document, edits: Edits) -> None:
        self.edits = edits
        self.changes: list[MergeChange] = []
        self._texts = base.text, edits.document.text, theirs.text
        self._carrier = FieldCarrier(theirs, edits)
        self._removed: list[Field] = []
        self._later: list[Callable[[], None]] = []

    def outside(self, kind: Any, base: Block, ours: Block, theirs: Block, skip: Sequence[str] = ()) -> None:
        """Merge the fields outside of layers.

        Args:
            kind: the descriptor of the message that they are of.
            base, ours, theirs: the top-level blocks of the documents.
            skip: fields that are left alone.
        """
        self._block(_Place("", "", kind, base, ours, theirs), skip)
        self._finish()

    def layer(self, name: str, kind: Any, base: Field | None, ours: Field, theirs: Field) -> None:
        """Merge the fields of a layer.

        Args:
            name: the layer's name.
            kind: the descriptor of its message.
            base, ours, theirs: the layer in the three documents; in the first there may be none.
        """
        self._field(_Place(name, "", kind, *_blocks(base, ours, theirs)), base, ours, theirs)
        self._finish()

    def _finish(self) -> None:
        for insert in self._later:
            insert()
        self._later, self._removed = [], []

    def _field(self, place: _Place, base: Field | None, ours: Field, theirs: Field) -> None:
        """Merge a block; one that the user has not touched gets the text that the generator writes now."""
        untouched = base is not None and self._carried(0, base) == self._carried(1, ours)
        if not untouched:
            self._block(place)
            return
        kept = self.edits, self._later, self._removed, len(self.changes)
        self.edits, self._later, self._removed = Edits(self.edits.document), [], []
        self._block(place)  # says what changes
        self.edits, self._later, self._removed, count = kept
        if len(self.changes) > count:
            self.edits.put(ours, self._carrier.text(theirs))

    def _carried(self, side: int, field: Field) -> str:
        return self._texts[side][field.start : field.end]

    def _block(self, place: _Place, skip: Sequence[str] = ()) -> None:
        sides = [units(block) for block in (place.base, place.ours, place.theirs)]
        for unit in dict.fromkeys([*sides[2], *sides[1], *sides[0]]):
            if unit not in skip:
                self._unit(place, unit, (sides[0].get(unit, []), sides[1].get(unit, []), sides[2].get(unit, [])))

    def _unit(self, place: _Place, unit: str, fields: Sides) -> None:
        """Merge the fields of one setting."""
        base, ours, theirs = (meaning(unit, side, place.kind) for side in fields)
        if base == ours == theirs:
            return
        if self._pairs(fields):
            self._elements(place, unit, fields)
            return
        taken = _taken(base, ours, theirs)
        names = [{field.name for field in side} for side in fields]
        if taken == "conflict" and names[0] == names[1] == names[2] and len(names[0]) > 1:  # as kernel_h and kernel_w
            for name in sorted(names[0]):
                parts = [[field for field in side if field.name == name] for side in fields]
                self._unit(place, name, (parts[0], parts[1], parts[2]))
            return
        if taken == "theirs" or taken == "conflict":
            plan = self._plan(place, fields)
            if plan is None and taken == "conflict":
                self._conflict(place, unit, fields)
                return
            change = self._record(place, unit, fields, "theirs")
            if taken == "conflict":  # elements that one side changed beside those that the other did
                both = f"yours {change.yours} and the generator's {change.theirs} (was {change.base}) merged"
                self.changes[-1] = replace(change, remark=both)
            self._put(place, fields, plan)
        else:
            self._record(place, unit, fields, taken)

    @staticmethod
    def _pairs(fields: Sides) -> bool:
        """Whether the fields correspond one to one and are merged one by one: blocks, or several scalars."""
        base, ours, theirs = fields
        if len(ours) != len(theirs) or len(base) not in (0, len(ours)) or not ours:
            return False
        blocks = {isinstance(field.value, Block) for side in fields for field in side}
        names = {field.name for side in fields for field in side}
        if len(blocks) != 1 or len(names) != 1 or (names & SETS and len(ours) > 1):
            return False
        return blocks == {True} or (len(ours) > 1 and len(base) > 0)

    def _elements(self, place: _Place, unit: str, fields: Sides) -> None:
        base, ours, theirs = fields
        for i, (own, other) in enumerate(zip(ours, theirs, strict=True)):
            index, before = f"[{i}]" if len(ours) > 1 else "", base[i] if base else None
            if isinstance(own.value, Block):
                self._field(place.within(unit, index, before, own, other), before, own, other)
                continue
            assert before is not None
            one = ([before], [own], [other])
            found = [element_meaning(side[0], place.kind) for side in one]
            if found[0] == found[1] == found[2]:
                continue
            taken = _taken(*found)
            if taken == "conflict":
                self._conflict(place, f"{unit}{index}", one)
            else:
                self._record(place, f"{unit}{index}", one, taken)
            if taken == "theirs":
                self._set(own, other)

    # -- what is recorded

    def _record(self, place: _Place, path: str, fields: Sides, taken: Taken) -> MergeChange:
        values = [shown(side, text) if side else ABSENT for side, text in zip(fields, self._texts, strict=True)]
        change = MergeChange(place.layer, f"{place.prefix}{path}", values[0], values[1], values[2], taken)
        self.changes.append(change)
        return change

    def _conflict(self, place: _Place, path: str, fields: Sides) -> None:
        change = self._record(place, path, fields, "conflict")
        base, ours, theirs = fields
        if not ours or not theirs:  # one side has removed it
            who = "you removed it, and the generator changed it to" if theirs else "the generator removed it; yours is"
            value = change.theirs if theirs else change.yours
            change = replace(change, remark=f"{who} {value} (was {change.base})")
            self.changes[-1] = change
        insert_mark(self.edits, self._marked(place, ours, theirs), mark_lines(change))

    def _marked(self, place: _Place, ours: Sequence[Field], theirs: Sequence[Field]) -> int:
        """Where a mark belongs: at the field, at the block that lacks it, or outside of blocks at its neighbour."""
        if ours:
            return ours[0].listed.start if ours[0].listed else ours[0].start
        if place.ours.start:
            return place.ours.start
        there = next(i for i, field in enumerate(place.theirs.fields) if field is theirs[0])
        before, after = self._anchor(place, there)
        anchor = before or after
        return anchor.start if anchor else len(self._texts[1])

    # -- what is changed

    def _plan(self, place: _Place, fields: Sides) -> list[tuple[str, int]] | None:
        """Which elements the merged fields are; None if that cannot be told one by one."""
        if len({field.name for side in fields for field in side}) > 1:
            return None
        found: list[list[Hashable]] = [[element_meaning(field, place.kind) for field in side] for side in fields]
        return merged(*found)

    def _put(self, place: _Place, fields: Sides, plan: list[tuple[str, int]] | None) -> None:
        _, ours, theirs = fields
        if plan is None:
            plan = [("theirs", i) for i in range(len(theirs))]
        if not ours:
            new = [theirs[i] for _, i in plan]
            self._later.append(lambda: self._insert(place, new))
        elif not plan:
            self._remove(ours)
        elif any(field.listed for field in ours) and not len(fields[0]) == len(ours) == len(theirs):
            values = [self._value((ours if side == "ours" else theirs)[i], side) for side, i in plan]
            first = next(field.listed for field in ours if field.listed)
            self._remove([field for field in ours if field.listed != first])
            self.edits.replace(first.start, first.end, f"{ours[0].name}: [{', '.join(values)}]")
        else:
            self._replace(fields, plan)

    def _replace(self, fields: Sides, plan: Sequence[tuple[str, int]]) -> None:
        """Replace, insert and remove single fields, so that those that stay are not touched."""
        _, ours, theirs = fields
        kept = [i for side, i in plan if side == "ours"]
        position = 0
        for end in [*kept, len(ours)]:
            gone = list(range(position, end))
            where = plan.index(("ours", end)) if end < len(ours) else len(plan)
            first = plan.index(("ours", position - 1)) + 1 if position else 0
            new = [i for _, i in plan[first:where]]
            for i, j in zip(gone, new, strict=False):
                self._set(ours[i], theirs[j])
            self._remove([ours[i] for i in gone[len(new) :]])
            more = "\n".join(self._carrier.text(theirs[j]) for j in new[len(gone) :])
            if more and end:
                self.edits.insert_after(ours[end - 1], more)
            elif more:
                self.edits.insert_before(ours[0], more)
            position = end + 1

    def _set(self, own: Field, other: Field) -> None:
        if own.name == other.name and isinstance(own.value, Scalar) and isinstance(other.value, Scalar):
            self.edits.set_value(own, self._texts[2][other.value.start : other.value.end])
        else:
            self.edits.put(own, self._carrier.text(other))

    def _value(self, field: Field, side: str) -> str:
        return self._texts[1 if side == "ours" else 2][field.value.start : field.value.end]

    def _remove(self, fields: Sequence[Field]) -> None:
        self._removed += fields
        if fields:
            self.edits.remove_all(fields)

    def _insert(self, place: _Place, new: Sequence[Field]) -> None:
        """Insert fields behind the one that they follow in the generator's text."""
        text = "\n".join(self._carrier.text(field) for field in new)
        there = next(i for i, field in enumerate(place.theirs.fields) if field is new[0])
        before, after = self._anchor(place, there)
        if before is not None:
            self.edits.insert_after(before, text)
        elif after is not None:
            self.edits.insert_before(after, text)
        elif place.ours.start:
            self.edits.append(place.ours, text)
        else:
            self.edits.replace(len(self._texts[1]), len(self._texts[1]), f"{text}\n")

    def _anchor(self, place: _Place, there: int) -> tuple[Field | None, Field | None]:
        """The user's field that stands before a place in the generator's block, and the one that stands behind it."""
        own: dict[str, list[Field]] = {}
        for field in place.ours.fields:
            if not any(field is gone for gone in self._removed):
                own.setdefault(unit_of(field), []).append(field)
        found: list[Field | None] = []
        for fields, which in ((reversed(place.theirs.fields[:there]), -1), (place.theirs.fields[there + 1 :], 0)):
            found.append(next((own[u][which] for field in fields if (u := unit_of(field)) in own), None))
        return found[0], found[1]


def _taken(base: Hashable, ours: Hashable, theirs: Hashable) -> Taken:
    if theirs == base:
        return "yours"
    if ours == theirs:
        return "both"
    return "theirs" if ours == base else "conflict"


def _blocks(base: Field | None, ours: Field, theirs: Field) -> tuple[Block, Block, Block]:
    found = [field.value if field and isinstance(field.value, Block) else Block() for field in (base, ours, theirs)]
    return found[0], found[1], found[2]
