"""What each word of a text is, for colours: by the schema, so that unknown and old fields look different."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any, NamedTuple

from lsprotocol import types

from ...formats.foreign_types import is_known
from ...formats.tree import Block, Field, Scalar
from ..buffers import Buffer
from ..old_fields import is_old
from ..places import root_message
from ..strings import pieces

TYPES = (
    "property", "type", "enumMember", "variable", "function", "parameter", "number", "string", "keyword", "macro",
    "comment", "struct",
)  # fmt: skip
(
    _PROPERTY, _TYPE, _WORD, _BLOB, _LAYER, _PARAM, _NUMBER, _STRING, _KEYWORD, _VARIABLE, _COMMENT, _BLOCK,
) = range(len(TYPES))  # fmt: skip
#: `unknown` is our own: a field, a word or a type of layer that Caffe does not know
MODIFIERS = ("definition", "deprecated", "unknown")
_DEFINITION, _DEPRECATED, _UNKNOWN = 1, 2, 4
LEGEND = types.SemanticTokensLegend(TYPES, MODIFIERS)

_LAYER_MESSAGES = ("LayerParameter", "V1LayerParameter", "V0LayerParameter")
#: fields of a layer's message that hold names → what they name, and whether they make it
_NAMES = {"name": (_LAYER, _DEFINITION), "bottom": (_BLOB, 0), "top": (_BLOB, _DEFINITION), "param": (_PARAM, 0)}


class Token(NamedTuple):
    """A word between two offsets of the text: the index of its type, and the sum of its modifiers."""

    start: int
    end: int
    type: int
    modifiers: int


def tokens(buffer: Buffer, start: int = 0, end: int | None = None) -> list[Token]:
    """The words of a text in order, or of all top-level fields that are between two offsets, even in part.

    A name in quotes is without them. Template variables are words of their own, within strings too.
    """
    document = buffer.document
    end = len(buffer.text) if end is None else end
    fields = [field for field in document.root.fields if field.end >= start and _start(field) <= end]
    found: list[Token] = []
    _Walk(buffer.text, found).fields(fields, root_message(buffer))
    variables = [Token(v.offset, v.offset + len(v.name) + 3, _VARIABLE, 0) for v in document.variables]
    found = sorted(_cut(sorted(found), variables) if variables else found)
    found += [Token(at, at + len(text.rstrip()), _COMMENT, 0) for at, text in document.comments if start <= at <= end]
    return sorted(found)


class _Walk:
    """Goes through the tree along the schema, and notes the words."""

    def __init__(self, text: str, found: list[Token]) -> None:
        self.text, self.found = text, found
        self._list = -1

    def fields(self, fields: Sequence[Field], message: Any) -> None:
        known = message.fields_by_name if message is not None else {}
        owner = message.name if message is not None else ""
        for field in fields:
            if field.is_template:
                continue
            descriptor = known.get(field.name)
            self._name(field, owner, descriptor)
            if isinstance(field.value, Block):
                self.fields(field.value.fields, descriptor.message_type if descriptor is not None else None)
            elif field.value.quoted:
                self._string(field, field.value, owner)
            else:
                self._plain(field, field.value, owner, descriptor)

    def _name(self, field: Field, owner: str, descriptor: Any) -> None:
        if field.listed:
            if field.listed.start == self._list:
                return
            self._list = field.listed.start
        modifiers = _UNKNOWN if descriptor is None else _DEPRECATED if is_old(owner, field.name) else 0
        kind = _BLOCK if isinstance(field.value, Block) else _PROPERTY
        self.found.append(Token(_start(field), field.name_end, kind, modifiers))

    def _string(self, field: Field, value: Scalar, owner: str) -> None:
        kind, modifiers = _STRING, 0
        if owner in _LAYER_MESSAGES:
            if field.name == "type":
                kind, modifiers = _TYPE, 0 if is_known(value.text) or "${" in value.text else _UNKNOWN
            else:
                kind, modifiers = _NAMES.get(field.name, (_STRING, 0))
        elif owner == "ParamSpec" and field.name == "name":
            kind = _PARAM
        elif owner == "NetParameter" and field.name in ("input", "name"):
            kind, modifiers = (_BLOB, _DEFINITION) if field.name == "input" else (_STRING, 0)
        for start, end in pieces(self.text, value):
            quotes = int(kind != _STRING and end - start > 2)
            self.found.append(Token(start + quotes, end - quotes, kind, modifiers))

    def _plain(self, field: Field, value: Scalar, owner: str, descriptor: Any) -> None:
        text = value.text
        if text[:1] in "-+.0123456789" or text in ("inf", "nan"):
            kind, modifiers = _NUMBER, 0
        elif descriptor is not None and descriptor.enum_type is not None:
            is_type = field.name == "type" and owner in _LAYER_MESSAGES
            kind = _TYPE if is_type else _WORD
            modifiers = 0 if text in descriptor.enum_type.values_by_name or "${" in text else _UNKNOWN
        else:
            kind, modifiers = _KEYWORD if text in ("true", "false") else _WORD, 0
        self.found.append(Token(value.start, value.end, kind, modifiers))


def _cut(found: Sequence[Token], variables: Sequence[Token]) -> Iterator[Token]:
    """The words with template variables cut out of them, and the variables; both are in the order of the text."""
    rest = iter(variables)
    variable = next(rest, None)
    for token in found:
        start = token.start
        while variable is not None and variable.start < token.end:
            if start < variable.start:
                yield token._replace(start=start, end=variable.start)
            yield variable
            start, variable = max(start, variable.end), next(rest, None)
        if start < token.end:
            yield token._replace(start=start)
    while variable is not None:
        yield variable
        variable = next(rest, None)


def _start(field: Field) -> int:
    return field.listed.start if field.listed else field.start


# -- as the protocol writes them


def encoded(buffer: Buffer, found: Sequence[Token]) -> list[int]:
    """Five numbers a word: lines and UTF-16 units since the word before, its length, type and modifiers."""
    numbers: list[int] = []
    line = character = 0
    place, is_ascii = buffer.positions.place, buffer.text.isascii()
    for token in found:
        at_line, at = place(token.start)
        length = token.end - token.start if is_ascii else place(token.end)[1] - at
        numbers += (at_line - line, at - character if at_line == line else at, length, token.type, token.modifiers)
        line, character = at_line, at
    return numbers


def changes(before: Sequence[int], after: Sequence[int]) -> list[types.SemanticTokensEdit]:
    """What turns the numbers of one text into those of another: one edit, or none if they are equal."""
    shorter = min(len(before), len(after))
    first = next((i for i in range(shorter) if before[i] != after[i]), shorter)
    last = next((i for i in range(shorter - first) if before[-1 - i] != after[-1 - i]), shorter - first)
    if first == len(before) == len(after):
        return []
    return [types.SemanticTokensEdit(first, len(before) - first - last, list(after[first : len(after) - last]))]


class _Sent:
    """The numbers that each file's editor has: of these it takes the changes alone."""

    def __init__(self) -> None:
        self._numbers: dict[str, tuple[str, list[int]]] = {}
        self._ids = count(1)

    def all(self, buffer: Buffer) -> types.SemanticTokens:
        numbers = encoded(buffer, tokens(buffer))
        name = str(next(self._ids))
        self._numbers[buffer.uri] = name, numbers
        return types.SemanticTokens(numbers, name)

    def since(self, buffer: Buffer, name: str) -> types.SemanticTokens | types.SemanticTokensDelta:
        known, before = self._numbers.get(buffer.uri, ("", []))
        found = self.all(buffer)
        if known != name:
            return found
        return types.SemanticTokensDelta(changes(before, found.data), found.result_id)

    def forget(self, open_uris: set[str]) -> None:
        for uri in set(self._numbers) - open_uris:
            del self._numbers[uri]


