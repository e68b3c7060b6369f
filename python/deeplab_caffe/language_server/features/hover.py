"""What is shown under the cursor: a layer, a blob, a field, a word, a file."""

from __future__ import annotations

from typing import Any

from lsprotocol import types

from ...formats import meanings
from ...formats.tree import Block, Field, Scalar
from ..buffers import Buffer
from ..describing.blobs import blob_text
from ..describing.fields import field_text, unknown_field_text, word_text
from ..describing.files import file_text, names_file
from ..describing.layers import layer_text
from ..describing.solvers import consequences
from ..places import LAYERS, NAME, VALUE, Place, place_at
from ..workspace import Workspace

_BLOBS = ("bottom", "top", "input")


def register(server: Any) -> None:
    """Put it on a server."""

    @server.feature(types.TEXT_DOCUMENT_HOVER)
    @server.thread()
    def on_hover(params: types.HoverParams) -> types.Hover | None:
        workspace = server.workspace_of_nets
        buffer = workspace.buffer(params.text_document.uri)
        return hover(workspace, buffer, params.position) if buffer is not None else None


def hover(workspace: Workspace, buffer: Buffer, position: types.Position) -> types.Hover | None:
    """What is under the cursor as Markdown; None if nothing is known of it."""
    place = place_at(buffer, buffer.offset(position))
    if place.in_comment or place.field is None or place.on not in (NAME, VALUE):
        return None
    text = _name_text(workspace, buffer, place) if place.on == NAME else _value_text(workspace, buffer, place)
    if not text:
        return None
    start, end = _extent(place.field, place.on)
    return types.Hover(types.MarkupContent(types.MarkupKind.Markdown, text), buffer.range(start, end))


def _extent(field: Field, on: str) -> tuple[int, int]:
    start = field.listed.start if field.listed else field.start
    if on == NAME or isinstance(field.value, Block):
        return start, start + len(field.name)
    return field.value.start, field.value.end


def _name_text(workspace: Workspace, buffer: Buffer, place: Place) -> str:
    assert place.field is not None
    if len(place.path) == 1 and place.name in LAYERS and isinstance(place.field.value, Block):
        return layer_text(buffer, place.field)
    if place.descriptor is None:
        return unknown_field_text(place.name, place.message)
    text = field_text(place.descriptor, with_words=place.on == NAME)
    follows = consequences(workspace, buffer, place.name) if place.message.name == "SolverParameter" else []
    return "\n\n".join([text, "\n".join(f"- {line}" for line in follows)]) if follows else text


def _value_text(workspace: Workspace, buffer: Buffer, place: Place) -> str:
    field, descriptor = place.field, place.descriptor
    if field is None or descriptor is None or not isinstance(field.value, Scalar):
        return ""
    word = field.value.text
    if place.layer is not None and place.message.name.endswith("LayerParameter") and field.name in ("name", "type"):
        return layer_text(buffer, place.layer)
    if field.name in _BLOBS and descriptor.cpp_type == descriptor.CPPTYPE_STRING and buffer.kind == "net":
        return blob_text(buffer, place.layer, field.name, word)
    text = word_text(descriptor, word)
    if not text and names_file(descriptor):
        text = file_text(workspace, buffer, descriptor, field.value)
    rest = _name_text(workspace, buffer, place) if text or not meanings.words_of(descriptor) else ""
    return "\n\n---\n\n".join(part for part in (text, rest) if part)
