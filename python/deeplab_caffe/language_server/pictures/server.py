"""Serves pictures to browsers on this machine: a page, its script, and the events that let it follow the editor."""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from typing import Any

from ...serving.refusals import Refused, check_host, check_origin
from .picture import Moment, Picture

#: only this machine is served
HOST = "127.0.0.1"
#: pages that wait for news at a time, and seconds after which they get a sign of life
_MOST, _BEAT = 16, 15.0
_ADDRESS = re.compile(r"/([\w-]+)/(|live\.js|events)")
_HEADERS = {
    "Cache-Control": "no-store, no-transform",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'unsafe-inline'; img-src data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'"
)


class PictureServer:
    """The pictures of all files, each at an address that nobody can guess; it listens once one is asked for.

    Args:
        draw: the page of a file, by its path; raises InputError if there is nothing to draw.
    """

    def __init__(self, draw: Callable[[str], str]) -> None:
        self._draw = draw
        self._pictures: dict[str, Picture] = {}
        self._server: _Server | None = None
        self._lock = threading.Lock()

    def open(self, path: str) -> str:
        """The address of the page of a file."""
        with self._lock:
            if self._server is None:
                self._server = _Server(self)
                threading.Thread(target=self._server.serve_forever, daemon=True).start()
            picture = self._pictures.get(path)
            if picture is None:
                picture = self._pictures[path] = Picture(lambda: self._draw(path))
            return f"http://{HOST}:{self._server.server_port}/{picture.token}/"

    def of(self, path: str) -> Picture | None:
        """The picture of a file, if its page was opened."""
        return self._pictures.get(path)

    def redraw(self, path: str) -> None:
        """The file has changed: let its pages ask for the picture again."""
        if (picture := self._pictures.get(path)) is not None:
            picture.redraw()

    def by_token(self, token: str) -> Picture | None:
        """The picture of an address."""
        known = list(self._pictures.values())
        return next((p for p in known if secrets.compare_digest(p.token.encode(), token.encode())), None)

    def close(self) -> None:
        """Stop to serve."""
        with self._lock:
            if self._server is not None:
                self._server.shutdown()
                self._server.server_close()
                self._server = None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, pictures: PictureServer) -> None:
        self.pictures = pictures
        self.places = threading.BoundedSemaphore(_MOST)
        super().__init__((HOST, 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that has gone is no error, and the editor's channel is not for tracebacks."""


class _Handler(BaseHTTPRequestHandler):
    """Answers one request: the page, its script or its events, below the token of a picture."""

    server_version, sys_version = "deeplab", ""
    #: seconds for a request to come
    timeout = 15
    server: _Server

    def do_GET(self) -> None:
        """Answer a GET."""
        try:
            check_host(self.headers, HOST)
            self._answer()
        except Refused as refused:
            self._send(f"{refused}\n", "text/plain; charset=utf-8", refused.status)

    def _answer(self) -> None:
        path, _, query = self.path.partition("?")
        asked = _ADDRESS.fullmatch(path)
        picture = self.server.pictures.by_token(asked[1]) if asked else None
        if asked is None or picture is None:
            raise Refused(404, "no such page")
        if asked[2]:  # the page itself may be shown within an editor, which is another site
            check_origin(self.headers)
        if asked[2] == "events":
            self._follow(picture, query.removeprefix("edition="))
        elif asked[2] == "live.js":
            script = resources.files(__package__).joinpath("live.js").read_text(encoding="utf-8")
            self._send(script, "text/javascript; charset=utf-8")
        else:
            nonce = secrets.token_urlsafe(16)
            self._send(picture.page(nonce), "text/html; charset=utf-8", policy=_POLICY.format(nonce=nonce))

    def _send(self, text: str, kind: str, status: int = 200, policy: str = "default-src 'none'") -> None:
        body = text.encode("utf-8", "replace")
        self.send_response(status)
        for name, value in {**_HEADERS, "Content-Security-Policy": policy, "Content-Type": kind}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    def _follow(self, picture: Picture, edition: str) -> None:
        """Send what happens, as server-sent events, until the browser has gone."""
        if not self.server.places.acquire(blocking=False):
            raise Refused(503, "too many pages are open")
        try:
            self.send_response(200)
            for name, value in {**_HEADERS, "Content-Type": "text/event-stream"}.items():
                self.send_header(name, value)
            self.end_headers()
            shown = Moment(int(edition) if edition.isdecimal() and len(edition) < 10 else 0)
            while True:
                shown = self._tell(shown, picture.wait(shown, _BEAT))
        except OSError:
            return
        finally:
            self.server.places.release()

    def _tell(self, shown: Moment, now: Moment) -> Moment:
        text = ": still here\n\n"
        if now.layer != shown.layer:
            text = f"event: layer\ndata: {json.dumps({'name': now.layer})}\n\n"
        if now.edition != shown.edition:
            text += "event: drawn\ndata: \n\n"
        self.wfile.write(text.encode())
        self.wfile.flush()
        return now

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is logged."""
