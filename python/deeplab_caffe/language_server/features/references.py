"""All places of a name: in a file (highlights), and in the files that belong together (references)."""

from __future__ import annotations

from typing import Any

from lsprotocol import types

from ..buffers import Buffer
from ..names import LAYER, PARAM, NetNames, Occurrence, everywhere, named_at
from ..strings import content
from ..workspace import Workspace

_KINDS = types.DocumentHighlightKind


def references(
    workspace: Workspace, buffer: Buffer, position: types.Position, declarations: bool = True
) -> list[types.Location]:
    """The places of what is named at a position, in its file and in those that belong with it.

    Args:
        workspace: the files.
        buffer: the file.
        position: within the name.
        declarations: whether to list the places that make it too: tops of a blob, the first owner of a shared
            parameter, the layer of that name in the file itself.
    """
    named = named_at(buffer, buffer.offset(position))
    if named is None:
        return []
    found = everywhere(workspace.family(buffer), named[1].kind, named[1].name)
    return [
        types.Location(file.uri, file.range(*content(file.text, item.value)))
        for file, item in found
        if declarations or not _declares(named[0], item, file is buffer)
    ]


def _declares(net: NetNames, item: Occurrence, is_own: bool) -> bool:
    if item.kind == LAYER:
        return is_own
    return item.writes or (item.kind == PARAM and is_own and item in net.makers(item))


def highlights(buffer: Buffer, position: types.Position) -> list[types.DocumentHighlight]:
    """The places of what is named at a position, in its file: written or read there."""
    named = named_at(buffer, buffer.offset(position))
    if named is None:
        return []
    net, here = named
    return [
        types.DocumentHighlight(buffer.range(*content(buffer.text, item.value)), _kind(net, item))
        for item in net.named(here.kind, here.name)
    ]


def _kind(net: NetNames, item: Occurrence) -> types.DocumentHighlightKind:
    if item.kind == LAYER:
        return _KINDS.Text
    return _KINDS.Write if _declares(net, item, True) else _KINDS.Read


def register(server: Any) -> None:
    """Put the handlers on the server."""

    @server.feature(types.TEXT_DOCUMENT_REFERENCES)
    def _references(params: types.ReferenceParams) -> list[types.Location]:
        workspace = server.workspace_of_nets
        buffer = workspace.buffer(params.text_document.uri)
        wanted = params.context.include_declaration
        return references(workspace, buffer, params.position, wanted) if buffer else []

    @server.feature(types.TEXT_DOCUMENT_DOCUMENT_HIGHLIGHT)
    def _highlights(params: types.DocumentHighlightParams) -> list[types.DocumentHighlight]:
        buffer = server.workspace_of_nets.buffer(params.text_document.uri)
        server.cursor_moved(params.text_document.uri, params.position)  # editors ask for highlights when it moves
        return highlights(buffer, params.position) if buffer else []
