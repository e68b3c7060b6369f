"""Positions of the protocol (line, UTF-16 unit, both from 0) as offsets into a text, and back."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right

from lsprotocol import types

#: what ends a line in the protocol; Python's splitlines knows more
_LINE_END = re.compile(r"\r\n|\n|\r")
_WIDE = re.compile("[\U00010000-\U0010ffff]")


class TextPositions:
    """Converts between offsets and positions in one text.

    Example:
        >>> positions = TextPositions("name: '\U0001d703'\\r\\ntop: 'x'")
        >>> positions.offset(types.Position(0, 9)), positions.position(8)
        (8, 0:9)
    """

    def __init__(self, text: str) -> None:
        ends = [match.span() for match in _LINE_END.finditer(text)]
        self._starts = [0, *(end for _, end in ends)]
        self._ends = [*(start for start, _ in ends), len(text)]
        #: offsets of the characters that are two units
        self._wide = [] if text.isascii() else [match.start() for match in _WIDE.finditer(text)]
        #: the unit of the whole text at which each of them begins
        self._wide_units = [offset + before for before, offset in enumerate(self._wide)]

    def offset(self, position: types.Position) -> int:
        """The offset of a position; one behind the end of a line or of the text is at that end."""
        if position.line >= len(self._starts):
            return self._ends[-1]
        start, end = self._starts[position.line], self._ends[position.line]
        before = bisect_left(self._wide, start)
        within = bisect_left(self._wide_units, start + before + position.character) - before
        return min(start + position.character - max(within, 0), end)

    def position(self, offset: int) -> types.Position:
        """The position of an offset; one between the two characters of a line end is at the line's end."""
        return types.Position(*self.place(offset))

    def place(self, offset: int) -> tuple[int, int]:
        """The same as two numbers, which is faster for many offsets."""
        offset = min(max(offset, 0), self._ends[-1])
        line = bisect_right(self._starts, offset) - 1
        start = self._starts[line]
        offset = min(offset, self._ends[line])
        wide = bisect_left(self._wide, offset) - bisect_left(self._wide, start) if self._wide else 0
        return line, offset - start + wide
