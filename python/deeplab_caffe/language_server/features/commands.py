"""Commands of an editor: the net's picture, its table, what has changed, and the deploy net of a training net."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls.uris import from_fs_path

from ...errors import InputError
from ...formats.prototxt import Document
from ...inspection.analysis_text import as_text as table
from ...inspection.diff import diff_documents
from ...inspection.diff_text import as_text as diff_text
from ..buffers import Buffer
from ..committed import committed_text
from ..net_analysis import analysed_net, analysis_of
from ..refused import refusing
from ..workspace import Workspace


def inspection(workspace: Workspace, uri: str) -> str:
    """The table of `deeplab prototxt inspect` for the text that the editor has, and what could not be computed."""
    analysis = analysis_of(workspace, analysed_net(workspace, _buffer(workspace, uri)))
    problems = [str(problem) for problem in (*analysis.shapes.errors, *analysis.shapes.unknown)]
    return "\n".join([table(analysis), *problems]).rstrip("\n") + "\n"


def difference(workspace: Workspace, uri: str, other: str) -> str:
    """What differs by meaning from another file, which counts as the earlier one, to the text that the editor has."""
    buffer, before = _buffer(workspace, uri), _buffer(workspace, other)
    return _difference(Document(before.text, before.path), buffer)


def difference_to_committed(workspace: Workspace, uri: str, revision: str = "HEAD") -> str:
    """What differs by meaning from the version in a revision of git to the text that the editor has."""
    buffer = _buffer(workspace, uri)
    name = f"{Path(buffer.path).name} in {revision}"
    return _difference(Document(committed_text(buffer.path, revision), name), buffer)


def _difference(before: Document, buffer: Buffer) -> str:
    return diff_text(diff_documents(before, Document(buffer.text, buffer.path)), False)


def deploy_net(workspace: Workspace, uri: str) -> str:
    """The URI of the deploy net of the model that a file belongs to.

    Raises:
        InputError: there is none, or the file is the deploy net.
    """
    buffer = _buffer(workspace, uri)
    net = buffer if buffer.kind == "net" else analysed_net(workspace, buffer)
    found = [path for path in workspace.beside(net) if "deploy" in Path(path).stem]
    if not found:
        raise InputError(f"{buffer.path}: there is no deploy net beside it")
    if Path(found[0]) == Path(buffer.path):
        raise InputError(f"{buffer.path}: this is the deploy net")
    return from_fs_path(found[0]) or found[0]


def _buffer(workspace: Workspace, uri: str) -> Buffer:
    buffer = workspace.buffer(uri) if uri else None
    if buffer is None:
        raise InputError(f"{uri or 'the file'}: cannot be read; save it or open it first")
    return buffer


def register(server: Any) -> None:
    """Put the handlers on the server."""
    server.on_save.append(server.pictures.redraw)
    server.on_end.append(server.pictures.close)

    @server.command("deeplab.picture")
    @server.thread()
    def _picture(uri: str = "", position: types.Position | None = None) -> str:
        workspace = server.workspace_of_nets
        with refusing():
            net = analysed_net(workspace, _buffer(workspace, uri))
            address = server.pictures.open(net.uri)
        if position is not None:
            server.cursor_moved(uri, position)
        if _shows_documents(server):
            server.window_show_document(types.ShowDocumentParams(address, external=True))
        return address

    @server.command("deeplab.inspect")
    @server.thread()
    def _inspect(uri: str = "") -> str:
        with refusing():
            return inspection(server.workspace_of_nets, uri)

    @server.command("deeplab.diff")
    @server.thread()
    def _diff(uri: str = "", other: str = "") -> str:
        with refusing():
            return difference(server.workspace_of_nets, uri, other)

    @server.command("deeplab.diffCommitted")
    @server.thread()
    def _committed(uri: str = "", revision: str = "HEAD") -> str:
        with refusing():
            return difference_to_committed(server.workspace_of_nets, uri, revision)

    @server.command("deeplab.deploy")
    @server.thread()
    def _deploy(uri: str = "") -> str:
        with refusing():
            return deploy_net(server.workspace_of_nets, uri)

    @server.feature("deeplab/cursor")
    def _cursor(params: Any) -> None:
        """What an editor sends that can tell where its cursor is: a TextDocumentPositionParams."""
        place = types.Position(int(params.position.line), int(params.position.character))
        server.cursor_moved(params.textDocument.uri, place)


def _shows_documents(server: Any) -> bool:
    window = server.client_capabilities.window
    return bool(window and window.show_document and window.show_document.support)
