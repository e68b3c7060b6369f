"""The server over real sockets: what it answers, and what it refuses."""

from __future__ import annotations

import gzip
import io
import json
import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from PIL import Image

from deeplab_caffe import Segmenter
from deeplab_caffe.crf import CRFParameters
from deeplab_caffe.errors import InputError
from deeplab_caffe.serving import Limits, PageServer, Service
from deeplab_caffe.serving import photos as serving_photos
from serving.conftest import CLASSES, CRF, Client, photo, reply, until


def labels_of(segmenter: Segmenter, data: bytes, crf: CRFParameters | None = None) -> np.ndarray:
    image = cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    found = segmenter.predict(image)
    return (found if crf is None else found.refined(crf)).labels


# -- what it answers


def test_labels_are_those_of_predict(client: Client, segmenter: Segmenter) -> None:
    said = client.add()
    assert (said["width"], said["height"], said["classes"]) == (40, 30, list(CLASSES))
    for crf in (None, CRF, {**CRF, "w1": 9}, {**CRF, "sigma_gamma": 4}, CRF):
        found = client.labels(said["id"], crf)
        assert found.status == 200 and found.headers["server-timing"].startswith("crf;dur=")
        wanted = labels_of(segmenter, photo(), crf and CRFParameters(**crf))
        assert found.body == wanted.tobytes()


def test_the_photo_and_the_label_map_are_pngs(client: Client, segmenter: Segmenter) -> None:
    name = client.add()["id"]
    shown = client.ask("GET", f"/photos/{name}.png")
    assert shown.headers["content-type"] == "image/png"
    assert np.array_equal(
        np.asarray(Image.open(io.BytesIO(shown.body))), cv2.imdecode(np.frombuffer(photo(), np.uint8), 1)[:, :, ::-1]
    )
    saved = client.ask("POST", f"/photos/{name}/labels.png", json.dumps(CRF).encode())
    with Image.open(io.BytesIO(saved.body)) as image:
        assert image.mode == "P" and image.getpalette()[:9] == [0, 0, 200, 0, 200, 0, 200, 0, 0]
        assert np.array_equal(np.asarray(image), labels_of(segmenter, photo(), CRFParameters(**CRF)))


def test_labels_are_compressed_for_those_who_can_read_it(client: Client) -> None:
    address = f"/photos/{client.add()['id']}/labels"
    plain, packed = (
        client.ask("POST", address, b"null"),
        client.ask("POST", address, b"null", Accept_Encoding="gzip, br"),
    )
    assert packed.headers["content-encoding"] == "gzip" and gzip.decompress(packed.body) == plain.body


def test_what_the_page_is_told(client: Client) -> None:
    said = client.ask("GET", "/model").json()
    assert said["command"] == ["--exp", "demo"] and not said["found"] and "DeepLab-MSc" in said["presets"]
    assert said["colours"][:3] == [[0, 0, 200], [0, 200, 0], [200, 0, 0]]


@pytest.mark.parametrize("path", ["/", "/serve.css", "/serve.js", "/picture.js", "/controls.js"])
def test_the_page_may_load_nothing_from_elsewhere(client: Client, path: str) -> None:
    found = client.ask("GET", path)
    assert found.status == 200 and found.headers["x-content-type-options"] == "nosniff"
    assert found.headers["cache-control"] == "no-store" and found.headers["connection"] == "close"
    policy = found.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
    assert not re.findall(rb"(?:https?:)?//[a-z]|style=", found.body.replace(b"// ", b""))


def test_head_is_a_get_without_its_content(client: Client) -> None:
    for path in ("/", "/model", "/nothing"):
        wanted, found = (client.ask(method, path) for method in ("GET", "HEAD"))
        assert found.body == b"" and found.status == wanted.status
        assert {**found.headers, "date": ""} == {**wanted.headers, "date": ""}


def test_a_large_photo_is_reduced(segmenter: Segmenter) -> None:
    service = Service(segmenter, Limits(side=20))
    said = service.add(photo(30, 40))
    assert (said["width"], said["height"], said["sent"]) == (20, 15, {"width": 40, "height": 30})
    assert service.labels(said["id"], None).shape == (15, 20)
    service.close()


def test_a_turned_photo_is_upright(client: Client) -> None:
    file, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    Image.open(io.BytesIO(photo())).save(file, "JPEG", exif=exif)
    said = client.add(file.getvalue())
    assert (said["width"], said["height"]) == (30, 40)


def test_photos_that_were_not_used_for_long_are_forgotten(
    segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving_photos, "_PHOTOS", 50_000)
    service = Service(segmenter)
    names = [service.add(photo(seed=seed))["id"] for seed in range(4)]
    assert service.labels(names[-1], None).shape == (30, 40)
    with pytest.raises(serving_photos.Unknown, match="send it again"):
        service.labels(names[0], None)
    service.close()


