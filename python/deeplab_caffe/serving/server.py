"""The server: a bounded number of connections, each with a time by which its request must have come."""

from __future__ import annotations

import contextlib
import errno
import socket
import socketserver
import sys
import threading
import time
import traceback
from http.server import ThreadingHTTPServer
from typing import Any

from ..errors import InputError
from .handler import Handler, refusal
from .photos import Service

#: connections at a time (a browser opens up to six), and seconds for which one more waits for its turn
_CONNECTIONS, _PATIENCE = 32, 1.0
#: seconds for a whole request to come
_DEADLINE = 120.0


class PageServer(ThreadingHTTPServer):
    """Serves the page and its requests; each connection, one request.

    Args:
        host: the address to listen on.
        port: 0 for any free one.
        deadline: seconds for a whole request to come.
        connections: at a time; others wait for a moment, then they are refused.

    Raises:
        InputError: there is no such host, or the port is in use or not allowed.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, host: str, port: int, deadline: float = _DEADLINE, connections: int = _CONNECTIONS) -> None:
        self.service: Service | None = None
        self.host = host
        self._deadline = deadline
        self._places = threading.BoundedSemaphore(connections)
        self._reading: dict[socket.socket, float] = {}
        if not 0 <= port <= 65535:
            raise InputError(f"--port {port}: expected 0 to 65535; 0 is any that is free")
        try:
            self.address_family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            super().__init__((str(address[0]), int(address[1])), Handler)
        except (OSError, UnicodeError) as error:
            raise InputError(_why(host, port, error)) from None

    @property
    def address(self) -> str:
        """Of the page."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{name}:{self.server_port}/"

    def server_bind(self) -> None:
        """Without the look-up of this machine's name, which may take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.host, self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Begin a thread for a connection, or refuse it if there are too many."""
        if not self._places.acquire(timeout=_PATIENCE):
            request.settimeout(1)
            try:
                request.sendall(refusal(503, "busy: too many requests at once; try again"))
            finally:
                self.shutdown_request(request)
            return
        self._reading[request] = time.monotonic() + self._deadline
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.has_come(request)
            self._places.release()

    def has_come(self, request: socket.socket) -> None:
        """The request of a connection is complete: it has no deadline any more."""
        self._reading.pop(request, None)

    def service_actions(self) -> None:
        """Called twice a second: end the connections of clients that are too slow."""
        now = time.monotonic()
        for request, deadline in list(self._reading.items()):
            if now > deadline:
                self.has_come(request)
                _end(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone is no error; the rest is a bug."""
        if not isinstance(sys.exc_info()[1], OSError):
            traceback.print_exc()


def _end(request: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it has ended
        request.shutdown(socket.SHUT_RDWR)


def _why(host: str, port: int, error: Exception) -> str:
    """Why a host and a port cannot be used."""
    if isinstance(error, (socket.gaierror, UnicodeError)):
        return f"--host {host}: no such address; expected 127.0.0.1, or the name or address of this machine"
    number = getattr(error, "errno", None)
    if number == errno.EADDRINUSE:
        return f"--port {port}: is in use; state another one, or 0 for any that is free"
    if number == errno.EADDRNOTAVAIL:
        return f"--host {host}: is no address of this machine"
    return f"--host {host} --port {port}: {getattr(error, 'strerror', None) or error}"
