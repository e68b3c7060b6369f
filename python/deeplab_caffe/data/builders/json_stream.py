"""Large JSON files, read item by item in a window that moves on, so that memory stays small.

Read so is a file whose value is an object with lists as members, such as COCO's instances:
{"info": {…}, "images": [{…}, …], "annotations": [{…}, …], "categories": [{…}, …]}.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from ...errors import InputError
from ...reading import reading

_BLOCK = 1 << 20  # bytes that are read at once
_LONGEST = 1 << 24  # bytes of one item; COCO's have less than 100,000
_SPACE = re.compile(r"[ \t\r\n]*")
_OPEN = ("", ".", "e", "E", "+", "-")  # after a number, these say that it may go on in what follows
_DECODER = json.JSONDecoder()


class Item(NamedTuple):
    """An item of a list: the list's name, the item, and where its bytes lie in the file: from `start` to `end`."""

    key: str
    value: Any
    start: int
    end: int


def items(path: str | os.PathLike[str], what: str = "the file") -> Iterator[Item]:
    """The items of all lists of a JSON object, in the file's order; members that are no lists are skipped.

    Text in items is decoded as Latin-1, one character a byte, which is right for what is ASCII.

    Raises:
        InputError: the file is missing or is no such JSON; names the byte.
    """
    with reading(path, what, "not valid JSON"), open(path, "rb") as file:
        yield from _Window(os.fspath(path), file).items()


class _Window:
    """The part of the file that is being decoded, as text of one character a byte."""

    def __init__(self, path: str, file: BinaryIO) -> None:
        self.path, self.file = path, file
        self.text, self.place, self.start = "", 0, 0  # start: the byte of the file at which the text begins

    def items(self) -> Iterator[Item]:
        self._take("{")
        for _ in self._members("}"):
            key = self._value().value
            self._take(":")
            if self._peek() == "[":
                self._take("[")
                for _ in self._members("]"):
                    yield self._value()._replace(key=str(key))
            else:
                self._value()
        if self._peek():
            raise self._fault("expected the end of the file")

    def _members(self, end: str) -> Iterator[None]:
        """Once for each member of a list or an object; the caller takes the member itself."""
        while self._peek() != end:
            yield None
            if self._peek() != end:
                self._take(",")
        self._take(end)

    def _peek(self) -> str:
        """The next character that is no space; "" at the end of the file."""
        while True:
            match = _SPACE.match(self.text, self.place)
            self.place = match.end() if match else self.place
            if self.place < len(self.text) or not self._more():
                return self.text[self.place : self.place + 1]

    def _take(self, wanted: str) -> None:
        if self._peek() != wanted:
            raise self._fault(f"expected '{wanted}'")
        self.place += 1

    def _value(self) -> Item:
        """The value that begins here, without its key."""
        self._peek()
        while True:
            try:
                value, end = _DECODER.raw_decode(self.text, self.place)
            except json.JSONDecodeError as error:
                if not self._more():
                    raise self._fault(error.msg, error.pos) from None
                continue
            if self.text[end : end + 1] not in _OPEN or not self._more():
                item = Item("", value, self.start + self.place, self.start + end)
                self.place = end
                return item

    def _more(self) -> bool:
        """Read on, as much as there is of the item again; drop what was decoded. False at the end of the file."""
        if len(self.text) - self.place > _LONGEST:
            raise self._fault(f"one item has more than {_LONGEST >> 20} MB")
        data = self.file.read(max(_BLOCK, len(self.text) - self.place))
        self.start += self.place
        self.text, self.place = self.text[self.place :] + data.decode("latin-1"), 0
        return bool(data)

    def _fault(self, why: str, place: int | None = None) -> InputError:
        byte = self.start + (self.place if place is None else place)
        return InputError(f"{self.path}: not valid JSON at byte {byte}: {why}; it is damaged or not complete")
