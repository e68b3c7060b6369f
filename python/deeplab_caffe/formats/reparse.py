"""A broken or whole text parsed again after a change: top-level fields that the change does not touch are kept.

The result equals that of `recovery.recover` for the new text.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import NamedTuple

from .prototxt import Document, Variable
from .recovery import Recovering
from .tree import Block, Field, Listing, Scalar


class Edit(NamedTuple):
    """The text between two offsets was replaced; `length` is that of the new text there."""

    start: int
    end: int
    length: int

    @property
    def delta(self) -> int:
        """How far what stands behind it moved."""
        return self.length - (self.end - self.start)


def edit_between(old: str, new: str) -> Edit:
    """The smallest edit that turns one text into another."""
    start = common_beginning(old, new)
    most = min(len(old), len(new)) - start
    end = common_beginning(old[len(old) - most :][::-1], new[len(new) - most :][::-1]) if most else 0
    return Edit(start, len(old) - end, len(new) - end - start)


def common_beginning(first: str, second: str) -> int:
    """How many characters two texts begin with in common; by halving, since comparing slices is fast."""
    low, high = 0, min(len(first), len(second))
    while low < high:
        middle = (low + high + 1) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def reparse(old: Document, text: str) -> Document:
    """Parse a text of which an earlier version was parsed by `recover` or `reparse`, with the same variables.

    Args:
        old: the earlier document; it stays as it is, and both share the fields before the change.
        text: the whole new text.
    """
    assert isinstance(old, Recovering)
    return _Reparsed(old, text, edit_between(old.text, text))


class _Reparsed(Recovering):
    def __init__(self, old: Recovering, text: str, edit: Edit) -> None:
        self._old, self._edit = old, edit
        #: where fields of the old text begin that may be kept, in the new text → their index
        self._ends: dict[int, int] = {}
        self._kept_from: int | None = None
        super().__init__(text, old.filename, old.values)
        del self._old  # only the newest document is kept alive

    def _parse(self) -> None:
        old, edit = self._old, self._edit
        fields = old.root.fields
        if self._by_layout != old._by_layout or old.values is not None or not fields:
            super()._parse()
            return
        first = self._first_changed(fields)
        start = _start(fields[first]) if first else 0
        self._ends = self._kept_behind(fields)
        self.root = Block(fields[:first], end=len(self.text))
        self._position = start
        self.comments = old.comments[: bisect_left(old.comments, (start, ""))]
        self.variables = [v for v in old.variables if v.offset < start]
        self.faults = [fault for fault in old.faults if fault[0] < start]
        super()._parse()
        if self._kept_from is not None:
            self._keep(fields[self._kept_from :], self._next[2])

    def _first_changed(self, fields: list[Field]) -> int:
        """The index of the first field to be read again: the last one before the change, which it may continue."""
        first = max(bisect_left(fields, self._edit.start, key=lambda f: f.end) - 1, 0)
        while first and self._belong_together(fields[first - 1], fields[first]):
            first -= 1
        return first

    def _belong_together(self, before: Field, field: Field) -> bool:
        """Whether reading cannot begin between two fields: elements of one list, or a fault lies between them."""
        if field.listed is not None and field.listed == before.listed:
            return True
        return any(before.end <= at <= _start(field) for at, _ in self._old.faults)

    def _kept_behind(self, fields: list[Field]) -> dict[int, int]:
        edit = self._edit
        line_end = self._old.text.find("\n", edit.end)
        if line_end < 0:
            return {}
        behind = bisect_right(fields, line_end, key=_start)
        found: dict[int, int] = {}
        blamed = {at for at, _ in self._old.faults}  # a fault there may be that of what stands before
        for i in range(behind, len(fields)):
            if _start(fields[i]) not in blamed:
                found.setdefault(_start(fields[i]) + edit.delta, i)
        return found

    def _another(self, block: Block, closing: str, depth: int) -> bool:
        if block is self.root and self._next[0] != "end" and (kept := self._ends.get(self._next[2])) is not None:
            if all(at != self._next[2] for at, _ in self.faults):
                self._kept_from = kept
                return False
        return super()._another(block, closing, depth)

    def _keep(self, fields: list[Field], start: int) -> None:
        """Take over the fields from an offset of the new text on, with all else that stands there."""
        old, delta = self._old, self._edit.delta
        before = start - delta
        self.root.fields += _moved(fields, delta)
        self.comments = self.comments[: bisect_left(self.comments, (start, ""))]
        kept = old.comments[bisect_left(old.comments, (before, "")) :]
        self.comments += [(at + delta, text) for at, text in kept]
        self.variables = [v for v in self.variables if v.offset < start]
        self.variables += [Variable(v.offset + delta, *v[1:]) for v in old.variables if v.offset >= before]
        self.faults = [fault for fault in self.faults if fault[0] < start]
        self.faults += [(at + delta, reason) for at, reason in old.faults if at >= before]


def _start(field: Field) -> int:
    return field.listed.start if field.listed else field.start


def _moved(fields: list[Field], delta: int) -> list[Field]:
    """Copies of fields at other offsets; the fields themselves if the offsets are the same."""
    if not delta:
        return fields
    moved = []
    for field in fields:
        value = field.value
        new: Scalar | Block
        if isinstance(value, Scalar):
            new = Scalar(value.text, value.quoted, value.start + delta, value.end + delta)
        else:
            new = Block(_moved(value.fields, delta), value.start + delta, value.end + delta)
        listed = field.listed and Listing(field.listed.start + delta, field.listed.end + delta)
        moved.append(Field(field.name, new, field.start + delta, field.end + delta, field.name_end + delta, listed))
    return moved
