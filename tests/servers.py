"""A server on this machine that can misbehave."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from deeplab_caffe.data import download as downloading


@dataclass
class Server:
    """files: path to content. cuts: after how many bytes the next answers break off; None is whole.

    ranges: 'honoured', 'ignored', or 'wrong' (answers with other bytes than were asked for).
    """

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    cuts: list[int | None] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)
    ranges: str = "honoured"
    etag: str | None = '"1"'
    asked: list[str | None] = field(default_factory=list)


class _Handler(http.server.BaseHTTPRequestHandler):
    state: Server

    def do_GET(self) -> None:
        state, span = self.state, self.headers.get("Range")
        state.asked.append(span)
        if state.codes:
            self.send_error(state.codes.pop(0))
            return
        body = state.files.get(self.path)
        if body is None:
            self.send_error(404)
            return
        start = int(span.split("=")[1].rstrip("-")) if span and state.ranges != "ignored" else 0
        if self.headers.get("If-Range", state.etag) != state.etag:
            start = 0
        if start and start >= len(body):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(body)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        told = 0 if state.ranges == "wrong" else start
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {told}-{len(body) - 1}/{len(body)}")
        if state.etag:
            self.send_header("ETag", state.etag)
        self.send_header("Content-Length", str(len(body) - told))
        self.end_headers()
        cut = state.cuts.pop(0) if state.cuts else None
        self.wfile.write(body[told:][:cut])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(downloading, "PAUSES", (0.0, 0.0, 0.0))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    state = Server()
    handler = type("Handler", (_Handler,), {"state": state})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as listening:
        state.address = f"http://127.0.0.1:{listening.server_port}"
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield state
        listening.shutdown()
        thread.join()
