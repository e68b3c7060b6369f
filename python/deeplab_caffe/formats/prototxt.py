"""The prototxt parser: protobuf's text format as a tree that keeps every position and comment.

All text of the project goes through here: nets, solvers, templates. The tree knows no schema; `to_message`
checks it against one and says where it does not fit. Offsets point into the original text, so a tool may change a
value in place and leave the rest, comments and layout included, as the user wrote it.
"""

from __future__ import annotations

import difflib
import os
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import InputError

_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<comment>\#[^\n]*)
      | (?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
      | (?P<word>(?:[-+]?[\w.]|\$\{\w+\})(?:[\w.]|(?<=[eE])[-+]|\$\{\w+\})*)
      | (?P<mark>[{}<>\[\]:,;])""",
    re.VERBOSE,
)
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{1,2}|[0-7]{1,3}|.)", re.DOTALL)
_ESCAPED = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v"}
_CLOSING = {"{": "}", "<": ">"}
#: deepest nesting of blocks that is read; nets need six
_MAX_DEPTH = 64


class PrototxtError(InputError):
    """A prototxt that cannot be read; the message begins with file:line:column."""


@dataclass
class Scalar:
    """One value as written: `text` with variables replaced; `quoted` tells a string from a number or a word."""

    text: str
    quoted: bool
    start: int
    end: int


@dataclass
class Block:
    """The fields between two braces, in order; for the whole file the top level."""

    fields: list[Field] = field(default_factory=list)
    start: int = 0
    end: int = 0

    def all(self, name: str) -> list[Field]:
        """Every field of that name, in order."""
        return [f for f in self.fields if f.name == name]

    def text_of(self, name: str) -> str | None:
        """The last scalar of that name as text, or None."""
        values = [f.value.text for f in self.fields if f.name == name and isinstance(f.value, Scalar)]
        return values[-1] if values else None


@dataclass
class Field:
    """`name: value` or `name { … }`; `start` and `end` are offsets into the document's text."""

    name: str
    value: Scalar | Block
    start: int
    end: int

    def within(self, *names: str) -> Field:
        """The field that these names lead to, the last of each name; as far down as there are any."""
        found = self.value.all(names[0]) if names and isinstance(self.value, Block) else []
        return found[-1].within(*names[1:]) if found else self


class Document:
    """A parsed prototxt file.

    text, filename: as given; root: the top-level Block; comments: (offset, text) of every `#` comment, in order.
    """

    def __init__(self, text: str, filename: str = "<prototxt>", variables: Mapping[str, str] | None = None) -> None:
        self.text = text
        self.filename = filename
        self.comments: list[tuple[int, str]] = []
        self._variables = variables
        self._line_starts = [0] + [m.end() for m in re.finditer("\n", text)]
        self._tokens = self._scan()
        self.root = Block(end=len(text))
        self._next = next(self._tokens)
        self._fields(self.root, "", 0)

    @classmethod
    def read(cls, path: str | os.PathLike[str], variables: Mapping[str, str] | None = None) -> Document:
        """Parse a file; raises PrototxtError where it is missing, not text, or not prototxt."""
        try:
            text = Path(path).read_bytes().decode("utf-8-sig")
        except OSError as error:
            raise PrototxtError(f"Could not open file {path}: {error.strerror}") from None
        except UnicodeDecodeError as error:
            raise PrototxtError(
                f"{path}: byte {error.start} is not UTF-8 text; a prototxt was wanted (is this a binary file?)"
            ) from None
        return cls(text, str(path), variables)

    def where(self, offset: int) -> str:
        """`file:line:column` of an offset, both counted from 1."""
        line = bisect_right(self._line_starts, offset)
        return f"{self.filename}:{line}:{offset - self._line_starts[line - 1] + 1}"

    def error(self, offset: int, message: str) -> PrototxtError:
        """An error at an offset, naming the layer it lies in if there is one."""
        layer = self._layer_at(offset)
        return PrototxtError(f"{self.where(offset)}: {layer}{message}")

    def _layer_at(self, offset: int) -> str:
        for item in self.root.fields:
            if item.name in ("layer", "layers") and item.start <= offset <= item.end and isinstance(item.value, Block):
                name, kind = item.value.text_of("name"), item.value.text_of("type")
                return f"layer '{name or '?'}'" + (f" ({kind}): " if kind else ": ")
        return ""

    # -- scanner and parser

    def _scan(self) -> Iterator[tuple[str, str, int, int]]:
        position = 0
        while position < len(self.text):
            match = _TOKEN.match(self.text, position)
            if match is None:
                character = self.text[position]
                hint = ": the string is not closed on its line" if character in "\"'" else ""
                raise self.error(position, f"unexpected character {character!r}{hint}")
            kind, start, position = str(match.lastgroup), match.start(), match.end()
            if kind == "comment":
                self.comments.append((start, match[0]))
            elif kind != "space":
                yield kind, match[0], start, position
        yield "end", "end of file", position, position

    def _advance(self) -> tuple[str, str, int, int]:
        current = self._next
        self._next = next(self._tokens, current)  # the end of the file stays the next token
        return current

    def _block(self, opening: str, depth: int) -> Block:
        """The block whose opening brace is the next token."""
        _, _, start, _ = self._advance()
        if depth > _MAX_DEPTH:
            raise self.error(start, f"blocks are nested more than {_MAX_DEPTH} deep")
        block = Block(start=start)
        self._fields(block, _CLOSING[opening], depth)
        block.end = self._advance()[3]
        return block

    def _fields(self, block: Block, closing: str, depth: int) -> None:
        """Fill a block up to its closing brace (which stays the next token), or to the end of the file."""
        while True:
            kind, text, start, _ = self._next
            if (kind == "end" and not closing) or (kind == "mark" and text == closing):
                return
            if kind == "end":
                raise self.error(block.start, f"this block is not closed: '{closing}' is missing before the file's end")
            if kind != "word" or not re.match(r"[A-Za-z_]\w*$", text):
                raise self.error(start, f"got {text!r} where a field name was wanted")
            self._advance()
            self._field(block, text, start, depth)
            if self._next[1] in (",", ";") and self._next[0] == "mark":
                self._advance()

    def _field(self, block: Block, name: str, start: int, depth: int) -> None:
        colon = self._next[1] == ":"
        if colon:
            self._advance()
        kind, text, at, end = self._next
        if kind == "mark" and text in _CLOSING:
            inner = self._block(text, depth + 1)
            block.fields.append(Field(name, inner, start, inner.end))
        elif not colon:
            raise self.error(at, f"got {text!r} after '{name}', where ':' or '{{' was wanted")
        elif kind == "mark" and text == "[":
            self._list(block, name, start, depth)
        else:
            value = self._scalar(name)
            block.fields.append(Field(name, value, start, value.end))

    def _list(self, block: Block, name: str, start: int, depth: int) -> None:
        self._advance()
        while self._next[1] != "]":
            kind, text, at, _ = self._next
            if kind == "mark" and text in _CLOSING:
                inner = self._block(text, depth + 1)
                block.fields.append(Field(name, inner, start, inner.end))
            else:
                value = self._scalar(name)
                block.fields.append(Field(name, value, at, value.end))
            if self._next[1] == ",":
                self._advance()
            elif self._next[1] != "]":
                raise self.error(self._next[2], f"got {self._next[1]!r} in the list of '{name}', wanted ',' or ']'")
        self._advance()

    def _scalar(self, name: str) -> Scalar:
        kind, text, start, end = self._advance()
        if kind == "string":
            content = self._unquote(text)
            while self._next[0] == "string":
                _, text, _, end = self._advance()
                content += self._unquote(text)
            return Scalar(self._substitute(content.decode("utf-8", "surrogateescape"), start), True, start, end)
        if kind != "word":
            raise self.error(start, f"got {text!r} where the value of '{name}' was wanted")
        return Scalar(self._substitute(text, start), False, start, end)

    @staticmethod
    def _unquote(text: str) -> bytes:
        """The bytes of a string; octal and hex escapes are bytes, everything else is UTF-8."""

        def replace(match: re.Match[bytes]) -> bytes:
            code = match[1]
            if code[:1] == b"x" and len(code) > 1:
                return bytes([int(code[1:], 16)])
            return bytes([int(code, 8) & 0xFF]) if code[:1] in b"01234567" else _ESCAPED.get(code, code)

        return _ESCAPE.sub(replace, text[1:-1].encode())

    def _substitute(self, text: str, start: int) -> str:
        if self._variables is None or "${" not in text:
            return text

        def replace(match: re.Match[str]) -> str:
            assert self._variables is not None
            if match[1] not in self._variables:
                raise self.error(start, f"the template variable ${{{match[1]}}} has no value; set {match[1]}=…")
            return self._variables[match[1]]

        return _VARIABLE.sub(replace, text)


def nearest(word: str, known: list[str]) -> str:
    """`; did you mean 'x'?` for the known word most like this one in whatever case, or nothing."""
    lowered = {k.lower(): k for k in known}
    close = difflib.get_close_matches(word.lower(), list(lowered), n=1, cutoff=0.6)
    return f"; did you mean '{lowered[close[0]]}'?" if close else ""


def to_message(document: Document, message: Any) -> Any:
    """Fill a protobuf message from a document; returns it.

    Raises PrototxtError for an unknown field (with the nearest known one), a value of the wrong kind or out of
    range, and a second value of a field that may stand once.
    """
    _fill(document, document.root, message)
    missing = message.FindInitializationErrors()
    if missing:
        raise document.error(0, f"required fields are missing: {', '.join(missing)}")
    return message


def _fill(document: Document, block: Block, message: Any) -> None:
    known = message.DESCRIPTOR.fields_by_name
    seen: set[str] = set()
    for item in block.fields:
        descriptor = known.get(item.name)
        if descriptor is None:
            hint = nearest(item.name, list(known))
            raise document.error(item.start, f"{message.DESCRIPTOR.name} has no field '{item.name}'{hint}")
        repeated = _is_repeated(descriptor)
        if not repeated and item.name in seen:
            raise document.error(item.start, f"'{item.name}' is given twice; it may stand once")
        seen.add(item.name)
        if descriptor.message_type is not None:
            if not isinstance(item.value, Block):
                raise document.error(item.start, f"'{item.name}' wants a block {{ … }}, got {item.value.text!r}")
            inner = getattr(message, item.name)
            _fill(document, item.value, inner.add() if repeated else _present(inner))
            continue
        if isinstance(item.value, Block):
            raise document.error(item.start, f"'{item.name}' wants {_wanted(descriptor)}, got a block {{ … }}")
        value = _convert(document, descriptor, item.value)
        if repeated:
            getattr(message, item.name).append(value)
        else:
            setattr(message, item.name, value)


def _is_repeated(descriptor: Any) -> bool:
    # `label` is gone from protobuf 7, `is_repeated` is new in 6.
    flag = getattr(descriptor, "is_repeated", None)
    return bool(flag) if flag is not None else descriptor.label == descriptor.LABEL_REPEATED


def _present(message: Any) -> Any:
    message.SetInParent()
    return message


_INTEGERS = {"int32": (-(2**31), 2**31 - 1), "uint32": (0, 2**32 - 1), "int64": (-(2**63), 2**63 - 1)}
_TYPE_NAMES = {1: "double", 2: "float", 3: "int64", 5: "int32", 8: "bool", 9: "string", 12: "bytes", 13: "uint32"}
_BOOLS = {"true": True, "t": True, "True": True, "1": True, "false": False, "f": False, "False": False, "0": False}


def _wanted(descriptor: Any) -> str:
    if descriptor.enum_type is not None:
        return "one of " + ", ".join(v.name for v in descriptor.enum_type.values)
    return {"string": "a quoted string", "bytes": "a quoted string", "bool": "true or false"}.get(
        _TYPE_NAMES[descriptor.type], f"a number ({_TYPE_NAMES[descriptor.type]})"
    )


def _convert(document: Document, descriptor: Any, value: Scalar) -> Any:
    """The Python value of a scalar for a field."""
    text = value.text
    if descriptor.enum_type is not None:
        return _enum(document, descriptor, value)
    kind = _TYPE_NAMES[descriptor.type]
    try:
        if kind in ("string", "bytes"):
            if value.quoted:
                stored = text.encode("utf-8", "surrogateescape")
                return stored if kind == "bytes" else stored.decode("utf-8")
        elif value.quoted or "_" in text:  # Python's numbers may have underscores
            pass
        elif kind == "bool":
            return _BOOLS[text]
        elif kind in _INTEGERS:
            number = int(text, 8) if re.fullmatch(r"-?0[0-7]+", text) else int(text, 0)
            low, high = _INTEGERS[kind]
            if low <= number <= high:
                return number
            raise document.error(value.start, f"'{descriptor.name}' is {text}, outside {kind}'s {low} … {high}")
        else:
            return float(text[:-1] if re.fullmatch(r"[-+.\deE]+[fF]", text) else text)
    except (ValueError, KeyError, UnicodeEncodeError):
        pass
    text = text.encode("utf-8", "backslashreplace").decode()  # bytes that are no text can still be shown
    shown = f'"{text}"' if value.quoted else text
    raise document.error(value.start, f"'{descriptor.name}' wants {_wanted(descriptor)}, got {shown}")


def _enum(document: Document, descriptor: Any, value: Scalar) -> int:
    values = descriptor.enum_type.values_by_name
    if not value.quoted and value.text in values:
        return values[value.text].number
    if not value.quoted and re.fullmatch(r"-?\d+", value.text):
        number = int(value.text)
        if number in descriptor.enum_type.values_by_number:
            return number
    hint = nearest(value.text, list(values))
    raise document.error(value.start, f"'{descriptor.name}' wants {_wanted(descriptor)}, got {value.text}{hint}")
