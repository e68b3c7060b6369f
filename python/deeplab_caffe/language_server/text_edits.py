"""Changes of a text as the protocol's edits."""

from __future__ import annotations

from lsprotocol import types

from ..formats.edits import Edits
from .buffers import Buffer


def edits_of(buffer: Buffer, edits: Edits) -> list[types.TextEdit]:
    """The edits that make collected changes; ValueError if two of the changes overlap."""
    return edits_to(buffer, edits.apply())


def edits_to(buffer: Buffer, text: str) -> list[types.TextEdit]:
    """The one edit that turns a buffer's text into another text; it leaves out what both begin and end with."""
    old = buffer.text
    if old == text:
        return []
    start = _common(old, text)
    most = min(len(old), len(text)) - start
    end = _common(old[len(old) - most :][::-1], text[len(text) - most :][::-1])
    if old[len(old) - end : len(old) - end + 1] == "\n" and end:  # not between the two characters of a line end
        end -= 1
    if start and old[start - 1 : start] == "\r":
        start -= 1
    return [types.TextEdit(buffer.range(start, len(old) - end), text[start : len(text) - end])]


def _common(first: str, second: str) -> int:
    """How many characters two texts begin with in common; by halving, since comparing slices is fast."""
    low, high = 0, min(len(first), len(second))
    while low < high:
        middle = (low + high + 1) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def in_one_file(buffer: Buffer, edits: list[types.TextEdit]) -> types.WorkspaceEdit:
    """The workspace edit that changes one buffer."""
    return types.WorkspaceEdit(changes={buffer.uri: edits})
