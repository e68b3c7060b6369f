"""The report of an upgrade: what changed, field by field."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from ..words import some_of

#: the most characters of a field that a report shows
_SHOWN = 70


@dataclass(frozen=True)
class Change:
    """One change of a file.

    Attributes:
        line, column: the place of the old text, counted from 1 (0 in a binary file).
        layer: the name of the layer around it, "" outside layers.
        old, new: the text before and after; either may be empty.
        note: the reason, if it is not obvious.
    """

    line: int
    column: int
    layer: str
    old: str
    new: str
    note: str = ""

    def __str__(self) -> str:
        shown = f"{self.old or '(nothing)'} → {self.new or '(nothing)'}"
        return f"{shown}  ({self.note})" if self.note else shown


@dataclass
class Upgrade:
    """An upgraded file.

    Attributes:
        source: the file.
        text: its new text.
        dialect: the dialect that it was in.
        changes: what changed, in the order of the text.
        notes: whole messages for the user, with their place if they have one.
        matrices: files that the new text reads and that have to be written: path → weights of the classes.
    """

    source: str
    text: str
    dialect: str
    changes: list[Change] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    matrices: dict[str, list[float]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The report as a dict for JSON: file, dialect, changes, notes."""
        changes = [vars(change) for change in self.changes]
        return {"file": self.source, "dialect": self.dialect, "changes": changes, "notes": self.notes}

    def as_json(self) -> str:
        return json.dumps(self.as_dict(), indent=1, ensure_ascii=False)

    def __str__(self) -> str:
        """The report as text: equal changes together, with the places of the first few."""
        count = len(self.changes)
        if not count and not self.notes:
            return f"{self.source}: {self.dialect}; nothing to upgrade"
        lines = [f"{self.source}: {self.dialect}; {count} change{'s' * (count != 1)}"]
        groups: dict[str, list[Change]] = {}
        for change in self.changes:
            groups.setdefault(str(change), []).append(change)
        lines += [f"  {_places(group)}: {text}" for text, group in groups.items()]
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])


def _places(changes: list[Change]) -> str:
    places = [f"{c.line}:{c.column}" if c.line else f"'{c.layer}'" for c in changes]
    return some_of(places, 3)


def shortened(text: str) -> str:
    """The text of a field on one line, shortened for a report."""
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"