def register(server: Any) -> None:
    """Put the handlers on the server."""
    sent = _Sent()

    @server.feature(types.TEXT_DOCUMENT_SEMANTIC_TOKENS_FULL, LEGEND)
    def _full(params: types.SemanticTokensParams) -> types.SemanticTokens:
        workspace = server.workspace_of_nets
        sent.forget({buffer.uri for buffer in workspace.open_buffers})
        buffer = workspace.buffer(params.text_document.uri)
        return sent.all(buffer) if buffer else types.SemanticTokens([])

    @server.feature(types.TEXT_DOCUMENT_SEMANTIC_TOKENS_FULL_DELTA, LEGEND)
    def _delta(params: types.SemanticTokensDeltaParams) -> types.SemanticTokens | types.SemanticTokensDelta:
        buffer = server.workspace_of_nets.buffer(params.text_document.uri)
        return sent.since(buffer, params.previous_result_id) if buffer else types.SemanticTokens([])

    @server.feature(types.TEXT_DOCUMENT_SEMANTIC_TOKENS_RANGE, LEGEND)
    def _range(params: types.SemanticTokensRangeParams) -> types.SemanticTokens:
        buffer = server.workspace_of_nets.buffer(params.text_document.uri)
        if buffer is None:
            return types.SemanticTokens([])
        start, end = buffer.offset(params.range.start), buffer.offset(params.range.end)
        return types.SemanticTokens(encoded(buffer, tokens(buffer, start, end)))