# -- many at once


def test_ten_photos_at_once(client: Client, segmenter: Segmenter) -> None:
    def one(seed: int) -> bool:
        data = photo(20 + seed, 40, ".png", seed)
        found = client.labels(client.add(data)["id"], CRF).body
        return found == labels_of(segmenter, data, CRFParameters(**CRF)).tobytes()

    with ThreadPoolExecutor(10) as pool:
        assert all(pool.map(one, range(10)))


class Slow:
    """Holds the worker of a service until it is let go."""

    def __init__(self, service: Service) -> None:
        self.free, self.began = threading.Event(), threading.Event()
        self._done = threading.Thread(target=service._in_turn, args=(self._wait, lambda: True))
        self._done.start()
        assert self.began.wait(10)

    def _wait(self) -> None:
        self.began.set()
        assert self.free.wait(10)

    def let_go(self) -> None:
        self.free.set()
        self._done.join()


def test_only_the_newest_setting_is_computed(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    service, name = client.server.service, client.add()["id"]
    assert service is not None
    computed = []
    refined = service._refined
    monkeypatch.setattr(service, "_refined", lambda *given: computed.append(given[2].w1) or refined(*given))
    slow = Slow(service)
    with ThreadPoolExecutor(5) as pool:
        begun = [pool.submit(client.labels, name, {**CRF, "w1": number}, number) for number in range(1, 6)]
        until(lambda: service._photo(name).newest == 5 and service._worker._work_queue.qsize() == 5)
        slow.let_go()
        statuses = [one.result().status for one in begun]
    assert statuses == [409] * 4 + [200] and computed == [5]


def test_what_nobody_waits_for_is_not_computed(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    service, segmented = client.server.service, []
    assert service is not None
    monkeypatch.setattr(service, "_segmented", lambda data: segmented.append(data))
    slow = Slow(service)
    body = photo()
    with socket.create_connection(("127.0.0.1", client.server.server_port)) as connection:
        connection.sendall(
            f"POST /photos HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        )
        until(lambda: service._worker._work_queue.qsize() == 1)
    slow.let_go()
    service._in_turn(lambda: None, lambda: True)
    assert not segmented


@pytest.mark.parametrize("client", [{"connections": 2}], indirect=True)
def test_too_many_connections_are_refused(client: Client) -> None:
    held = [socket.create_connection(("127.0.0.1", client.server.server_port)) for _ in range(2)]
    until(lambda: len(client.server._reading) == 2)
    assert reply(client.raw()).status == 503
    for connection in held:
        connection.close()
    until(lambda: not client.server._reading)
    assert client.ask("GET", "/").status == 200


@pytest.mark.parametrize("client", [{"deadline": 0.1}], indirect=True)
@pytest.mark.parametrize(
    "begin", [b"", b"GET / HT", b"POST /photos HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nabc"]
)
def test_a_slow_client_is_not_waited_for(client: Client, begin: bytes) -> None:
    began = time.monotonic()
    assert client.raw(begin) == b"" and time.monotonic() - began < 5


# -- where it listens


@pytest.mark.parametrize(
    ("host", "port", "message"),
    [
        ("no such host", 0, "--host no such host: no such address"),
        ("." * 3, 0, "--host ...: no such address"),
        ("127.0.0.1", 70000, "--port 70000: expected 0 to 65535"),
        ("127.0.0.1", -1, "--port -1: expected 0 to 65535"),
        ("192.0.2.1", 0, "--host 192.0.2.1: is no address of this machine"),
    ],
)
def test_where_it_cannot_listen(host: str, port: int, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        PageServer(host, port)


def test_a_port_in_use(client: Client) -> None:
    port = client.server.server_port
    with pytest.raises(InputError, match=f"--port {port}: is in use; state another one, or 0"):
        PageServer("127.0.0.1", port)


def test_who_waits_when_the_server_ends_gets_an_answer(client: Client, capfd: pytest.CaptureFixture[str]) -> None:
    service = client.server.service
    assert service is not None
    slow = Slow(service)
    with ThreadPoolExecutor(2) as pool:
        begun = [pool.submit(client.ask, "POST", "/photos", photo()) for _ in range(2)]
        until(lambda: service._worker._work_queue.qsize() == 2)
        service.close()
        answers = [one.result() for one in begun] + [client.ask("POST", "/photos", photo())]
    assert all(one.status == 409 and one.json()["error"] == "the server is ending" for one in answers)
    slow.let_go()
    assert capfd.readouterr().err == ""
