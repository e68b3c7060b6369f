"""An editor for tests: it starts `deeplab prototxt serve` and speaks the protocol with it over stdio."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls.lsp.client import LanguageClient
from pygls.uris import from_fs_path

COMMAND = [sys.executable, "-m", "deeplab_caffe.cli", "prototxt", "serve"]
#: seconds after which an answer that does not come is a fault
PATIENCE = 60


def uri_of(path: Path | str) -> str:
    """The protocol's name of a file."""
    return str(from_fs_path(str(path)))


class Editor:
    """One session of an editor with a server of its own; use it as a context manager.

    Args:
        folder: the folder that the editor has open.
        options: the initialization options, such as `{"deeplab": {"inlayHints": False}}`.

    Attributes:
        published: the diagnostics of each URI, as they were last published: (version, list).
        messages: what the server showed to the user.
        registered: what the server asked to be told of.
        process: the server's process.
    """

    def __init__(self, folder: Path, options: Any = None) -> None:
        self.folder, self.options = folder, options
        self.published: dict[str, tuple[int | None, list[types.Diagnostic]]] = {}
        self.messages: list[str] = []
        self.applied: list[types.WorkspaceEdit] = []
        self.registered: list[types.Registration] = []
        self._versions: dict[str, int] = {}
        self._news = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.client = LanguageClient("tests", "1")
        self.capabilities: types.ServerCapabilities

    def __enter__(self) -> Editor:
        self._thread.start()
        self._listen()
        # without Python's buffers, as in many containers: what is sent must be whole all the same
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
        self._run(self.client.start_io(*COMMAND, cwd=str(self.folder), env=environment))
        folders = [types.WorkspaceFolder(uri_of(self.folder), self.folder.name)]
        capabilities = types.ClientCapabilities(
            text_document=types.TextDocumentClientCapabilities(
                publish_diagnostics=types.PublishDiagnosticsClientCapabilities(version_support=True),
                code_action=types.CodeActionClientCapabilities(
                    code_action_literal_support=types.ClientCodeActionLiteralOptions(
                        types.ClientCodeActionKindOptions([types.CodeActionKind.QuickFix])
                    )
                ),
                document_symbol=types.DocumentSymbolClientCapabilities(hierarchical_document_symbol_support=True),
            ),
            workspace=types.WorkspaceClientCapabilities(
                did_change_watched_files=types.DidChangeWatchedFilesClientCapabilities(dynamic_registration=True)
            ),
        )
        given = types.InitializeParams(capabilities, workspace_folders=folders, initialization_options=self.options)
        self.capabilities = self.request(types.INITIALIZE, given).capabilities
        self.notify(types.INITIALIZED, types.InitializedParams())
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if self.process.returncode is None:
                self.request(types.SHUTDOWN, None)
                self.notify(types.EXIT, None)
                self._run(self.process.wait())
        finally:
            self._run(self.client.stop())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    @property
    def process(self) -> asyncio.subprocess.Process:
        process = self.client._server
        assert process is not None
        return process

    def _listen(self) -> None:
        @self.client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
        def publish(params: types.PublishDiagnosticsParams) -> None:
            with self._news:
                self.published[params.uri] = params.version, list(params.diagnostics)
                self._news.notify_all()

        @self.client.feature(types.WINDOW_SHOW_MESSAGE)
        def show(params: types.ShowMessageParams) -> None:
            self.messages.append(params.message)

        @self.client.feature(types.WINDOW_LOG_MESSAGE)
        def log(params: types.LogMessageParams) -> None:
            self.messages.append(params.message)

        @self.client.feature(types.WORKSPACE_APPLY_EDIT)
        def apply(params: types.ApplyWorkspaceEditParams) -> types.ApplyWorkspaceEditResult:
            self.applied.append(params.edit)
            return types.ApplyWorkspaceEditResult(True)

        @self.client.feature(types.CLIENT_REGISTER_CAPABILITY)
        def register(params: types.RegistrationParams) -> None:
            self.registered += params.registrations

        @self.client.feature(types.WINDOW_SHOW_DOCUMENT)
        def show_document(params: types.ShowDocumentParams) -> types.ShowDocumentResult:
            self.messages.append(params.uri)
            return types.ShowDocumentResult(True)

    def _run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE)

    # -- the protocol

    def request(self, method: str, params: Any) -> Any:
        """Send a request and return its result."""

        async def answer() -> Any:
            return await self.client.protocol.send_request_async(method, params)

        return self._run(answer())

    def notify(self, method: str, params: Any) -> None:
        """Send a notification."""
        self._loop.call_soon_threadsafe(self.client.protocol.notify, method, params)

    # -- what a user does

    def open(self, path: Path | str, text: str | None = None) -> str:
        """Open a file, or an unsaved text under its path; returns the URI."""
        uri = uri_of(path)
        self._versions[uri] = 1
        given = Path(path).read_bytes().decode() if text is None else text
        item = types.TextDocumentItem(uri, "prototxt", 1, given)
        self.notify(types.TEXT_DOCUMENT_DID_OPEN, types.DidOpenTextDocumentParams(item))
        return uri

    def change(self, uri: str, *changes: tuple[types.Range, str] | str) -> int:
        """Change an open text: ranges with their new text, or a whole new text; returns the new version."""
        self._versions[uri] += 1
        events: list[Any] = []
        for change in changes:
            if isinstance(change, str):
                events.append(types.TextDocumentContentChangeWholeDocument(change))
            else:
                events.append(types.TextDocumentContentChangePartial(text=change[1], range=change[0]))
        item = types.VersionedTextDocumentIdentifier(self._versions[uri], uri)
        self.notify(types.TEXT_DOCUMENT_DID_CHANGE, types.DidChangeTextDocumentParams(item, events))
        return self._versions[uri]

    def close(self, uri: str) -> None:
        """Close a text without saving it."""
        item = types.TextDocumentIdentifier(uri)
        self.notify(types.TEXT_DOCUMENT_DID_CLOSE, types.DidCloseTextDocumentParams(item))

    def diagnostics(
        self, uri: str, version: int | None = None, until: Callable[[list[types.Diagnostic]], bool] | None = None
    ) -> list[types.Diagnostic]:
        """Wait for the diagnostics of an open text in its newest version, or until they satisfy a condition."""
        wanted = self._versions[uri] if version is None else version

        def there() -> bool:
            found = self.published.get(uri)
            return found is not None and found[0] == wanted and (until is None or until(found[1]))

        with self._news:
            if not self._news.wait_for(there, PATIENCE):
                raise TimeoutError(f"{uri}: no diagnostics of version {wanted}: {self.published.get(uri)}")
            return self.published[uri][1]
