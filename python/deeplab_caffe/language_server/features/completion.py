"""What may be typed at the cursor: fields, words, blobs, names, files, and whole layers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from lsprotocol import types
from pygls.capabilities import get_capability

from ...formats import schema
from ..buffers import Buffer
from ..completing.fields import fields_here, layers_here
from ..completing.items import Item
from ..completing.snippets import plain
from ..completing.values import values_here
from ..describing.fields import field_text, layer_type_text, word_text
from ..places import VALUE, Place, place_at
from ..workspace import Workspace

_REST_OF_NAME = re.compile(r"\w*")
_REST_OF_VALUE = re.compile(r"[-\w./+]*")
#: up to the closing quote, if it is of this string; the cursor may be within a template variable
_REST_OF_STRING = re.compile(r"(?:\w*\}|\{\w+\})?(?:\$\{\w+\}|[^\"'\n{}:])*(?=[\"'])|[-\w./]*")


def register(server: Any) -> None:
    """Put it on a server."""
    options = types.CompletionOptions(trigger_characters=['"', "'", "/", ":", " "], resolve_provider=True)

    @server.feature(types.TEXT_DOCUMENT_COMPLETION, options)
    def on_completion(params: types.CompletionParams) -> types.CompletionList | None:
        workspace = server.workspace_of_nets
        buffer = workspace.buffer(params.text_document.uri)
        if buffer is None:
            return None
        typed = params.context.trigger_character if params.context is not None else None
        return complete(workspace, buffer, params.position, snippets=_knows_snippets(server), typed=typed)

    @server.feature(types.COMPLETION_ITEM_RESOLVE)
    def on_resolve(item: types.CompletionItem) -> types.CompletionItem:
        return resolve(item)


def _knows_snippets(server: Any) -> bool:
    name = "text_document.completion.completion_item.snippet_support"
    return bool(get_capability(server.client_capabilities, name, False))


def complete(
    workspace: Workspace, buffer: Buffer, position: types.Position, *, snippets: bool = True, typed: str | None = None
) -> types.CompletionList | None:
    """What may be written at a position.

    Args:
        snippets: whether the editor knows snippets; without, fields and layers are inserted as plain text.
        typed: the character that the editor asks because of; a blank asks for words and names only.
    """
    place = place_at(buffer, buffer.offset(position))
    if place.in_comment:
        return None
    if place.on == VALUE:
        items = values_here(workspace, buffer, place)
    elif typed is not None:
        return None  # a blank or a slash between fields asks for nothing
    else:
        items = fields_here(buffer, place)
        items += layers_here(buffer, place) if place.message is schema.NetParameter.DESCRIPTOR else ()
    made = [_to_protocol(buffer, place, item, i, snippets) for i, item in enumerate(items)]
    return types.CompletionList(is_incomplete=False, items=made) if made else None


def _to_protocol(buffer: Buffer, place: Place, item: Item, index: int, snippets: bool) -> types.CompletionItem:
    start, end, before, after = _extent(buffer, place, item)
    blank = " " * (place.on == VALUE and buffer.text[start - 1 : start] == ":")  # `pool:` and nothing behind it yet
    text = item.text if snippets or not item.is_snippet else plain(item.text)
    return types.CompletionItem(
        label=item.label,
        kind=item.kind,
        detail=item.detail or None,
        tags=[types.CompletionItemTag.Deprecated] if item.old else None,
        sort_text=f"{index:04}",
        filter_text=f"{before}{item.label}" if before else None,
        insert_text_format=types.InsertTextFormat.Snippet if snippets and item.is_snippet else None,
        insert_text_mode=types.InsertTextMode.AdjustIndentation if item.is_snippet else None,
        text_edit=types.TextEdit(buffer.range(start, end), f"{blank}{before}{text}{after}"),
        data=list(item.about) or None,
    )


def _extent(buffer: Buffer, place: Place, item: Item) -> tuple[int, int, str, str]:
    """What is replaced: offsets, and the quotes that are to be written before and behind the item."""
    if place.on != VALUE:
        end = _REST_OF_NAME.match(buffer.text, place.offset)
        assert end is not None
        return place.start, end.end(), "", ""
    rest = (_REST_OF_STRING if place.quoted else _REST_OF_VALUE).match(buffer.text, place.offset)
    assert rest is not None
    start, end_of_value = place.start, rest.end()
    mark = buffer.text[start - 1 : start] if place.quoted else '"'
    is_closed = place.quoted and buffer.text[end_of_value : end_of_value + 1] == mark
    if item.in_quotes:
        return start, end_of_value, "" if place.quoted else mark, "" if is_closed else mark
    # a word or number needs no quotes: those that are there go
    return start - place.quoted, end_of_value + is_closed, "", ""


# -- documentation


def resolve(item: types.CompletionItem) -> types.CompletionItem:
    """The item with its documentation."""
    text = documentation(item.data if isinstance(item.data, list) else ())
    if text:
        item.documentation = types.MarkupContent(types.MarkupKind.Markdown, text)
    return item


def documentation(about: Sequence[str]) -> str:
    """The Markdown for an item's data; "" for none."""
    match list(about):
        case ["type", layer_type]:
            return layer_type_text(layer_type)
        case ["field", message, name] if _field(message, name) is not None:
            return field_text(_field(message, name))
        case ["word", message, name, word] if _field(message, name) is not None:
            return word_text(_field(message, name), word)
    return ""


def _field(message: str, name: str) -> Any:
    known = schema.DESCRIPTOR.message_types_by_name.get(message)
    return known.fields_by_name.get(name) if known is not None else None
