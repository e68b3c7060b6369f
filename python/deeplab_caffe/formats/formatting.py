"""`deeplab prototxt format`: the canonical layout of a prototxt, the one of the generated files; comments are kept.

Order, numbers and template variables stay as written; strings get double quotes, blocks get braces, and a list
`[a, b]` becomes a field for each element.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import NamedTuple

from .prototxt import Document
from .tree import Block, Field, Scalar
from .writer import LINE_WIDTH, quote

_LAYERS = ("layer", "layers")


def format_document(document: Document) -> str:
    """The text of a document in the canonical layout. Formatting it again changes nothing.

    Blocks are indented by two spaces. A small block is on one line; a layer only if it has nothing but scalars and no
    comment. At the top level, a blank line precedes every comment and every block of several lines; elsewhere between
    top-level fields one blank line is kept.

    Args:
        document: a document that was parsed without values for its template variables.

    Example:
        >>> print(format_document(Document("name:'net' layer{name:'r' type:'ReLU' bottom:'a' top:'a'}  # r")), end="")
        name: "net"
        layer { name: "r" type: "ReLU" bottom: "a" top: "a" }  # r
    """
    return "".join(piece.text for piece in format_pieces(document))


class Piece(NamedTuple):
    """A part of a document between two offsets, and its text in the canonical layout."""

    start: int
    end: int
    text: str


def format_pieces(document: Document) -> Iterator[Piece]:
    """The parts of a document that can be formatted one by one, in order; together, they are the whole document.

    A part is a top-level field with the comments above it and the rest of its line, or several fields that share a
    line; what is behind the last field is a part too. However many of them are replaced by their `text`, the result
    says the same.

    Args:
        document: a document that was parsed without values for its template variables.

    Example:
        >>> text = "name:'net'\\n\\nlayer{name:'r'}  # r\\n"
        >>> [(text[piece.start : piece.end], piece.text) for piece in format_pieces(Document(text))]
        [("name:'net'\\n", 'name: "net"\\n'), ("\\nlayer{name:'r'}  # r\\n", '\\nlayer { name: "r" }  # r\\n')]
    """
    start = 0
    lines: list[str] = []
    is_first = True
    items = _CommentPlacer(document).items(document.root)
    if not items and document.text:
        yield Piece(0, len(document.text), "")
    for item, following in zip_longest(items, items[1:]):
        lines += item.top_lines(is_first)
        is_first = is_first and not lines
        rest = _REST_OF_LINE.match(document.text, item.end)
        assert rest is not None
        is_alone = rest[0].endswith("\n") and not (following and _share_list(item.entry, following.entry))
        if following is None or is_alone:
            end = len(document.text) if following is None else rest.end()
            yield Piece(start, end, "".join(f"{line}\n" for line in lines))
            start, lines = end, []


#: behind a field, or the comment behind it
_REST_OF_LINE = re.compile(r"[ \t]*[,;]?[ \t]*\r?\n?")


def _share_list(entry: Field | None, following: Field | None) -> bool:
    """Whether two fields are elements of one list."""
    return entry is not None and following is not None and entry.listed is not None and entry.listed is following.listed


@dataclass
class _Comment:
    text: str
    blank_before: bool


@dataclass
class _Item:
    """A field with the comments above it and the one behind it; without a field, the comments at the end of a block."""

    entry: Field | None
    comments: list[_Comment] = field(default_factory=list)
    behind: str = ""
    #: see `_CommentPlacer._end_of`
    end: int = 0
    blank_before: bool = False
    #: for a block: its fields, and the comment behind its opening brace
    inner: list[_Item] = field(default_factory=list)
    opening: str = ""

    def top_lines(self, is_first: bool) -> list[str]:
        """The lines of a field at the top level, with the comments above it and the blank lines between."""
        block = self.lines(0)
        apart = bool(self.comments) or len(block) > 1
        lines: list[str] = []
        for i, comment in enumerate(self.comments):
            if (lines or not is_first) and (comment.blank_before or i == 0):
                lines.append("")
            lines.append(comment.text)
        if block and (lines or not is_first) and (self.blank_before or (apart and not self.comments)):
            lines.append("")
        return lines + block

    def lines(self, depth: int) -> list[str]:
        """The lines of the field, without the comments above it."""
        indent = "  " * depth
        if self.entry is None:
            return []
        inline = self.inline()
        if inline is not None and (isinstance(self.entry.value, Scalar) or len(indent + inline) <= LINE_WIDTH):
            return [indent + inline + self._behind()]
        opening = f"  {self.opening}" if self.opening else ""
        lines = [f"{indent}{self.entry.name} {{{opening}"]
        for item in self.inner:
            lines += [f"{indent}  {comment.text}" for comment in item.comments]
            lines += item.lines(depth + 1)
        return [*lines, f"{indent}}}{self._behind()}"]

    def _behind(self) -> str:
        return f"  {self.behind}" if self.behind else ""

    def inline(self) -> str | None:
        """The field as one line, without the comment behind it; None if it needs several."""
        assert self.entry is not None
        if isinstance(self.entry.value, Scalar):
            value = _scalar(self.entry.value)
            return value if self.entry.is_template else f"{self.entry.name}: {value}"
        if not self.inner:
            return None if self.opening else f"{self.entry.name} {{}}"
        if self.opening or any(item.comments or item.behind or item.entry is None for item in self.inner):
            return None
        return self._inline_block()

    def _inline_block(self) -> str | None:
        """The block as one line if it has only scalars, or (except in a layer) exactly one such block."""
        assert self.entry is not None
        fields = [item.entry for item in self.inner if item.entry is not None]
        if any(f.is_template for f in fields):
            return None
        blocks = sum(isinstance(f.value, Block) for f in fields)
        if blocks and (len(fields) > 1 or self.entry.name in _LAYERS):
            return None
        parts = [item.inline() for item in self.inner]
        return None if None in parts else f"{self.entry.name} {{ {' '.join(map(str, parts))} }}"


def _scalar(value: Scalar) -> str:
    if not value.quoted:
        return value.text
    is_text = value.text.isprintable() or not any("\udc80" <= c <= "\udcff" for c in value.text)
    return quote(value.text if is_text else value.text.encode("utf-8", "surrogateescape"))


class _CommentPlacer:
    """Assigns every comment of a document to a field."""

    def __init__(self, document: Document) -> None:
        self.text = document.text
        self.comments = document.comments
        self._next = 0

    def items(self, block: Block) -> list[_Item]:
        result: list[_Item] = []
        at = block.start
        for f in block.fields:
            item = _Item(f, list(self._own_lines(f.start)))
            item.blank_before = self._blank_before(f.start)
            if isinstance(f.value, Block):
                item.comments += self._own_lines(f.value.start)
                item.opening = self._same_line(f.value.start)
                item.inner = self.items(f.value)
            item.comments += self._own_lines(f.end)
            item.behind = self._same_line(f.end)
            item.end = self._end_of(f, item)
            result.append(item)
            at = f.end
        rest = list(self._own_lines(max(block.end, at)))
        return [*result, _Item(None, rest)] if rest else result

    def _own_lines(self, end: int) -> Iterator[_Comment]:
        """The comments not yet assigned that begin before an offset."""
        while self._next < len(self.comments) and self.comments[self._next][0] < end:
            offset, text = self.comments[self._next]
            self._next += 1
            yield _Comment(text.rstrip(), self._blank_before(offset))

    def _same_line(self, offset: int) -> str:
        """The comment at the end of a line, if nothing else is before it; it counts as assigned then."""
        if self._next == len(self.comments):
            return ""
        start, text = self.comments[self._next]
        if start < offset or self.text[offset:start].strip(" \t,;{<]"):
            return ""
        self._next += 1
        return text.rstrip()

    def _end_of(self, f: Field, item: _Item) -> int:
        """Where a field ends, with its list and the comment behind it; not behind a comment of the next item."""
        end = f.listed.end if f.listed else f.end
        if item.behind:
            offset, text = self.comments[self._next - 1]
            end = max(end, offset + len(text))
        return min(end, self.comments[self._next][0]) if self._next < len(self.comments) else end

    def _blank_before(self, offset: int) -> bool:
        """Whether there is a blank line right before what begins at an offset."""
        newlines = 0
        for at in range(offset - 1, -1, -1):
            if self.text[at] == "\n":
                newlines += 1
            elif self.text[at] not in " \t\r":
                return newlines > 1
        return False
