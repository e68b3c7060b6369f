"""One request: whether it may be answered, its route, and the answer."""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import select
import socket
import time
import traceback
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from importlib import resources
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from ..errors import InputError
from .photos import Outdated, Service, Unknown, parameters_of
from .refusals import Refused, body_length, check_host, check_origin

#: bytes of CRF parameters as JSON
_MOST_PARAMETERS = 4096
#: bytes of a refused file that are read, and seconds, so that the browser gets to see the answer
_DISCARDED, _PATIENCE = 256 << 20, 10.0
_JSON, _BYTES, _PNG = "application/json", "application/octet-stream", "image/png"
#: address to file of the page and its type
_FILES: Mapping[str, tuple[str, str]] = {
    "/": ("serve.html", "text/html; charset=utf-8"),
    "/serve.css": ("serve.css", "text/css; charset=utf-8"),
    "/picture.js": ("picture.js", "text/javascript; charset=utf-8"),
    "/controls.js": ("controls.js", "text/javascript; charset=utf-8"),
    "/serve.js": ("serve.js", "text/javascript; charset=utf-8"),
}
_HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Connection": "close",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Answer(NamedTuple):
    """Status, type, content, and headers beside the usual ones."""

    status: int
    kind: str
    body: bytes
    headers: Mapping[str, str] = {}


def _json(value: Any, status: int = 200) -> Answer:
    return Answer(status, _JSON, json.dumps(value).encode() + b"\n")


def refusal(status: int, message: str) -> bytes:
    """A whole answer that refuses a request, for a connection that nobody reads."""
    answer = _json({"error": message}, status)
    headers = {**_HEADERS, "Content-Type": answer.kind, "Content-Length": str(len(answer.body))}
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {text}" for name, text in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + answer.body


