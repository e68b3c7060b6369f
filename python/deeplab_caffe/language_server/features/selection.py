"""What a selection grows to: what is between the quotes, the value, the field, what is in the braces, the block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from lsprotocol import types

from ...formats.tree import Block, Field, Scalar
from ..buffers import Buffer
from ..strings import content


def selection_ranges(buffer: Buffer, positions: Sequence[types.Position]) -> list[types.SelectionRange]:
    """For each position the ranges around it, from the innermost to the whole file."""
    return [_selection(buffer, position) for position in positions]


def _selection(buffer: Buffer, position: types.Position) -> types.SelectionRange:
    found = types.SelectionRange(buffer.range(0, len(buffer.text)))
    last = 0, len(buffer.text)
    for place in _around(buffer, buffer.offset(position)):
        if place != last and last[0] <= place[0] and place[1] <= last[1]:  # in broken text blocks may overlap
            found = types.SelectionRange(buffer.range(*place), found)
            last = place
    return found


def _around(buffer: Buffer, offset: int) -> Iterator[tuple[int, int]]:
    """The offsets of all that is around an offset, from the outermost to the innermost."""
    block = buffer.document.root
    while (field := _field_at(block, offset)) is not None:
        if field.listed:
            yield field.listed
        value = field.value
        if offset <= field.name_end:
            yield from () if field.listed else [(field.start, field.end)]
            yield _start(field), field.name_end
            return
        yield from _within((field.start, field.end), offset)
        if not value.start <= offset <= value.end:
            return
        yield value.start, value.end
        if isinstance(value, Scalar):
            yield from _within(content(buffer.text, value), offset)
            return
        if not value.start < offset < value.end:
            return
        inside = buffer.text[value.start + 1 : value.end - 1]
        begin = value.start + 1 + len(inside) - len(inside.lstrip())
        if inside.strip():
            yield from _within((begin, begin + len(inside.strip())), offset)
        block = value


def _within(place: tuple[int, int], offset: int) -> Iterator[tuple[int, int]]:
    if place[0] <= offset <= place[1]:
        yield place


def _field_at(block: Block, offset: int) -> Field | None:
    """The field of a block around an offset; where two meet, the second."""
    touching = [field for field in block.fields if _start(field) <= offset <= _end(field)]
    begun = [field for field in touching if field.start <= offset]  # elements of a list begin behind its name
    return begun[-1] if begun else touching[0] if touching else None


def _start(field: Field) -> int:
    return field.listed.start if field.listed else field.start


def _end(field: Field) -> int:
    return field.listed.end if field.listed else field.end


def register(server: Any) -> None:
    """Put the handlers on the server."""

    @server.feature(types.TEXT_DOCUMENT_SELECTION_RANGE)
    def _selections(params: types.SelectionRangeParams) -> list[types.SelectionRange]:
        buffer = server.workspace_of_nets.buffer(params.text_document.uri)
        return selection_ranges(buffer, params.positions) if buffer else []
