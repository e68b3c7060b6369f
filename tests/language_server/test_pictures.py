"""The picture in a browser: who may see it, and that it follows the cursor and is drawn again."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path

import pytest
from lsprotocol import types

from chromium import browser, in_chromium
from deeplab_caffe.language_server.pictures.drawing import layer_at
from deeplab_caffe.language_server.pictures.server import HOST, PictureServer
from deeplab_caffe.language_server.server import PrototxtServer
from language_server.texts import at_mark

NET = """name: "net"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: [1, 3, 99, 99] } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param { num_output: 2 kernel_size: 3 } }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { kernel_size: 3 } }
"""


@pytest.fixture(scope="module")
def pictures() -> Iterator[PictureServer]:
    found = PictureServer(lambda path: f"<html><body>{path}<script>\n</script></body></html>")
    yield found
    found.close()


def asked(address: str, path: str = "", **headers: str) -> tuple[int, str, str]:
    """Status, content and security policy of the answer to a request."""
    host, _, rest = address.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(host, timeout=10)
    connection.request("GET", f"/{rest}{path}", headers={k.replace("_", "-"): v for k, v in headers.items()})
    answer = connection.getresponse()
    found = answer.status, answer.read().decode(), answer.headers["Content-Security-Policy"]
    connection.close()
    return found


def test_a_page_allows_its_own_scripts_alone(pictures: PictureServer) -> None:
    address = pictures.open("/a")
    status, page, policy = asked(address)
    nonce = policy.partition("'nonce-")[2].partition("'")[0]
    assert status == 200 and "/a" in page
    assert page.count("<script") == page.count(f'<script nonce="{nonce}"') == 2
    assert asked(address)[2] != policy
    assert asked(address, "live.js")[0] == 200
    assert pictures.open("/a") == address != pictures.open("/b")


@pytest.mark.parametrize(
    "path, headers, status",
    [
        ("other", {}, 404),
        ("../", {}, 404),
        ("", {"Host": "evil.example"}, 403),
        ("events", {"Origin": "http://evil.example"}, 403),
        ("live.js", {"Sec_Fetch_Site": "cross-site"}, 403),
    ],
)
def test_others_see_nothing(pictures: PictureServer, path: str, headers: dict[str, str], status: int) -> None:
    address = pictures.open("/a")
    assert asked(address, path, **headers)[0] == status


def test_the_address_cannot_be_guessed(pictures: PictureServer) -> None:
    address = pictures.open("/a")
    assert address.startswith(f"http://{HOST}:")
    token = address.rstrip("/").rpartition("/")[2]
    assert len(token) == 32
    assert asked(address.replace(token, token[::-1]))[0] == asked(address.replace(token + "/", ""))[0] == 404


def test_the_layer_around_the_cursor() -> None:
    assert layer_at(*at_mark(NET.replace("num_output", "num_|output"))) == "conv"
    assert layer_at(*at_mark("|" + NET)) == ""


@in_chromium
def test_the_page_follows_the_cursor_and_the_text(tmp_path: Path) -> None:
    server = PrototxtServer()
    path = tmp_path / "train one.prototxt"
    uri = path.as_uri()
    buffer = server.workspace_of_nets.open(uri, NET, 1)
    now = "document.documentElement?.dataset"
    address = server.pictures.open(str(path))
    server.cursor_moved(uri, types.Position(2, 9))
    try:
        with browser(tmp_path / "profile") as chromium:
            tab = chromium.tab()
            tab.open(address)
            tab.until(f"{now}.layer === 'conv'")
            assert tab.run("document.querySelector('.node.selected').dataset.layer") == "conv"
            tab.run("zoom(0.5)")
            scale = tab.run("view.k")
            server.cursor_moved(uri, types.Position(3, 9))
            tab.until(f"{now}.layer === 'pool'")
            assert "1×2×95×95" in tab.run("document.body.textContent")
            server.workspace_of_nets.open(uri, NET.replace("kernel_size: 3", "kernel_size: 5"), 2)
            server.pictures.redraw(str(path))
            tab.until(f"{now}.edition === '2' && {now}.layer === 'pool'")
            assert "1×2×91×91" in tab.run("document.body.textContent")
            assert abs(tab.run("view.k") - scale) < 0.01
            server.workspace_of_nets.open(uri, "layer { name: }", 3)
            server.pictures.redraw(str(path))
            tab.until("!!document.querySelector('#failed')")
            server.workspace_of_nets.open(uri, buffer.text, 4)
            server.pictures.redraw(str(path))
            tab.until(f"{now}.edition === '4' && {now}.layer === 'pool'")
            assert tab.errors == []
    finally:
        server.pictures.close()
