"""The server: buffers follow the editor; each feature puts its handlers on it."""

from __future__ import annotations

import sys
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
    """

    def __init__(self) -> None:
        self.workspace_of_nets = Workspace()
        super().__init__("deeplab-prototxt", __version__, protocol_cls=_Protocol)
        register_all(self)

    def configure(self, sent: Any) -> None:
        """Take the settings that the editor sent."""
        self.workspace_of_nets.settings = settings = Settings.of(sent)
        allow_python_layers(settings.allow_python_layers)

    def buffers_changed(self, uri: str) -> None:
        """Called when the text of a file was opened, changed or closed."""


class _Protocol(LanguageServerProtocol):
    """The protocol with our buffers in place of pygls's documents, whose lines end where the protocol's do not."""

    _server: PrototxtServer

    @lsp_method(types.INITIALIZE)
    def lsp_initialize(self, params: types.InitializeParams) -> Any:
        if params.capabilities.general is not None:  # every editor knows UTF-16, in which buffers count
            params.capabilities.general.position_encodings = [types.PositionEncodingKind.Utf16]
        folders = [folder.uri for folder in params.workspace_folders or []] or [params.root_uri or ""]
        self._server.workspace_of_nets.folders = [path_of(uri) for uri in folders if uri]
        self._server.configure(params.initialization_options)
        return super().lsp_initialize(params)

    @lsp_method(types.TEXT_DOCUMENT_DID_OPEN)
    def lsp_text_document__did_open(self, params: types.DidOpenTextDocumentParams) -> None:
        item = params.text_document
        self._server.workspace_of_nets.open(item.uri, item.text, item.version)
        self._server.buffers_changed(item.uri)

    @lsp_method(types.TEXT_DOCUMENT_DID_CHANGE)
    def lsp_text_document__did_change(self, params: types.DidChangeTextDocumentParams) -> None:
        item = params.text_document
        self._server.workspace_of_nets.change(item.uri, item.version, params.content_changes)
        self._server.buffers_changed(item.uri)

    @lsp_method(types.TEXT_DOCUMENT_DID_CLOSE)
    def lsp_text_document__did_close(self, params: types.DidCloseTextDocumentParams) -> None:
        self._server.workspace_of_nets.close(params.text_document.uri)
        self._server.buffers_changed(params.text_document.uri)


def serve(stdin: BinaryIO, stdout: BinaryIO) -> None:
    """Serve one editor over two streams until it ends the session."""
    sys.stdout = sys.stderr  # what is printed must not get into the protocol
    PrototxtServer().start_io(stdin, stdout)
