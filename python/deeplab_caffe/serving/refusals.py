"""Which requests are refused before anything is read of them: other sites' pages, and files of unknown size."""

from __future__ import annotations

import ipaddress
import re
import socket
from email.message import Message


class Refused(Exception):
    """A request that is not answered: HTTP's status, and a message for people."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def check_host(headers: Message, own: str) -> None:
    """Refuse a request whose Host is a name of somebody else, which an attacker's page may let point to this machine.

    Addresses and localhost cannot be made to point elsewhere, whatever the port, so a tunnel works too.

    Args:
        headers: of the request.
        own: the name or address that the server was told to listen on.

    Raises:
        Refused: the Host is missing, stated twice, or foreign.

    Source: "DNS rebinding".
    """
    stated = headers.get_all("Host") or []
    name = _name_of(stated[0]) if len(stated) == 1 else ""
    if not name:
        raise Refused(400, "the header Host is missing or invalid")
    if not (_is_address(name) or name in ("localhost", own.lower(), socket.gethostname().lower())):
        raise Refused(403, "this host is not served here")


def check_origin(headers: Message) -> None:
    """Refuse a request that a page of another site makes.

    Raises:
        Refused: Origin or Sec-Fetch-Site names another site.
    """
    site, own = headers.get("Sec-Fetch-Site", "none"), (f"http://{headers['Host']}", f"https://{headers['Host']}")
    if site not in ("same-origin", "none") or headers.get("Origin", own[0]) not in own:
        raise Refused(403, "requests of other sites are not served here")


def body_length(headers: Message, most: int) -> int:
    """The stated length of a request's content in bytes.

    Raises:
        Refused: it is missing, invalid or more than `most`.
    """
    stated = headers.get_all("Content-Length") or []
    if not stated or "Transfer-Encoding" in headers:
        raise Refused(411, "the header Content-Length is missing")
    if len(stated) > 1 or not re.fullmatch(r"[0-9]{1,19}", stated[0]):
        raise Refused(400, "the header Content-Length is invalid")
    if int(stated[0]) > most:
        raise Refused(413, f"{_amount(int(stated[0]))} are too much; expected at most {_amount(most)}")
    return int(stated[0])


def _name_of(host: str) -> str:
    """The name or address in a Host such as localhost:8000 or [::1]:8000, in small letters; empty if it is invalid."""
    match = re.fullmatch(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9_.-]+))(?::\d{1,5})?", host.strip().lower())
    return (match[1] or match[2]) if match else ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _amount(count: int) -> str:
    return f"{count / (1 << 20):.4g} MB" if count >= 1 << 20 else f"{count} bytes"
