"""Edit the text of a prototxt in place: whatever is not changed stays exactly as the user wrote it."""

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
    """Changes to a document, collected and then applied all at once; offsets are those of the original document.

    A field that is alone on its lines is inserted and removed together with them; a field that shares its line with
    others is inserted and removed alone. Comments are never removed.

    Example:
        >>> document = Document("layer { name: 'fc8'  pad: 0 }  # scores")
        >>> edits = Edits(document)
        >>> [layer] = document.root.all("layer")
        >>> edits.set_value(layer.within("name"), '"fc8_voc12"')
        >>> edits.remove(layer.within("pad"))
        >>> edits.apply()
        'layer { name: "fc8_voc12"  }  # scores'
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
        """Replace the text between two offsets."""
        self._edits.append(_Edit(start, end, text))

    def rename(self, field: Field, name: str) -> None:
        """Rename a field; for an element of a list, the whole list."""
        start = field.listed.start if field.listed else field.start
        edit = _Edit(start, field.name_end, name)
        if edit not in self._edits:
            self._edits.append(edit)

    def set_value(self, field: Field, text: str) -> None:
        """Replace the value of a field; `text` is inserted as it is, so a string needs its quotes."""
        self.replace(field.value.start, field.value.end, text)

    def put(self, field: Field, text: str) -> None:
        """Replace a field by other fields; comments within it are kept on lines above."""
        comments = self.comments_in(field.start, field.end)
        if comments:
            text = "\n".join([*comments, text])
        self.replace(field.start, field.end, self._indented(text, self.indent_of(field.start)))

    def remove(self, field: Field) -> None:
        """Remove a field; comments within it and behind it are kept on lines of their own."""
        self.cut(field.start, field.end)

    def remove_all(self, fields: Sequence[Field]) -> None:
        """Remove several fields of a block; adjacent ones together, with their line if nothing else is on it."""
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
        """Remove the text between two offsets, a separator behind it, and lines that would be left empty."""
        rest = _REST.match(self._text, end)
        assert rest is not None
        line_start = self._line_start(start)
        at_start = not self._text[line_start:start].strip()
        comments = self.comments_in(start, end)
        if comments:
            if rest[1] is None and rest.end() != self._line_end(end):  # what follows must not join the comment
                comments.append("")
            self.replace(start, end, self._indented("\n".join(comments), self.indent_of(start)))
        elif rest[1]:  # the comment stays where the field was, or behind the field before it
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
        """Insert fields behind a field: on lines of their own if that is alone on its line, else on the same line."""
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
        """Insert fields before a field: on lines of their own if that begins its line, else on the same line."""
        start = self._first(field)
        if self.begins_line(field):
            indent = self.indent_of(start)
            self.replace(start, start, self._indented(text, indent) + self._newline + indent)
        else:
            self.replace(start, start, _one_line(text) + " ")

    def append(self, block: Block, text: str) -> None:
        """Insert fields at the end of a block with braces."""
        if block.fields:
            self.insert_after(block.fields[-1], text)
        else:
            inner = self._text[block.start + 1 : block.end - 1]
            if inner.strip():  # a comment, which must keep its line break
                indent = self.indent_of(block.start) + "  "
                text = indent + self._indented(text, indent) + self._newline + indent[:-2]
                self.replace(block.end - 1, block.end - 1, text)
            else:
                self.replace(block.start + 1, block.end - 1, f" {_one_line(text)} ")

    def surround(self, first: Field, last: Field, name: str, extra: Sequence[str], indent: str) -> None:
        """Make a block of the fields from `first` to `last` and the `extra` ones; its braces get `indent`."""
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

    # -- reading the text

    def source(self, field: Field) -> str:
        """The text of a field."""
        return self._text[field.start : field.end]

    def bare(self, start: int, end: int) -> str:
        """The text between two offsets, without comments."""
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
        """The indentation of the line that contains an offset."""
        line = self._text[self._line_start(offset) :]
        return line[: len(line) - len(line.lstrip(" \t"))]

    def begins_line(self, field: Field) -> bool:
        """Whether a field is the first on its line."""
        start = self._first(field)
        return not self._text[self._line_start(start) : start].strip()

    def lines_between(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """(offset, length of the indentation) of every line whose first character lies between two offsets."""
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
        """Several lines, all but the first indented."""
        return (self._newline + indent).join(text.split("\n"))

    # -- the result

    def copy(self) -> Edits:
        """An independent copy with the changes so far."""
        other = Edits(self.document)
        other._edits = list(self._edits)
        return other

    def overlap(self) -> bool:
        """Whether two changes overlap, so that they cannot both be applied."""
        try:
            self.apply()
        except ValueError:
            return True
        return False

    def apply(self) -> str:
        """The text with all changes; ValueError if two of them overlap."""
        return self.applied()[0]

    def applied(self) -> tuple[str, Offsets]:
        """The text with all changes, and the map from its offsets to the original ones."""
        parts: list[str] = []
        starts: list[tuple[int, int]] = [(0, 0)]
        at = length = 0
        for start, end, text in sorted(self._edits, key=lambda edit: (edit.start, edit.end)):
            if start < at and not text:  # of two overlapping removals, the second begins where the first ends
                start, end = at, max(at, end)
            if start < at:
                raise ValueError(f"{self.document.where(start)}: two changes overlap")
            parts += [self._text[at:start], text]
            starts += [(length + start - at, start), (length + start - at + len(text), end)]
            length += start - at + len(text)
            at = end
        return "".join([*parts, self._text[at:]]), Offsets(starts)


class Offsets:
    """Maps offsets of a changed text to those of the original text."""

    def __init__(self, starts: list[tuple[int, int]]) -> None:
        self._new = [new for new, _ in starts]
        self._old = [old for _, old in starts]

    def before(self, offset: int) -> int:
        """The original offset; for inserted text, the place of the insertion."""
        i = bisect_right(self._new, offset) - 1
        within = offset - self._new[i]
        if i % 2 == 1:  # within inserted text
            return self._old[i]
        return self._old[i] + within


def _one_line(text: str) -> str:
    """Fields of several lines as one line; a comment keeps the line break behind it."""
    return "".join(line + ("\n" if "#" in line else " ") for line in map(str.strip, text.split("\n"))).strip()
