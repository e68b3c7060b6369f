"""Changes of a text as the protocol's edits."""

from __future__ import annotations

from lsprotocol import types

from ..formats.edits import Edits
from ..formats.reparse import edit_between
from .buffers import Buffer


def edits_of(buffer: Buffer, edits: Edits) -> list[types.TextEdit]:
    """The edits that make collected changes; ValueError if two of the changes overlap."""
    return edits_to(buffer, edits.apply())


def edits_to(buffer: Buffer, text: str) -> list[types.TextEdit]:
    """The one edit that turns a buffer's text into another text; it leaves out what both begin and end with."""
    old = buffer.text
    if old == text:
        return []
    start, end, _ = edit_between(old, text)
    rest = len(old) - end
    if old[end - 1 : end + 1] == "\r\n":  # a position cannot lie between the two characters of a line end
        rest -= 1
    if old[start - 1 : start + 1] == "\r\n":
        start -= 1
    return [types.TextEdit(buffer.range(start, len(old) - rest), text[start : len(text) - rest])]


def in_one_file(buffer: Buffer, edits: list[types.TextEdit]) -> types.WorkspaceEdit:
    """The workspace edit that changes one buffer."""
    return types.WorkspaceEdit(changes={buffer.uri: edits})
