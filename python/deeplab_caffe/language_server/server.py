"""The server: buffers follow the editor; each feature puts its handlers on it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator
from typing import Any, BinaryIO

from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol
from pygls.protocol.language_server import lsp_method

from .. import __version__
from ..permission import allow_python_layers
from .features import register_all
from .settings import Settings
from .workspace import Workspace, path_of


class PrototxtServer(LanguageServer):
    """A language server for prototxt files.

    Attributes:
        workspace_of_nets: the files that it knows.
        on_change: called with the URI of a text that was opened, changed or closed, or of a file that has changed.
        on_save: called with the URI of a text that was saved.
        on_end: called when the session ends.
    """

    def __init__(self) -> None:
        self.workspace_of_nets = Workspace()
        self.on_change: list[Callable[[str], None]] = []
        self.on_save: list[Callable[[str], None]] = []
        self.on_end: list[Callable[[], None]] = []
        super().__init__("deeplab-prototxt", __version__, protocol_cls=_Protocol)
        register_all(self)

    def configure(self, sent: Any) -> None:
        """Take the settings that the editor sent."""
        settings = Settings.of(sent)
        allow_python_layers(settings.allow_python_layers)
        self.workspace_of_nets.configure(settings)
        self.changed(*(buffer.uri for buffer in self.workspace_of_nets.open_buffers))

    def changed(self, *uris: str) -> None:
        """Tell the features that texts have changed."""
        for uri in uris:
            for listen in self.on_change:
                listen(uri)

    def shutdown(self) -> None:
        for end in self.on_end:
            end()
        super().shutdown()


class _Protocol(LanguageServerProtocol):
    """The protocol with our buffers in place of pygls's documents, whose lines end where the protocol's do not."""

    _server: PrototxtServer

    @lsp_method(types.INITIALIZE)
    def lsp_initialize(self, params: types.InitializeParams) -> Generator[Any, Any, types.InitializeResult]:
        if params.capabilities.general is not None:  # every editor knows UTF-16, in which buffers count
            params.capabilities.general.position_encodings = [types.PositionEncodingKind.Utf16]
        folders = [folder.uri for folder in params.workspace_folders or []] or [params.root_uri or ""]
        self._server.workspace_of_nets.folders = paths = [path_of(uri) for uri in folders if uri]
        if paths and os.path.isdir(paths[0]):
            os.chdir(paths[0])  # paths in nets and solvers are relative to where training runs: the opened folder
        self._server.configure(params.initialization_options)
        return (yield from super().lsp_initialize(params))

    @lsp_method(types.TEXT_DOCUMENT_DID_OPEN)
    def lsp_text_document__did_open(self, params: types.DidOpenTextDocumentParams) -> None:
        item = params.text_document
        self._server.workspace_of_nets.open(item.uri, item.text, item.version)
        self._server.changed(item.uri)

    @lsp_method(types.TEXT_DOCUMENT_DID_CHANGE)
    def lsp_text_document__did_change(self, params: types.DidChangeTextDocumentParams) -> None:
        item = params.text_document
        self._server.workspace_of_nets.change(item.uri, item.version, params.content_changes)
        self._server.changed(item.uri)

    @lsp_method(types.TEXT_DOCUMENT_DID_CLOSE)
    def lsp_text_document__did_close(self, params: types.DidCloseTextDocumentParams) -> None:
        self._server.workspace_of_nets.close(params.text_document.uri)
        self._server.text_document_publish_diagnostics(types.PublishDiagnosticsParams(params.text_document.uri, []))
        self._server.changed(params.text_document.uri)

    @lsp_method(types.TEXT_DOCUMENT_DID_SAVE)
    def lsp_text_document__did_save(self, params: types.DidSaveTextDocumentParams) -> None:
        for listen in self._server.on_save:
            listen(params.text_document.uri)

    @lsp_method(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    def lsp_workspace__did_change_watched_files(self, params: types.DidChangeWatchedFilesParams) -> None:
        self._server.changed(*(event.uri for event in params.changes))

    @lsp_method(types.WORKSPACE_DID_CHANGE_CONFIGURATION)
    def lsp_workspace__did_change_configuration(self, params: types.DidChangeConfigurationParams) -> None:
        if params.settings is not None:
            self._server.configure(params.settings)


def serve(stdin: BinaryIO, stdout: BinaryIO) -> None:
    """Serve one editor over two streams until it ends the session."""
    sys.stdout = sys.stderr  # what is printed must not get into the protocol
    PrototxtServer().start_io(stdin, stdout)
