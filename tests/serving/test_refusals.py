"""What the server refuses: other sites' pages, other addresses and methods, hostile files, parameters that are none."""

from __future__ import annotations

import json
import socket
import struct
import zlib

import pytest

from serving.conftest import CRF, Client, photo, until


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "", "a b", "localhost:x", "-"]
)
def test_a_foreign_host_is_refused(client: Client, host: str) -> None:
    """A page of another site whose name was made to point to this machine."""
    found = client.ask("GET", "/model", Host=host)
    assert found.status in (400, 403) and "error" in found.json()


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9000", "127.0.0.1:1", "[::1]:8000", "192.168.1.7:80"])
def test_addresses_and_this_machine_are_served_through_any_port(client: Client, host: str) -> None:
    assert client.ask("GET", "/model", Host=host).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_a_page_of_another_site_cannot_send_anything(client: Client, headers: dict[str, str]) -> None:
    found = client.ask("POST", "/photos", photo(), **headers)
    assert found.status == 403 and found.json()["error"] == "requests of other sites are not served here"


def test_the_page_itself_can_send(client: Client) -> None:
    own = f"http://127.0.0.1:{client.server.server_port}"
    assert client.ask("POST", "/photos", photo(), Origin=own, Sec_Fetch_Site="same-origin").status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd", "/..%2f..%2fetc/passwd", "/page/serve.html", "//etc/passwd", "//[", "/serve.css/",
        "/serve.css\\x",
        "/photos/../model", "/photos/x.png", "/%00", "/photos/" + "A" * 22 + ".png", "*", "http://evil.example/",
    ],
)  # fmt: skip
def test_there_is_nothing_but_the_page(client: Client, path: str) -> None:
    found = client.ask("GET", path)
    assert found.status == 404 and "error" in found.json()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/photos", 405), ("POST", "/", 405), ("POST", "/model", 405), ("PUT", "/photos", 501),
        ("HEAD", "/photos", 405),
        ("DELETE", "/", 501), ("OPTIONS", "/photos", 501), ("TRACE", "/", 501), ("CONNECT", "/", 501),
    ],
)  # fmt: skip
def test_other_methods_are_refused(client: Client, method: str, path: str, status: int) -> None:
    assert client.ask(method, path, b"" if method == "POST" else None).status == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 411),
        ({"Content_Length": "x"}, 400),
        ({"Content_Length": "-5"}, 400),
        ({"Content_Length": "99999999999999999999999"}, 400),
        ({"Content_Length": "999999999999"}, 413),
        ({"Content_Length": "5", "Transfer_Encoding": "chunked"}, 411),
    ],
)
def test_a_body_of_unknown_or_huge_length_is_refused(client: Client, headers: dict[str, str], status: int) -> None:
    found = client.ask("POST", "/photos", None, **headers)
    assert found.status == status and "error" in found.json()


def test_the_answer_to_a_file_that_is_too_large_can_be_read(client: Client) -> None:
    found = client.ask("POST", "/photos", bytes(34 << 20))
    assert found.status == 413 and found.json()["error"] == "34 MB are too much; expected at most 32 MB"


def test_the_content_is_asked_for_only_if_it_is_taken(client: Client) -> None:
    head = "POST /photos HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n"
    assert client.raw(head.format(1 << 40).encode()).startswith(b"HTTP/1.1 413")
    body = photo()
    assert client.raw(head.format(len(body)).encode(), body).startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200")


@pytest.mark.parametrize(
    "raw",
    [
        b"\x00\xff\x16\x03\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n",
    ],
)
def test_what_is_no_request_gets_an_error(client: Client, raw: bytes) -> None:
    answer = client.raw(raw)
    assert b'{"error":' in answer and b"<" not in answer and b"Traceback" not in answer


def test_a_client_that_leaves_in_the_middle_leaves_nothing_behind(
    client: Client, capfd: pytest.CaptureFixture[str]
) -> None:
    client_head = b"POST /photos HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", client.server.server_port)) as connection:
        connection.sendall(client_head + b"half")
    with socket.create_connection(("127.0.0.1", client.server.server_port)) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.sendall(client_head + b"half")  # and a reset
    until(lambda: not client.server._reading)
    assert client.ask("GET", "/").status == 200
    assert capfd.readouterr().err == ""


def huge_png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not an image that can be read"),
        (b"this is a text\n", "not an image that can be read; expected JPEG, PNG, WebP, TIFF"),
        (
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n%%EOF\n",
            "not an image that can be",
        ),
        (photo(suffix=".jpg")[:-300], "cannot read the image: image file is truncated"),
        (photo()[:-300], "cannot read the image"),
        (huge_png(60000, 60000), "has very many pixels; expected at most 50 million pixels"),
        (huge_png(10000, 6000), "has 10000 × 6000 pixels; expected at most 50 million pixels"),
        (huge_png(5000, 5000), "cannot read the image"),
    ],
)
def test_a_hostile_file_gets_one_line(
    client: Client, data: bytes, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    found = client.ask("POST", "/photos", data)
    said = found.json()["error"]
    assert found.status == 400 and said.startswith("the photo: ") and message in said
    assert "/" not in said and "0x" not in said and "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize(
    ("crf", "message"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 4000, "not JSON"),
        (b"[1]", "expected a JSON object"),
        (json.dumps({**CRF, "w3": 1}).encode(), "unknown w3"),
        (json.dumps({**CRF, "w1": "much"}).encode(), "w1"),
        (json.dumps({**CRF, "sigma_beta": 0}).encode(), "sigma_beta"),
        (json.dumps({**CRF, "sigma_alpha": 1e-9}).encode(), "too small"),
        (json.dumps({**CRF, "iterations": 10**9}).encode(), "at most 100"),
        (b"x" * 5000, "too much"),
    ],
)
def test_invalid_parameters_get_one_line(client: Client, crf: bytes, message: str) -> None:
    name = client.add()["id"]
    found = client.ask("POST", f"/photos/{name}/labels", crf)
    assert found.status in (400, 413) and message in found.json()["error"]
    assert client.labels(name, CRF).status == 200


def test_a_fault_of_ours_shows_no_traceback(
    client: Client, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(client.server.service, "_segmented", lambda data: 1 / 0)
    found = client.ask("POST", "/photos", photo())
    assert found.status == 500 and found.json()["error"].startswith("internal error")
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_before_the_model_is_loaded(client: Client) -> None:
    service, client.server.service = client.server.service, None
    assert client.ask("GET", "/model").status == 503
    client.server.service = service
