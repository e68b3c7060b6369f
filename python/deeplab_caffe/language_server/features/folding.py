"""What can be folded: blocks and lists of several lines, and comments on lines in a row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lsprotocol import types

from ...formats.tree import Block, walk
from ..buffers import Buffer

_COMMENT = types.FoldingRangeKind.Comment


def folding_ranges(buffer: Buffer) -> list[types.FoldingRange]:
    """What can be folded, in the order of the text; the line with the closing brace stays visible."""
    found = [types.FoldingRange(start, end - 1) for start, end in _blocks(buffer) if end - 1 > start]
    found += [types.FoldingRange(start, end, kind=_COMMENT) for start, end in _comments(buffer) if end > start]
    return sorted(found, key=lambda item: item.start_line)


def _blocks(buffer: Buffer) -> Iterator[tuple[int, int]]:
    """The lines of the opening and the closing brace of each block, or bracket of each list."""
    places: set[tuple[int, int]] = set()
    for field in walk(buffer.document.root.fields):
        if isinstance(field.value, Block):
            places.add((field.value.start, field.value.end))
        if field.listed:
            places.add(field.listed)
    for start, end in places:
        yield _line(buffer, start), _line(buffer, max(end - 1, start))


def _comments(buffer: Buffer) -> Iterator[tuple[int, int]]:
    """The first and last line of each run of lines that have nothing but a comment."""
    first = last = -2
    for offset, _ in buffer.document.comments:
        line_start = buffer.text.rfind("\n", 0, offset) + 1
        if buffer.text[line_start:offset].strip():
            continue
        line = _line(buffer, offset)
        if line != last + 1:
            yield first, last
            first = line
        last = line
    yield first, last


def _line(buffer: Buffer, offset: int) -> int:
    return buffer.position(offset).line


def register(server: Any) -> None:
    """Put the handlers on the server."""

    @server.feature(types.TEXT_DOCUMENT_FOLDING_RANGE)
    def _folding(params: types.FoldingRangeParams) -> list[types.FoldingRange]:
        buffer = server.workspace_of_nets.buffer(params.text_document.uri)
        return folding_ranges(buffer) if buffer else []
