"""The syntax tree of a prototxt: blocks of fields, each a scalar or a block, with their places in the text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from ..errors import InputError

#: a template variable, `${NAME}`
VARIABLE = re.compile(r"\$\{(\w+)\}")


class PrototxtError(InputError):
    """A prototxt that cannot be read; the message begins with file:line:column.

    Attributes:
        offset: the place in the text; None if the file could not be opened.
        file, place: the same place as file, (line, column).
        reason: the message without place and layer.
    """

    offset: int | None = None
    file: str = ""
    place: tuple[int, int] = (1, 1)
    reason: str = ""


@dataclass(slots=True)
class Scalar:
    """One value: its `text`, with template variables filled in; `quoted` for strings, not for numbers and words."""

    text: str
    quoted: bool
    start: int
    end: int


@dataclass(slots=True)
class Block:
    """The fields between two braces, in order; the root block holds the fields of the whole file."""

    fields: list[Field] = field(default_factory=list)
    start: int = 0
    end: int = 0

    def all(self, name: str) -> list[Field]:
        """All fields of that name, in order."""
        return [f for f in self.fields if f.name == name]

    def last(self, name: str) -> Field | None:
        """The last field of that name, or None."""
        found = self.all(name)
        return found[-1] if found else None

    def text_of(self, name: str) -> str | None:
        """The last scalar of that name as text, or None."""
        values = [f.value.text for f in self.fields if f.name == name and isinstance(f.value, Scalar)]
        return values[-1] if values else None


class Listing(NamedTuple):
    """The first and last offset of a list `name: [ … ]`, which is a field for each element."""

    start: int
    end: int


@dataclass(slots=True)
class Field:
    """`name: value` or `name { … }`; `start` and `end` are offsets into the document's text.

    A template variable without a value in place of whole fields is a field without a name.

    Attributes:
        name_end: where the name ends.
        listed: the list that this is an element of. Then `start` is that of the element's value, and the name is at
            the start of the list.
    """

    name: str
    value: Scalar | Block
    start: int
    end: int
    name_end: int = 0
    listed: Listing | None = None

    @property
    def is_template(self) -> bool:
        """Whether this is a template variable in place of whole fields."""
        return not self.name

    def within(self, *names: str) -> Field:
        """The field at this path of names (the last of each name), or the deepest one on the path that exists."""
        found = self.value.all(names[0]) if names and isinstance(self.value, Block) else []
        return found[-1].within(*names[1:]) if found else self


def walk(fields: Iterable[Field]) -> Iterator[Field]:
    """All fields and those nested in them, in the order of the text."""
    for item in fields:
        yield item
        if isinstance(item.value, Block):
            yield from walk(item.value.fields)


def same_fields(first: Block, second: Block) -> bool:
    """Whether two blocks have the same fields with the same values in the same order; places do not count."""
    return len(first.fields) == len(second.fields) and all(map(_same, first.fields, second.fields))


def _same(first: Field, second: Field) -> bool:
    if first.name != second.name or type(first.value) is not type(second.value):
        return False
    if isinstance(first.value, Block) and isinstance(second.value, Block):
        return same_fields(first.value, second.value)
    a, b = first.value, second.value
    return isinstance(a, Scalar) and isinstance(b, Scalar) and (a.text, a.quoted) == (b.text, b.quoted)
