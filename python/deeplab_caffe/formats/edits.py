"""Changes to a prototxt in their places: whatever is not changed stays as the user wrote it, to the last blank."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .prototxt import Document
from .tree import Block, Field

_NEWLINE = re.compile(r"\r?\n")
_REST = re.compile(r"[ \t]*[,;]?[ \t]*(#[^\n]*)?")


class _Edit(NamedTuple):
    start: int
    end: int
    text: str


class Edits:
    """Changes to a document, gathered and then applied all at once; their offsets are those of the document.

    A field that stands on lines of its own is put in and taken out with its line; one among others on a line, without.
    Comments are never taken out.
    """

    def __init__(self, document: Document) -> None:
        self.document = document
        self._text = document.text
        self._edits: list[_Edit] = []
        self._newline = "\r\n" if "\r\n" in document.text else "\n"

    def __bool__(self) -> bool:
        return bool(self._edits)

    def __len__(self) -> int:
        return len(self._edits)

    # -- changes

    def replace(self, start: int, end: int, text: str) -> None:
        """Put `text` in the place of what lies between two offsets."""
        self._edits.append(_Edit(start, end, text))

    def rename(self, field: Field, name: str) -> None:
        """Give a field another name; for an element of a list, the whole list."""
        start = field.listed.start if field.listed else field.start
        edit = _Edit(start, field.name_end, name)
        if edit not in self._edits:
            self._edits.append(edit)

    def set_value(self, field: Field, text: str) -> None:
        """Give a field another value, as it is to be written."""
        self.replace(field.value.start, field.value.end, text)

    def put(self, field: Field, text: str) -> None:
        """Put other fields in the place of a field; comments within it stay, on lines above."""
        comments = self.comments_in(field.start, field.end)
        if comments:
            text = "\n".join([*comments, text])
        self.replace(field.start, field.end, self._indented(text, self.indent_of(field.start)))

    def remove(self, field: Field) -> None:
        """Take a field out; comments within it and behind it stay, on lines of their own."""
        self.cut(field.start, field.end)

    def remove_all(self, fields: Sequence[Field]) -> None:
        """Take several fields of a block out; those that share a line go together, and their line with them."""
        runs: list[list[Field]] = []
        for field in fields:
            before = runs[-1][-1] if runs else None
            between = self._text[before.end : field.start] if before else ""
            if before is not None and not between.strip(" \t,;"):
                runs[-1].append(field)
            else:
                runs.append([field])
        for run in runs:
            self.cut(run[0].start, run[-1].end)

    def cut(self, start: int, end: int) -> None:
        """Take out what lies between two offsets, a separator behind it, and the lines if nothing is left on them."""
        rest = _REST.match(self._text, end)
        assert rest is not None
        line_start = self._line_start(start)
        at_start = not self._text[line_start:start].strip()
        comments = self.comments_in(start, end)
        if comments:
            if rest[1] is None and rest.end() != self._line_end(end):  # what follows must not become a comment
                comments.append("")
            self.replace(start, end, self._indented("\n".join(comments), self.indent_of(start)))
        elif rest[1]:  # a comment stays where the field was, or behind what stands before it
            self.replace(start, rest.start(1), "")
        elif at_start and self._line_end(end) == rest.end():
            newline = _NEWLINE.match(self._text, rest.end())
            self.replace(line_start, newline.end() if newline else rest.end(), "")
        elif self._line_end(end) == rest.end():
            kept = self._text[line_start:start].rstrip()
            self.replace(line_start + len(kept), rest.end(), "")
        else:
            self.replace(start, rest.end(), "")

    def insert_after(self, field: Field, text: str) -> None:
        """Put fields behind a field: on lines of their own if that has one of its own, else on the same line."""
        end = field.listed.end if field.listed else field.end
        rest = _REST.match(self._text, end)
        assert rest is not None
        if self.begins_line(field) and rest.end() == self._line_end(end):
            indent = self.indent_of(self._first(field))
            self.replace(rest.end(), rest.end(), self._newline + indent + self._indented(text, indent))
        elif rest[1]:  # the line ends with a comment
            indent = self.indent_of(self._first(field)) + "  "
            self.replace(rest.end(), rest.end(), self._newline + indent + self._indented(text, indent))
        else:
            self.replace(end, end, " " + _one_line(text))

    def insert_before(self, field: Field, text: str) -> None:
        """Put fields before a field: on lines of their own if that begins its line, else on the same line."""
        start = self._first(field)
        if self.begins_line(field):
            indent = self.indent_of(start)
            self.replace(start, start, self._indented(text, indent) + self._newline + indent)
        else:
            self.replace(start, start, _one_line(text) + " ")

    def append(self, block: Block, text: str) -> None:
        """Put fields at the end of a block that has braces."""
        if block.fields:
            self.insert_after(block.fields[-1], text)
        else:
            inner = self._text[block.start + 1 : block.end - 1]
            if inner.strip():  # a comment, which must keep its end of line
                indent = self.indent_of(block.start) + "  "
                text = indent + self._indented(text, indent) + self._newline + indent[:-2]
                self.replace(block.end - 1, block.end - 1, text)
            else:
                self.replace(block.start + 1, block.end - 1, f" {_one_line(text)} ")

    def surround(self, first: Field, last: Field, name: str, extra: Sequence[str], indent: str) -> None:
        """Make a block of the fields from `first` to `last` and further ones at its end; its braces get `indent`."""
        rest = _REST.match(self._text, last.end)
        assert rest is not None
        if self.begins_line(first) and rest.end() == self._line_end(last.end):
            start = self._line_start(first.start)
            self.replace(start, start, f"{indent}{name} {{{self._newline}")
            lines = [*(f"  {field}" for field in extra), "}"]
            self.replace(rest.end(), rest.end(), "".join(f"{self._newline}{indent}{line}" for line in lines))
        else:
            self.replace(first.start, first.start, f"{name} {{ ")
            self.replace(last.end, last.end, " ".join(["", *extra, "}"]))

    # -- what the text looks like

    def source(self, field: Field) -> str:
        """A field as it is written."""
        return self._text[field.start : field.end]

    def bare(self, start: int, end: int) -> str:
        """What is written between two offsets, without comments."""
        parts = []
        for offset, comment in self._comments(start, end):
            parts.append(self._text[start:offset].rstrip())
            start = offset + len(comment)
        return "".join([*parts, self._text[start:end]])

    def comments_in(self, start: int, end: int) -> list[str]:
        """The comments between two offsets."""
        return [text for _, text in self._comments(start, end)]

    def _comments(self, start: int, end: int) -> list[tuple[int, str]]:
        comments = self.document.comments
        return comments[bisect_right(comments, (start, "")) : bisect_right(comments, (end, ""))]

    def indent_of(self, offset: int) -> str:
        """The blanks at the beginning of the line that an offset lies in."""
        line = self._text[self._line_start(offset) :]
        return line[: len(line) - len(line.lstrip(" \t"))]

    def begins_line(self, field: Field) -> bool:
        """Whether there are only blanks before a field on its line."""
        start = self._first(field)
        return not self._text[self._line_start(start) : start].strip()

    def lines_between(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Offset and number of leading blanks of every line that begins, but for its blanks, between two offsets."""
        at = self._line_start(start)
        while at < end:
            indent = len(self.indent_of(at))
            if start <= at + indent < end and self._text[at + indent : at + indent + 1].strip():
                yield at, indent
            at = self._text.find("\n", at) + 1 or end

    def _line_start(self, offset: int) -> int:
        return self._text.rfind("\n", 0, offset) + 1

    def _line_end(self, offset: int) -> int:
        newline = _NEWLINE.search(self._text, offset)
        return newline.start() if newline else len(self._text)

    @staticmethod
    def _first(field: Field) -> int:
        return field.listed.start if field.listed else field.start

    def _indented(self, text: str, indent: str) -> str:
        """Several lines, all but the first one indented."""
        return (self._newline + indent).join(text.split("\n"))

    # -- the result

    def copy(self) -> Edits:
        """The same changes so far, to go on from."""
        other = Edits(self.document)
        other._edits = list(self._edits)
        return other

    def overlap(self) -> bool:
        """Whether two changes are in one place, so that they cannot both be made."""
        try:
            self.apply()
        except ValueError:
            return True
        return False

    def apply(self) -> str:
        """The text with every change; ValueError if two of them overlap."""
        return self.applied()[0]

    def applied(self) -> tuple[str, Offsets]:
        """The text with every change, and where its parts stood before."""
        parts: list[str] = []
        starts: list[tuple[int, int]] = [(0, 0)]
        at = length = 0
        for start, end, text in sorted(self._edits, key=lambda edit: (edit.start, edit.end)):
            if start < at and not text:  # of two that take out, the second begins where the first ends
                start, end = at, max(at, end)
            if start < at:
                raise ValueError(f"{self.document.where(start)}: two changes in one place")
            parts += [self._text[at:start], text]
            starts += [(length + start - at, start), (length + start - at + len(text), end)]
            length += start - at + len(text)
            at = end
        return "".join([*parts, self._text[at:]]), Offsets(starts)


class Offsets:
    """Where the parts of a changed text stood in the text before."""

    def __init__(self, starts: list[tuple[int, int]]) -> None:
        self._new = [new for new, _ in starts]
        self._old = [old for _, old in starts]

    def before(self, offset: int) -> int:
        """The offset in the text before; for what was put in, the place where it was put."""
        i = bisect_right(self._new, offset) - 1
        within = offset - self._new[i]
        if i % 2 == 1:  # within what was put in
            return self._old[i]
        return self._old[i] + within


def _one_line(text: str) -> str:
    """Fields of several lines as one; those that hold a comment keep their line's end behind it."""
    return "".join(line + ("\n" if "#" in line else " ") for line in map(str.strip, text.split("\n"))).strip()
