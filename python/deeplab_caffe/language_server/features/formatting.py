"""Formatting, as `deeplab prototxt format` does it, by edits of the lines that change."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Any

from lsprotocol import types

from ...formats.formatting import Piece, format_pieces
from ..buffers import Buffer

#: lines of a piece that are compared one by one; a longer piece is replaced as a whole
_MOST = 1000


def formatting(buffer: Buffer, wanted: types.Range | None = None) -> list[types.TextEdit]:
    """The edits that put a file into the canonical layout; none if it is broken.

    Line ends stay those of the file.

    Args:
        buffer: the file.
        wanted: format only the top-level fields (in a net: the layers) that are in this range, even in part.
    """
    if buffer.document.errors:
        return []
    newline = "\r\n" if "\r\n" in buffer.text else "\n"
    size = len(buffer.text)
    start, end = (buffer.offset(wanted.start), buffer.offset(wanted.end)) if wanted else (0, size)
    edits = []
    for piece in format_pieces(buffer.document):
        if piece.start < max(end, start + 1) and (start < piece.end or piece.end == size):
            edits += [
                types.TextEdit(buffer.range(first, last), text)
                for first, last, text in _changes(buffer.text, piece._replace(text=piece.text.replace("\n", newline)))
            ]
    return edits


def _changes(text: str, piece: Piece) -> Iterator[tuple[int, int, str]]:
    """What has to be replaced in a text, between two offsets, for one piece to be formatted."""
    before = text[piece.start : piece.end].splitlines(keepends=True)
    after = piece.text.splitlines(keepends=True)
    if before == after:
        return
    if len(before) + len(after) > _MOST:
        yield piece
        return
    starts = [piece.start]
    for line in before:
        starts.append(starts[-1] + len(line))
    for kind, first, last, begin, end in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind != "equal":
            yield starts[first], starts[last], "".join(after[begin:end])


def register(server: Any) -> None:
    """Put the handlers on the server."""

    @server.feature(types.TEXT_DOCUMENT_FORMATTING)
    def _file(params: types.DocumentFormattingParams) -> list[types.TextEdit]:
        buffer = server.workspace_of_nets.buffer(params.text_document.uri)
        return formatting(buffer) if buffer else []

    @server.feature(types.TEXT_DOCUMENT_RANGE_FORMATTING)
    def _range(params: types.DocumentRangeFormattingParams) -> list[types.TextEdit]:
        buffer = server.workspace_of_nets.buffer(params.text_document.uri)
        return formatting(buffer, params.range) if buffer else []
