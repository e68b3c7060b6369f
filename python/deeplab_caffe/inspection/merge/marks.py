"""The marks of conflicts: comments that name both values, until the user has decided and removes them.

A mark stands on a line of its own above what it is about; longer text follows on lines that begin with `#   | `. The
file stays valid, and the user's value in force.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ...formats.edits import Edits
from ...formats.prototxt import Document
from .outcome import MergeChange

_MARK = re.compile(r"# CONFLICT (?P<place>.*?): ")
_MORE = "#   | "


def mark_lines(change: MergeChange, more: str = "") -> list[str]:
    """The comment lines that mark a conflict.

    Args:
        change: the conflict.
        more: prototxt text of the generator, such as a layer that the user removed.
    """
    return [f"# CONFLICT {change}", *(f"{_MORE}{line}" for line in more.splitlines())]


def conflict_marks(document: Document) -> list[tuple[int, str]]:
    """The marks of conflicts that still stand in a file: their offsets and texts, without `# CONFLICT `.

    Example:
        >>> conflict_marks(Document("# CONFLICT base_lr: yours is 1, the generator's is now 2 (was 3)\\nbase_lr: 1"))
        [(0, "base_lr: yours is 1, the generator's is now 2 (was 3)")]
    """
    return [(offset, text[len("# CONFLICT ") :].rstrip()) for offset, text in document.comments if _MARK.match(text)]


def insert_mark(edits: Edits, offset: int, lines: Sequence[str]) -> None:
    """Put a mark above the line of an offset."""
    at = edits.document.text.rfind("\n", 0, offset) + 1
    indent = edits.indent_of(offset)
    edits.replace(at, at, "".join(f"{indent}{line}\n" for line in lines))


def remove_marks(edits: Edits, places: Sequence[str]) -> None:
    """Remove the marks of these places (as in MergeChange.place) with the lines that belong to them."""
    text = edits.document.text
    for start, end in _lines_of(edits.document, set(places)):
        begin = text.rfind("\n", 0, start) + 1
        newline = text.find("\n", end)
        if not text[begin:start].strip():
            edits.replace(begin, len(text) if newline < 0 else newline + 1, "")


def _lines_of(document: Document, places: set[str]) -> Iterator[tuple[int, int]]:
    """The start and end of each comment line of the marks of these places."""
    within = False
    for offset, comment in document.comments:
        mark = _MARK.match(comment)
        within = mark["place"] in places if mark else within and comment.startswith(_MORE.rstrip())
        if within:
            yield offset, offset + len(comment)
