"""The prototxt parser: protobuf's text format as a tree that keeps every position and comment.

All prototxt files are read here: nets, solvers, templates. The tree does not depend on a schema;
`messages.to_message` checks it against one and reports where it does not match. Offsets refer to the original text, so
a tool can change a value in place and keep the rest, including comments and layout, as the user wrote it
(`edits.Edits`).
"""

from __future__ import annotations

import os
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from ..reading import CANNOT_OPEN, reading
from .tree import VARIABLE, Block, Field, Listing, PrototxtError, Scalar, walk

__all__ = ["Block", "Document", "Field", "PrototxtError", "Scalar", "Variable", "walk"]

_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<comment>\#[^\n]*)
      | (?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
      | (?P<word>(?:[-+]?[\w.]|\$\{\w+\})(?:[\w.]|(?<=[eE])[-+]|\$\{\w+\})*)
      | (?P<mark>[{}<>\[\]:,;])""",
    re.VERBOSE,
)
#: the name of a field
NAME = re.compile(r"(?:[A-Za-z_]|\$\{\w+\})(?:\w|\$\{\w+\})*")
_ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{1,2}|[0-7]{1,3}|.)", re.DOTALL)
_ESCAPED = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v"}
_CLOSING = {"{": "}", "<": ">"}
#: the deepest nesting of blocks that is read; nets need six
_MAX_DEPTH = 64
#: kind, text, start, end
_Token = tuple[str, str, int, int]


class Variable(NamedTuple):
    """A `${NAME}` outside comments: its offset, its name, and the quote of the string around it ("" if none)."""

    offset: int
    name: str
    quote: str


_NO_PROTOTXT = "{path}: expected a prototxt, but {reason}"


class Document:
    """A parsed prototxt file.

    Template variables `${NAME}` may be used as values, within strings, in names and in place of whole fields. Without
    `variables` they stay as they are. What is filled in has the place of its variable.

    Args:
        text: the content of the file.
        filename: for messages.
        variables: the values of template variables.

    Attributes:
        root: the top-level Block.
        comments: (offset, text) of every `#` comment, in order.
        variables: every Variable, in order.
        errors: what is wrong with the text; empty, unless it was read by `recovery.recover`.
        values: the values of template variables, as given.

    Raises:
        PrototxtError: the text is not prototxt, or a template variable has no value.

    Example:
        >>> document = Document("layer { name: 'fc6'  type: 'Convolution' }  # dilated", "net.prototxt")
        >>> [layer] = document.root.all("layer")
        >>> layer.value.text_of("name"), document.where(layer.within("type").start)
        ('fc6', 'net.prototxt:1:22')
    """

    def __init__(self, text: str, filename: str = "<prototxt>", variables: Mapping[str, str] | None = None) -> None:
        self.text = text
        self.filename = filename
        self.comments: list[tuple[int, str]] = []
        self.variables: list[Variable] = []
        self.errors: list[PrototxtError] = []
        self.values = variables
        self._line_starts = [0] + [m.end() for m in re.finditer("\n", text)]
        self.root = Block(end=len(text))
        #: where scanning begins
        self._position = 0
        self._parse()

    @classmethod
    def read(cls, path: str | os.PathLike[str], variables: Mapping[str, str] | None = None) -> Document:
        """Parse a file; raises PrototxtError if it is missing, not text, or not prototxt."""
        with reading(path, damaged=_NO_PROTOTXT, cannot=CANNOT_OPEN, kind=PrototxtError):
            return cls(Path(path).read_bytes().decode("utf-8-sig"), str(path), variables)

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset, both counted from 1."""
        line = bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1] + 1

    def offset(self, line: int, column: int) -> int:
        """The offset of a line and column; the inverse of `place`."""
        return self._line_starts[min(line, len(self._line_starts)) - 1] + column - 1

    def where(self, offset: int) -> str:
        """`file:line:column` of an offset, both counted from 1."""
        return "{}:{}:{}".format(self.filename, *self.place(offset))

    def error(self, offset: int, message: str) -> PrototxtError:
        """An error at an offset; names the layer around it if there is one."""
        layer = self._layer_at(offset)
        error = PrototxtError(f"{self.where(offset)}: {layer}{message}")
        error.offset, error.reason = offset, message
        error.file, error.place = self.filename, self.place(offset)
        return error

    def _layer_at(self, offset: int) -> str:
        place = bisect_right(self.root.fields, offset, key=lambda item: item.start) - 1
        item = self.root.fields[place] if place >= 0 else None
        if item is None or offset > item.end or item.name not in ("layer", "layers") or isinstance(item.value, Scalar):
            return ""
        inner = item.value.all("layer")[:1]  # in 2013 the layer stood within its connection
        block = inner[0].value if inner and isinstance(inner[0].value, Block) else item.value
        name, kind = block.text_of("name"), block.text_of("type")
        return f"layer '{name or '?'}'" + (f" ({kind}): " if kind else ": ")

    def _parse(self) -> None:
        self._tokens = self._scan()
        self._next = next(self._tokens)
        self._fields(self.root, "", 0)

    # -- scanner

    def _scan(self) -> Iterator[_Token]:
        position = self._position
        while position < len(self.text):
            match = _TOKEN.match(self.text, position)
            if match is None:
                token = self._unexpected(position)
                position = token[3]
                if token[0] != "space":
                    yield token
                continue
            kind, start, position = str(match.lastgroup), match.start(), match.end()
            if kind == "comment":
                self.comments.append((start, match[0]))
            elif kind != "space":
                if "${" in match[0]:
                    quote = match[0][0] if kind == "string" else ""
                    found = VARIABLE.finditer(match[0])
                    self.variables += [Variable(start + m.start(), m[1], quote) for m in found]
                    if kind == "word":
                        yield from self._filled(match[0], start, position)
                        continue
                yield kind, match[0], start, position
        yield "end", "end of file", position, position

    def _unexpected(self, position: int) -> _Token:
        """What to read in place of a character that begins no token: always raises here; recovery goes on."""
        character = self.text[position]
        hint = ": the string is not closed on its line" if character in "\"'" else ""
        raise self.error(position, f"unexpected character {character!r}{hint}")

    def _filled(self, text: str, start: int, end: int) -> Iterator[_Token]:
        """The tokens of a word after its variables are filled in, all at the place of the word."""
        filled = self._substitute(text, start)
        position = 0
        while position < len(filled):
            match = _TOKEN.match(filled, position)
            if match is None:
                raise self.error(start, f"{text} is filled in as '{filled}': unexpected {filled[position]!r}")
            position = match.end()
            if match.lastgroup not in ("space", "comment"):
                yield str(match.lastgroup), match[0], start, end

    def _substitute(self, text: str, start: int) -> str:
        if self.values is None or "${" not in text:
            return text

        def replace(match: re.Match[str]) -> str:
            assert self.values is not None
            if match[1] not in self.values:
                raise self.error(start, f"the template variable ${{{match[1]}}} has no value; set {match[1]}=…")
            return self.values[match[1]]

        return VARIABLE.sub(replace, text)

    def _advance(self) -> _Token:
        current = self._next
        self._next = next(self._tokens, current)  # the end of the file stays the next token
        return current

    # -- parser

    def _block(self, opening: str, depth: int) -> Block:
        """The block whose opening brace is the next token."""
        _, _, start, _ = self._advance()
        if depth > _MAX_DEPTH:
            raise self.error(start, f"blocks are nested more than {_MAX_DEPTH} deep")
        block = Block(start=start)
        self._fields(block, _CLOSING[opening], depth)
        block.end = self._close(block)
        return block

    def _close(self, block: Block) -> int:
        """Read the closing brace, the next token; return its end."""
        return self._advance()[3]

    def _fields(self, block: Block, closing: str, depth: int) -> None:
        """Read the fields of a block up to its closing brace, which stays the next token, or to the end of the file."""
        while self._another(block, closing, depth):
            pass

    def _another(self, block: Block, closing: str, depth: int) -> bool:
        """Read one field of a block; False at its closing brace or the end of the file."""
        kind, text, start, end = self._next
        if (kind == "end" and not closing) or (kind == "mark" and text == closing):
            return False
        if kind == "end":
            raise self.error(block.start, f"this block is not closed: '{closing}' is missing")
        if kind != "word" or not NAME.fullmatch(text):
            raise self.error(start, f"expected a field name, got {text!r}")
        self._advance()
        if VARIABLE.fullmatch(text) and self._next[1] not in (":", "{", "<"):
            block.fields.append(Field("", Scalar(text, False, start, end), start, end, end))
        else:
            self._field(block, text, start, end, depth)
        if self._next[1] in (",", ";") and self._next[0] == "mark":
            self._advance()
        return True

    def _field(self, block: Block, name: str, start: int, name_end: int, depth: int) -> None:
        colon = self._next[1] == ":"
        if colon:
            self._advance()
        kind, text, at, _ = self._next
        if kind == "mark" and text in _CLOSING:
            inner = self._block(text, depth + 1)
            block.fields.append(Field(name, inner, start, inner.end, name_end))
        elif not colon:
            raise self.error(at, f"expected ':' or '{{' after '{name}', got {text!r}")
        elif kind == "mark" and text == "[":
            items = self._list(name, start, name_end, depth)
            listed = Listing(start, self._advance()[3])
            for item in items:
                item.listed = listed
            block.fields += items
        else:
            value = self._scalar(name)
            block.fields.append(Field(name, value, start, value.end, name_end))

    def _list(self, name: str, start: int, name_end: int, depth: int) -> list[Field]:
        """The elements of a list. Its opening bracket is the next token; afterwards its closing one is."""
        self._advance()
        items: list[Field] = []
        while self._next[1] != "]":
            kind, text, at, _ = self._next
            if kind == "mark" and text in _CLOSING:
                inner = self._block(text, depth + 1)
                items.append(Field(name, inner, start, inner.end, name_end))
            else:
                value = self._scalar(name)
                items.append(Field(name, value, at, value.end, name_end))
            if self._next[1] == ",":
                self._advance()
            elif self._next[1] != "]":
                raise self.error(self._next[2], f"expected ',' or ']' in the list of '{name}', got {self._next[1]!r}")
        return items

    def _scalar(self, name: str) -> Scalar:
        kind, text, start, end = self._advance()
        if kind == "string":
            content = self._unquote(text)
            while self._next[0] == "string":
                _, text, _, end = self._advance()
                content += self._unquote(text)
            return Scalar(self._substitute(content.decode("utf-8", "surrogateescape"), start), True, start, end)
        if kind != "word":
            raise self.error(start, f"expected a value of '{name}', got {text!r}")
        return Scalar(text, False, start, end)

    @staticmethod
    def _unquote(text: str) -> bytes:
        """The bytes of a string; octal and hex escapes are bytes, everything else is UTF-8."""

        def replace(match: re.Match[bytes]) -> bytes:
            code = match[1]
            if code[:1] == b"x" and len(code) > 1:
                return bytes([int(code[1:], 16)])
            return bytes([int(code, 8) & 0xFF]) if code[:1] in b"01234567" else _ESCAPED.get(code, code)

        return _ESCAPE.sub(replace, text[1:-1].encode())
