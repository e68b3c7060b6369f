"""Positions of the protocol (line, UTF-16 unit, both from 0) as offsets into a text, and back."""

from __future__ import annotations

import re
from bisect import bisect_right

from lsprotocol import types

#: what ends a line in the protocol; Python's splitlines knows more
_LINE_END = re.compile(r"\r\n|\n|\r")


class TextPositions:
    """Converts between offsets and positions in one text.

    Example:
        >>> positions = TextPositions("name: '\U0001d703'\\r\\ntop: 'x'")
        >>> positions.offset(types.Position(0, 9)), positions.position(8)
        (8, 0:9)
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._ascii = text.isascii()
        ends = [match.span() for match in _LINE_END.finditer(text)]
        self._starts = [0, *(end for _, end in ends)]
        self._ends = [*(start for start, _ in ends), len(text)]

    def offset(self, position: types.Position) -> int:
        """The offset of a position; one behind the end of a line or of the text is at that end."""
        if position.line >= len(self._starts):
            return len(self._text)
        start, end = self._starts[position.line], self._ends[position.line]
        if self._ascii:
            return min(start + position.character, end)
        left = position.character
        for at in range(start, end):
            left -= 1 + (ord(self._text[at]) > 0xFFFF)
            if left < 0:
                return at
        return end

    def position(self, offset: int) -> types.Position:
        """The position of an offset; one between the two characters of a line end is at the line's end."""
        return types.Position(*self.place(offset))

    def place(self, offset: int) -> tuple[int, int]:
        """The same as two numbers, which is faster for many offsets."""
        offset = min(max(offset, 0), len(self._text))
        line = bisect_right(self._starts, offset) - 1
        start = self._starts[line]
        offset = min(offset, self._ends[line])
        if self._ascii:
            return line, offset - start
        before = self._text[start:offset]
        return line, len(before) + sum(ord(c) > 0xFFFF for c in before)
