"""A served model of three classes, each the brightest of a pixel's channels, and a client that may misbehave."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import small_nets as nets
from deeplab_caffe import Segmenter, caffe
from deeplab_caffe.serving import PageServer, Service

CLASSES = ("blue", "green", "red")
CRF = {
    "w1": 4,
    "sigma_alpha": 20,
    "sigma_beta": 30,
    "w2": 3,
    "sigma_gamma": 2,
    "iterations": 5,
    "normalization": "after",
}
_DATASET = """name = "colours"
title = "Colours"
root = "."
classes = ["blue", "green", "red"]
palette = [[0, 0, 200], [0, 200, 0], [200, 0, 0]]
ignore_label = 255
mean = [100.0, 100.0, 100.0]

[lists]
"""


@dataclass
class Reply:
    """An answer: its status, headers in small letters, and content."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        assert self.headers["content-type"] == "application/json" and self.body.count(b"\n") == 1
        return json.loads(self.body)


class Client:
    """Speaks to a server over a socket of its own for each request."""

    def __init__(self, server: PageServer) -> None:
        self.server = server

    def raw(self, *parts: bytes) -> bytes:
        """All that the server answers to these bytes."""
        with socket.create_connection(("127.0.0.1", self.server.server_port), 20) as connection:
            for part in parts:
                connection.sendall(part)
            return b"".join(iter(lambda: connection.recv(1 << 16), b""))

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Reply:
        stated = {"Host": f"127.0.0.1:{self.server.server_port}"}
        stated |= {} if body is None else {"Content-Length": str(len(body))}
        stated |= {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in stated.items() if value != "-")]
        return reply(self.raw("\r\n".join([*lines, "", ""]).encode(), body or b""), method != "HEAD")

    def add(self, picture: bytes | None = None) -> dict[str, Any]:
        """What the server says of a photo."""
        found = self.ask("POST", "/photos", photo() if picture is None else picture)
        assert found.status == 200, found.body
        return found.json()

    def labels(self, name: str, crf: Any = None, number: int = 0) -> Reply:
        return self.ask("POST", f"/photos/{name}/labels?number={number}", json.dumps(crf).encode())


def reply(raw: bytes, has_content: bool = True) -> Reply:
    head, _, body = raw.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:])
    assert int(headers["content-length"]) == len(body) or not has_content
    return Reply(int(lines[0].split()[1]), headers, body)


def photo(height: int = 30, width: int = 40, suffix: str = ".png", seed: int = 0) -> bytes:
    """A noisy photo, blue at the left and red at the right."""
    pixels = np.random.default_rng(seed).integers(0, 90, (height, width, 3))
    pixels[:, : width // 2, 0] += 60
    pixels[:, width // 2 :, 2] += 60
    return cv2.imencode(suffix, pixels.astype(np.uint8))[1].tobytes()


def until(condition: Callable[[], object]) -> None:
    """Wait until a condition is true."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture(scope="session")
def model_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with deploy.prototxt, x.caffemodel and colours.toml."""
    folder = tmp_path_factory.mktemp("colours")
    text = nets.net(nets.image("33x33", 3), nets.conv("scores", "data", "kernel_size: 1", 3))
    (folder / "deploy.prototxt").write_text(text)
    (folder / "colours.toml").write_text(_DATASET)
    net = caffe.Net(str(folder / "deploy.prototxt"), caffe.TEST)
    net.params["scores"][0].data[...] = np.eye(3, dtype=np.float32)[:, :, None, None] / 40
    net.params["scores"][1].data[...] = 0
    net.save(str(folder / "x.caffemodel"))
    return folder


@pytest.fixture(scope="session")
def segmenter(model_files: Path) -> Segmenter:
    return Segmenter.from_files(*(model_files / name for name in ("deploy.prototxt", "x.caffemodel", "colours.toml")))


@pytest.fixture
def client(segmenter: Segmenter, request: pytest.FixtureRequest) -> Iterator[Client]:
    """Of a server; indirect parameters are arguments of `PageServer`."""
    with PageServer("127.0.0.1", 0, **getattr(request, "param", {})) as server:
        server.service = Service(segmenter, command=("--exp", "demo"))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield Client(server)
        server.shutdown()
        thread.join()
        server.service.close()
