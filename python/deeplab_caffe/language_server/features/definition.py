"""Where a name comes from: the layer that makes a blob, the first owner of a shared parameter, the file of its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lsprotocol import types

from ..buffers import Buffer
from ..file_names import file_name_at, file_names, find_file
from ..names import named_at
from ..strings import content
from ..workspace import Workspace

_BEGINNING = types.Range(types.Position(0, 0), types.Position(0, 0))


def definition(workspace: Workspace, buffer: Buffer, position: types.Position) -> list[types.Location]:
    """The places that make what is named at a position.

    A bottom leads to the top that it reads, which is that of the last layer that wrote it, in place or not; where
    several states differ, to each. The name of a file leads to it, if it exists.
    """
    offset = buffer.offset(position)
    named = named_at(buffer, offset)
    if named is not None:
        net, occurrence = named
        places = [content(buffer.text, maker.value) for maker in net.makers(occurrence)]
        return [types.Location(buffer.uri, buffer.range(*place)) for place in places]
    name = file_name_at(buffer.document, offset)
    found = find_file(name, Path(buffer.path), workspace.folders) if name else None
    return [types.Location(found.absolute().as_uri(), _BEGINNING)] if found is not None and found.is_file() else []


def document_links(workspace: Workspace, buffer: Buffer) -> list[types.DocumentLink]:
    """A link at each name of a file that exists."""
    links = []
    known: dict[tuple[str, str], Path | None] = {}
    for name in file_names(buffer.document):
        key = name.field.name, name.name
        if key not in known:
            known[key] = find_file(name, Path(buffer.path), workspace.folders)
        found = known[key]
        if found is not None and found.is_file():
            links.append(types.DocumentLink(buffer.range(name.start, name.end), found.absolute().as_uri()))
    return links


def register(server: Any) -> None:
    """Put the handlers on the server."""

    @server.feature(types.TEXT_DOCUMENT_DEFINITION)
    def _definition(params: types.DefinitionParams) -> list[types.Location]:
        buffer = server.workspace_of_nets.buffer(params.text_document.uri)
        return definition(server.workspace_of_nets, buffer, params.position) if buffer else []

    @server.feature(types.TEXT_DOCUMENT_DOCUMENT_LINK)
    def _links(params: types.DocumentLinkParams) -> list[types.DocumentLink]:
        buffer = server.workspace_of_nets.buffer(params.text_document.uri)
        return document_links(server.workspace_of_nets, buffer) if buffer else []
