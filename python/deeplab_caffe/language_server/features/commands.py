"""Commands of an editor: the net's picture, its table, what has changed, and the deploy net of a training net."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls.capabilities import get_capability
from pygls.uris import from_fs_path

from ...errors import InputError
from ...formats.prototxt import Document
from ..buffers import Buffer
from ..committed import committed_text
from ..net_analysis import analysed_net, analysis_of
from ..refused import refusing
from ..workspace import Workspace, path_of


def inspection(workspace: Workspace, uri: str) -> str:
    """The table of `deeplab prototxt inspect` for the text that the editor has, and what could not be computed."""
    from ...inspection.analysis_text import as_text  # with PyTorch, whose import takes seconds

    analysis = analysis_of(workspace, analysed_net(workspace, _buffer(workspace, uri)))
    problems = [str(problem) for problem in (*analysis.shapes.errors, *analysis.shapes.unknown)]
    return "\n".join([as_text(analysis), *problems]).rstrip("\n") + "\n"


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
    from ...inspection.diff import diff_documents
    from ...inspection.diff_text import as_text

    found = diff_documents(before, Document(buffer.text, buffer.path))
    return f"{before.filename} and {buffer.path} mean the same\n" if found.equal else as_text(found, False)


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
        raise InputError(f"{uri or 'the file'}: cannot be read, or is too long; save it or open it first")
    return buffer


#: command → what makes its result, and the names of its arguments; those in brackets may be missing
_TEXTS: Mapping[str, tuple[Callable[..., str], str]] = {
    "deeplab.inspect": (inspection, "URI"),
    "deeplab.diff": (difference, "URI OTHER-URI"),
    "deeplab.diffCommitted": (difference_to_committed, "URI [REVISION]"),
    "deeplab.deploy": (deploy_net, "URI"),
}


def register(server: Any) -> None:
    """Put the handlers on the server."""
    server.on_save.append(lambda uri: server.pictures.redraw(path_of(uri)))
    server.on_end.append(server.pictures.close)
    for name, (make, expected) in _TEXTS.items():
        _register_text(server, name, make, expected)

    @server.command("deeplab.picture")
    @server.thread()
    def _picture(*arguments: Any) -> str:
        workspace = server.workspace_of_nets
        with refusing():
            [uri] = _texts("deeplab.picture", "URI [POSITION]", arguments[:1])
            position = _position(arguments[1]) if len(arguments) > 1 else None
            address: str = server.pictures.open(analysed_net(workspace, _buffer(workspace, uri)).path)
        if position is not None:
            server.cursor_moved(uri, position)
        if _shows_documents(server):
            server.window_show_document(types.ShowDocumentParams(address, external=True))
        return address

    @server.feature("deeplab/cursor")
    def _cursor(params: Any) -> None:
        """What an editor sends that can tell where its cursor is: a TextDocumentPositionParams."""
        server.cursor_moved(params.textDocument.uri, _position(params.position))


def _register_text(server: Any, name: str, make: Callable[..., str], expected: str) -> None:
    @server.command(name)
    @server.thread()
    def _text(*arguments: Any) -> str:
        with refusing():
            return make(server.workspace_of_nets, *_texts(name, expected, arguments))


def _texts(name: str, expected: str, arguments: Sequence[Any]) -> list[str]:
    names = expected.split()
    least = sum(not word.startswith("[") for word in names)
    if not least <= len(arguments) <= len(names) or not all(isinstance(value, str) for value in arguments):
        raise InputError(f"{name}: expected the arguments {expected}")
    return list(arguments)


def _position(sent: Any) -> types.Position:
    """A position that came without its type."""
    try:
        if isinstance(sent, Mapping):
            return types.Position(int(sent["line"]), int(sent["character"]))
        return types.Position(int(sent.line), int(sent.character))
    except (AttributeError, KeyError, TypeError, ValueError):
        raise InputError("expected a position with line and character") from None


def _shows_documents(server: Any) -> bool:
    return bool(get_capability(server.client_capabilities, "window.show_document.support", False))