class Handler(BaseHTTPRequestHandler):
    """Answers one request of a `PageServer`: fixed addresses alone, errors as one line of JSON."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "deeplab", ""
    #: seconds without a byte
    timeout = 15
    #: the `PageServer`
    server: Any
    #: whether content is still coming
    _unread = False

    def do_GET(self) -> None:
        """Answer a GET."""
        self._respond(_GETS)

    def do_HEAD(self) -> None:
        """Answer a GET without its content."""
        self._respond(_GETS)

    def do_POST(self) -> None:
        """Answer a POST."""
        self._unread = True
        self._respond(_POSTS)

    def _respond(self, routes: Mapping[str, Route]) -> None:
        self.close_connection = True
        try:
            answer = self._answer(routes)
        except ConnectionError:
            return
        except TimeoutError:
            self._unread = False
            answer = _json({"error": "the request did not come in time"}, 408)
        except Outdated as outdated:
            answer = _json({"error": str(outdated)}, 409)
        except Refused as refused:
            answer = _json({"error": str(refused)}, refused.status)
        except Unknown as unknown:
            answer = _json({"error": str(unknown)}, 404)
        except InputError as error:
            answer = _json({"error": str(error)}, 400)
        except Exception:
            traceback.print_exc()
            answer = _json({"error": "internal error; the terminal with `deeplab serve` says more"}, 500)
        self._send(answer)

    def _answer(self, routes: Mapping[str, Route]) -> Answer:
        check_host(self.headers, self.server.host)
        if routes is _POSTS:
            check_origin(self.headers)
        path, _, query = self.path.partition("?")
        for pattern, route in routes.items():
            if match := re.fullmatch(pattern, path):
                return route(self, self._service(), match, parse_qs(query))
        allowed = [name for name, known in (("GET", _GETS), ("POST", _POSTS)) if _is_known(known, path)]
        raise Refused(405, f"expected {allowed[0]}") if allowed else Refused(404, "no such page")

    def _service(self) -> Service:
        if self.server.service is None:
            raise Refused(503, "the model is still being loaded; try again")
        return self.server.service

    # -- reading and writing

    def body(self, most: int) -> bytes:
        """The content of the request, of at most so many bytes. Raises Refused."""
        length = body_length(self.headers, most)
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        data = self.rfile.read(length)
        self._unread = False
        if len(data) < length:
            raise ConnectionAbortedError
        self.server.has_come(self.connection)
        return data

    def is_waiting(self) -> bool:
        """Whether the client still waits for an answer."""
        with contextlib.suppress(OSError):
            ready, _, _ = select.select([self.connection], [], [], 0)
            return not ready or bool(self.connection.recv(1, socket.MSG_PEEK))
        return False

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, text in {**_HEADERS, **answer.headers}.items():
            self.send_header(name, text)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)
        if self._unread:
            self._discard()

    def _discard(self) -> None:
        """Read what is still coming: if the connection were closed before, the client would not see the answer."""
        self.connection.shutdown(socket.SHUT_WR)
        self.connection.settimeout(1)
        left, until = _DISCARDED, time.monotonic() + _PATIENCE
        while left > 0 and time.monotonic() < until and (part := self.rfile.read1(1 << 16)):
            left -= len(part)

    def handle_expect_100(self) -> bool:
        """Go on: `body` tells the client to send the rest, once it may."""
        return True

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer a request that cannot be understood."""
        self._unread = bool(self.command) and self.command not in ("GET", "HEAD")
        self.close_connection = True
        self._send(_json({"error": HTTPStatus(code).phrase.lower()}, code))

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is logged."""


# -- the routes: each gets the handler, the service, the match of its address, and the query

Route = Callable[[Handler, Service, "re.Match[str]", Mapping[str, list[str]]], Answer]


def _is_known(routes: Mapping[str, Route], path: str) -> bool:
    return any(re.fullmatch(pattern, path) for pattern in routes)


def _file(handler: Handler, service: Service, match: re.Match[str], query: Mapping[str, list[str]]) -> Answer:
    name, kind = _FILES[match[0]]
    return Answer(200, kind, (resources.files(__package__) / "page" / name).read_bytes())


def _model(handler: Handler, service: Service, match: re.Match[str], query: Mapping[str, list[str]]) -> Answer:
    return _json(service.about())


def _photo(handler: Handler, service: Service, match: re.Match[str], query: Mapping[str, list[str]]) -> Answer:
    return Answer(200, _PNG, service.photo_png(match[1]))


def _add(handler: Handler, service: Service, match: re.Match[str], query: Mapping[str, list[str]]) -> Answer:
    return _json(service.add(handler.body(service.limits.upload), handler.is_waiting))


def _labels(handler: Handler, service: Service, match: re.Match[str], query: Mapping[str, list[str]]) -> Answer:
    """The labels, a byte for each pixel, row by row."""
    number = query.get("number", ["0"])[0]
    if not re.fullmatch(r"[0-9]{1,15}", number):
        raise Refused(400, "number: expected a whole number")
    parameters, began = _parameters(handler), time.perf_counter()
    content = service.labels(match[1], parameters, int(number), handler.is_waiting).tobytes()
    timing = {"Server-Timing": f"crf;dur={1000 * (time.perf_counter() - began):.1f}"}
    if "gzip" in handler.headers.get("Accept-Encoding", ""):
        return Answer(200, _BYTES, gzip.compress(content, 1), {**timing, "Content-Encoding": "gzip"})
    return Answer(200, _BYTES, content, timing)


def _labels_png(handler: Handler, service: Service, match: re.Match[str], query: Mapping[str, list[str]]) -> Answer:
    return Answer(200, _PNG, service.labels_png(match[1], _parameters(handler), handler.is_waiting))


def _parameters(handler: Handler) -> Any:
    try:
        text = handler.body(_MOST_PARAMETERS).decode()
    except UnicodeDecodeError:
        raise Refused(400, "CRF parameters: not JSON") from None
    return parameters_of(text)


_ID = "([A-Za-z0-9_-]{22})"
_GETS: Mapping[str, Route] = {
    **{re.escape(path): _file for path in _FILES},
    "/model": _model,
    rf"/photos/{_ID}\.png": _photo,
}
_POSTS: Mapping[str, Route] = {
    "/photos": _add,
    rf"/photos/{_ID}/labels": _labels,
    rf"/photos/{_ID}/labels\.png": _labels_png,
}
