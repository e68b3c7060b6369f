"""The server: buffers follow the editor; each feature puts its handlers on it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator
from typing import Any, BinaryIO, NoReturn

from lsprotocol import types
from pygls.capabilities import get_capability
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol
from pygls.protocol.language_server import lsp_method

from .. import __version__
from ..errors import InputError
from ..permission import allow_python_layers
from .features import register_all
from .pictures.drawing import drawing, layer_at
from .pictures.server import PictureServer
from .refused import log_faults_only
from .settings import Settings
from .workspace import Workspace, path_of


class PrototxtServer(LanguageServer):
    """A language server for prototxt files.

    Attributes:
        workspace_of_nets: the files that it knows.
        pictures: the pictures of nets that a browser shows.
        on_change: called with the URI of a text that was opened, changed or closed, or of a file that has changed.
        on_save: called with the URI of a text that was saved.
        on_end: called when the session ends.
        exit_code: of the process, when the session has ended.
    """

    def __init__(self) -> None:
        self.workspace_of_nets = Workspace()
        self.pictures = PictureServer(lambda path: drawing(self.workspace_of_nets, path))
        self.on_change: list[Callable[[str], None]] = []
        self.on_save: list[Callable[[str], None]] = []
        self.on_end: list[Callable[[], None]] = []
        self.exit_code = 0
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
        """End the session at once: nobody waits for what is still computed."""
        for end in self.on_end:
            end()
        self.thread_pool.shutdown(wait=False, cancel_futures=True)

    def cursor_moved(self, uri: str, position: types.Position) -> None:
        """Let the picture of a net follow the cursor."""
        picture = self.pictures.of(path_of(uri))
        buffer = self.workspace_of_nets.buffer(uri) if picture is not None else None
        if picture is not None and buffer is not None and (layer := layer_at(buffer, position)):
            picture.point(layer)


class _Protocol(LanguageServerProtocol):
    """The protocol with our buffers in place of pygls's documents, whose lines end where the protocol's do not."""

    _server: PrototxtServer

    @lsp_method(types.INITIALIZE)
    def lsp_initialize(self, params: types.InitializeParams) -> Generator[Any, Any, types.InitializeResult]:
        if params.capabilities.general is not None:  # every editor knows UTF-16, in which buffers count
            params.capabilities.general.position_encodings = [types.PositionEncodingKind.Utf16]
        root = params.root_uri or params.root_path or ""  # of older editors
        folders = [folder.uri for folder in params.workspace_folders or []] or [root]
        self._server.workspace_of_nets.folders = paths = [path_of(uri) for uri in folders if uri]
        if paths and os.path.isdir(paths[0]):
            os.chdir(paths[0])  # paths in nets and solvers are relative to where training runs: the opened folder
        self._server.configure(params.initialization_options)
        return (yield from super().lsp_initialize(params))

    @lsp_method(types.INITIALIZED)
    def lsp_initialized(self, params: types.InitializedParams) -> None:
        """Ask to be told of files that change on the disk, where the editor can do so."""
        if get_capability(self.client_capabilities, "workspace.did_change_watched_files.dynamic_registration", False):
            watched = types.DidChangeWatchedFilesRegistrationOptions([types.FileSystemWatcher("**/*.prototxt")])
            asked = types.Registration("watched", types.WORKSPACE_DID_CHANGE_WATCHED_FILES, watched)
            self._server.client_register_capability(types.RegistrationParams([asked]))

    @lsp_method(types.SHUTDOWN)
    def lsp_shutdown(self, *_: Any) -> Generator[Any, Any, None]:
        yield from ()
        for request, future in list(self._request_futures.items()):  # each that is cancelled takes itself out
            if request != self.msg_id:
                future.cancel()
        self._shutdown = True

    @lsp_method(types.EXIT)
    def lsp_exit(self, *_: Any) -> NoReturn:
        self._server.exit_code = int(not self._shutdown)
        raise SystemExit

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

    @lsp_method(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)
    def lsp_workspace__did_change_workspace_folders(self, params: types.DidChangeWorkspaceFoldersParams) -> None:
        workspace, removed = self._server.workspace_of_nets, {path_of(folder.uri) for folder in params.event.removed}
        kept = [folder for folder in workspace.folders if folder not in removed]
        workspace.folders = [*kept, *(path_of(folder.uri) for folder in params.event.added)]
        self._server.changed(*(buffer.uri for buffer in workspace.open_buffers))

    @lsp_method(types.WORKSPACE_DID_CHANGE_CONFIGURATION)
    def lsp_workspace__did_change_configuration(self, params: types.DidChangeConfigurationParams) -> None:
        # Eglot and others send all their settings when they start, without ours if there are none
        if isinstance(params.settings, dict) and "deeplab" in params.settings:
            self._server.configure(params.settings)


def serve(stdin: BinaryIO, stdout: BinaryIO) -> int:
    """Serve one editor over two streams until it ends the session.

    Returns:
        The exit code of the protocol: 1 if the editor said exit without shutdown before, else 0.

    Raises:
        InputError: what comes is not the protocol.
    """
    sys.stdout = sys.stderr  # what is printed must not get into the protocol
    log_faults_only()
    server = PrototxtServer()
    # several threads answer: their messages stay whole even if Python was told not to buffer its output
    with open(stdout.fileno(), "wb", closefd=False) as whole:
        try:
            server.start_io(stdin, whole)
        except OverflowError:
            raise InputError("standard input: a message longer than any can be; this is no editor") from None
    return server.exit_code
