"""A text as pieces, top-level fields with the comments above each, so that pieces can come, go and move."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ...formats.prototxt import Document
from ...formats.signature import header_end, restated
from ...formats.tree import Field
from .three_way import chunks

_REST = re.compile(r"[ \t]*[,;]?[ \t]*(#[^\n]*)?")


@dataclass(eq=False)
class Piece:
    """A top-level field, or a list of them, with what is above it.

    Attributes:
        field: the field, or the first of a list.
        above: the text between the piece before and this one: line breaks and comments.
        body: the field itself, with a comment behind it on its last line.
        before: the piece that stood before it in the text, if any.
    """

    field: Field
    above: str
    body: str
    before: Piece | None = None

    @property
    def comments(self) -> list[str]:
        """The comment lines above it."""
        return comment_lines(self.above)

    def add(self, lines: Sequence[str], first: bool = False) -> None:
        """Put comment lines above it, right there or (`first`) above the comments that it has."""
        if not lines:
            return
        if "\n" not in self.above and self.before is not None:
            self.above = "\n"
        text = "".join(f"{line}\n" for line in lines)
        if first:
            blank = re.match(r"[ \t]*\n?\n?", self.above)
            at = blank.end() if blank else 0
        else:
            at = self.above.rfind("\n") + 1
        self.above = self.above[:at] + text + self.above[at:]


@dataclass
class Pieces:
    """All pieces of a text: the header of a generated file, pieces, and what is below the last one."""

    header: str
    pieces: list[Piece] = field(default_factory=list)
    tail: str = ""

    @classmethod
    def of(cls, document: Document) -> Pieces:
        """Take a document apart; `text` puts it together again."""
        text = document.text
        fields = document.root.fields
        end = header_end(text)
        at = end if not fields or end <= fields[0].start else 0
        result = cls(text[:at])
        listed = None
        for item in fields:
            if item.listed is not None and item.listed == listed:
                continue
            listed = item.listed
            start, stop = (listed.start, listed.end) if listed else (item.start, item.end)
            rest = _REST.match(text, stop)
            stop = rest.end() if rest else stop
            before = result.pieces[-1] if result.pieces else None
            result.pieces.append(Piece(item, text[at:start], text[start:stop], before))
            at = stop
        result.tail = text[at:]
        return result

    def text(self) -> str:
        """The text; pieces that have a new neighbour begin on a line of their own."""
        parts = [self.header]
        before: Piece | None = None
        for piece in self.pieces:
            above = piece.above
            if piece.before is not before:
                if before is None:
                    above = ("\n\n" if self.header else "") + above.lstrip("\n")
                elif "\n" not in above:
                    above = "\n"
            parts += [above, piece.body]
            before = piece
        return "".join([*parts, self.tail])


def comment_lines(text: str) -> list[str]:
    """The comments among the lines of a text between fields."""
    return [line.strip() for line in text.split("\n") if line.lstrip().startswith("#")]


def merged_header(base: str, ours: str, theirs: str) -> str:
    """The header of a generated file: the new one, with what the user wrote into it."""
    if theirs == base or not ours:
        return ours
    if ours == base:
        return theirs
    lines, old, new = (text.split("\n") for text in (ours, base, theirs))
    if len(old) == len(new):
        now = dict(zip(old, new, strict=True))
        return restated("\n".join(now.get(line, line) for line in lines), theirs)
    return restated(ours, theirs)


def merged_comments(base: str, ours: str, theirs: str) -> tuple[str, bool]:
    """The text above a piece: comments that the generator renewed, and those of the user.

    Returns:
        The text, and whether a new comment of the generator is not in it, because the user rewrote the old one.
    """
    if theirs == base or ours == theirs:
        return ours, False
    if ours == base:
        return theirs, False
    lines = [text.split("\n") for text in (base, ours, theirs)]
    result: list[str] = []
    kept = False
    for chunk in chunks(*lines):
        places = chunk.base, chunk.ours, chunk.theirs
        old, own, new = ([side[i] for i in place] for side, place in zip(lines, places, strict=True))
        if chunk.take != "conflict":
            result += own if chunk.take == "ours" else new
        elif (at := _place_in(old, own)) is not None:  # the user wrote more lines
            result += [*own[:at], *new, *own[at + len(old) :]]
        elif (at := _place_in(old, new)) is not None:
            result += [*new[:at], *own, *new[at + len(old) :]]
        else:
            result += own
            kept = kept or bool(set(comment_lines("\n".join(new))) - set(comment_lines("\n".join(own))))
    return "\n".join([*result, *[""] * bool(result and result[-1].lstrip().startswith("#"))]), kept


def _place_in(part: Sequence[str], whole: Sequence[str]) -> int | None:
    """The index at which some lines stand within others; None if they do not."""
    return next((i for i in range(len(whole) - len(part) + 1) if list(whole[i : i + len(part)]) == list(part)), None)
