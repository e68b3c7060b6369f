"""Mistakes as they are typed: what lint finds in the open texts, published when it has been found."""

from __future__ import annotations

import gc
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING

from lsprotocol import types

from ..background import Background, Outdated
from ..buffers import Buffer
from ..diagnose import diagnostics, findings_in, too_long_diagnostic

if TYPE_CHECKING:
    from ..server import PrototxtServer


def register(server: PrototxtServer) -> None:
    """Publish diagnostics of open texts whenever one of them, or of their family, has changed."""
    publisher = _Publisher(server)
    background = Background(publisher.publish, _prepare, _tidy)
    background.start()
    server.on_change.append(background.changed)
    server.on_end.append(background.end)


def _prepare() -> None:
    """Import the engine, which the shapes need, before the first text needs it; it takes a second or two."""
    from ...inspection import shapes  # noqa: F401

    gc.collect()
    gc.freeze()  # what was imported is never garbage: no need to look at it again
    gc.set_threshold(50_000, 20, 1000)  # a whole collection would delay an answer; `Background` does it at rest


def _tidy() -> None:
    """Free the memory of nets of earlier texts, which refer to themselves."""
    gc.collect()


class _Publisher:
    def __init__(self, server: PrototxtServer) -> None:
        self._server = server

    def publish(self, uris: list[str], pause: Callable[[], None]) -> None:
        """Publish for changed texts that are open, and for open texts of their families."""
        done: set[str] = set()
        for uri in reversed(uris):  # where the user is now comes first
            try:
                self._publish_family(uri, done, pause)
            except Outdated:
                raise
            except Exception:  # a fault of ours must not end the session; the log gets it
                self._server.window_log_message(types.LogMessageParams(types.MessageType.Error, traceback.format_exc()))

    def _publish_family(self, uri: str, done: set[str], pause: Callable[[], None]) -> None:
        workspace = self._server.workspace_of_nets
        changed = workspace.buffer(uri)
        if changed is None:
            if (too_long := workspace.too_long(uri)) is not None:
                self._publish(too_long, [too_long_diagnostic()])
            return
        if changed.is_open and changed.path not in done:
            self._publish_for([changed], done, pause)
        rest = [b for b in workspace.family(changed) if b.is_open and b.path not in done]
        self._publish_for(rest, done, pause)

    def _publish_for(self, buffers: list[Buffer], done: set[str], pause: Callable[[], None]) -> None:
        workspace = self._server.workspace_of_nets
        found = findings_in(workspace, buffers, pause)
        for buffer in buffers:
            pause()
            workspace.keep_findings(buffer, found[buffer.path])
            self._publish(buffer, diagnostics(buffer, found[buffer.path], workspace.settings))
            done.add(buffer.path)

    def _publish(self, buffer: Buffer, items: list[types.Diagnostic]) -> None:
        self._server.text_document_publish_diagnostics(
            types.PublishDiagnosticsParams(buffer.uri, items, buffer.version)
        )
