"""Fetching: what a server may do wrong ends in the right file or in one message, never in half a file."""

from __future__ import annotations

import hashlib
import re
import socket

import pytest

from deeplab_caffe.data import download as downloading
from deeplab_caffe.data.download import download
from deeplab_caffe.errors import InputError

BODY = bytes(range(256)) * 1200
MD5 = hashlib.md5(BODY).hexdigest()
SHA = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def url(server):
    server.files["/a.bin"] = BODY
    return server.address + "/a.bin"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data" / "a.bin"


def test_whole_file_with_sums(url, path, capsys):
    assert download(url, path, MD5.upper(), SHA) == path
    assert path.read_bytes() == BODY and [p.name for p in path.parent.iterdir()] == ["a.bin"]
    assert "a.bin: 0.3 of 0.3 MB (100 %)" in capsys.readouterr().err


def test_quiet(url, path, capsys):
    assert download(url, path, progress=False).read_bytes() == BODY
    assert capsys.readouterr().err == ""


def test_file_that_is_there_is_kept(server, url, path):
    path.parent.mkdir()
    path.write_bytes(BODY)
    download(url, path, MD5)
    assert server.asked == []
    path.write_bytes(b"other")
    with pytest.raises(InputError, match=rf"a\.bin: its md5 is [0-9a-f]+, not {MD5}.*Remove it"):
        download(url, path, MD5)
    assert path.read_bytes() == b"other"


@pytest.mark.parametrize("md5", [MD5, None])
def test_goes_on_after_cuts(server, url, path, md5):
    server.cuts = [100_000, 50_000, 1, 0, 7, 0, 0, None]
    assert download(url, path, md5).read_bytes() == BODY
    assert server.asked[:4] == [None, "bytes=100000-", "bytes=150000-", "bytes=150001-"]


def test_next_call_goes_on_only_if_a_sum_tells(server, url, path):
    path.parent.mkdir()
    part = path.with_name("a.bin.part")
    part.write_bytes(BODY[:1000])
    download(url, path, MD5)
    path.unlink()
    part.write_bytes(b"x" * 1000)
    assert download(url, path).read_bytes() == BODY
    assert server.asked == ["bytes=1000-", None]


def test_all_was_there_already(server, url, path):
    path.parent.mkdir()
    path.with_name("a.bin.part").write_bytes(BODY)
    assert download(url, path, MD5).read_bytes() == BODY
    path.unlink()
    path.with_name("a.bin.part").write_bytes(BODY + b"more")
    assert download(url, path, MD5).read_bytes() == BODY
    assert server.asked == [f"bytes={len(BODY)}-", f"bytes={len(BODY) + 4}-", None]


@pytest.mark.parametrize("ranges", ["ignored", "wrong"])
def test_server_without_ranges(server, url, path, ranges):
    server.ranges, server.cuts = ranges, [1000, None, None]
    assert download(url, path, MD5).read_bytes() == BODY
    assert server.asked[:2] == [None, "bytes=1000-"]


def test_file_that_changes_meanwhile_is_begun_again(server, url, path, monkeypatch):
    server.cuts = [1000]
    new = BODY[::-1]

    def change(seconds):
        server.files["/a.bin"], server.etag = new, '"2"'

    monkeypatch.setattr(downloading.time, "sleep", change)
    assert download(url, path).read_bytes() == new


def test_nothing_to_tell_the_version_by_means_a_fresh_beginning(server, url, path):
    server.cuts, server.etag = [1000], None
    assert download(url, path).read_bytes() == BODY
    assert server.asked == [None, None]


def test_gives_up_and_keeps_the_part(server, url, path):
    server.cuts = [1000] + [0] * 9
    with pytest.raises(InputError, match=r"closed after 1000 of 307200 bytes; gave up after 3.*kept in .*a\.bin\.part"):
        download(url, path, MD5)
    assert path.with_name("a.bin.part").read_bytes() == BODY[:1000] and not path.exists()


def test_busy_server(server, url, path):
    server.codes = [503, 429]
    assert download(url, path).read_bytes() == BODY


def test_wrong_sum_removes_the_part(server, url, path):
    with pytest.raises(InputError, match=rf"its md5 is {MD5}, not 0+\. It was removed.*put it at .*a\.bin"):
        download(url, path, "0" * 32)
    assert list(path.parent.iterdir()) == []


def test_not_found(server, url, path):
    message = r"/b\.bin: the server answered 404 Not Found\. Download .* put it at .*a\.bin"
    with pytest.raises(InputError, match=message):
        download(server.address + "/b.bin", path, MD5)
    assert len(server.asked) == 1 and list(path.parent.iterdir()) == []


def test_refused(path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(InputError, match=r"cannot be reached \(Connection refused\)\. Download"):
            download(f"http://127.0.0.1:{unused.getsockname()[1]}/a", path)


def test_file_addresses(tmp_path, path):
    (tmp_path / "there").write_bytes(BODY)
    assert download((tmp_path / "there").as_uri(), path, MD5).read_bytes() == BODY
    with pytest.raises(InputError, match="cannot be reached .*No such file"):
        download((tmp_path / "absent").as_uri(), tmp_path / "b")


def test_other_schemes(path):
    for address in ("ftp://127.0.0.1/a", "data:,a", "/etc/hosts"):
        with pytest.raises(InputError, match="expected an http, https or file URL"):
            download(address, path)


def test_no_room(url, path, monkeypatch):
    monkeypatch.setattr(downloading.shutil, "disk_usage", lambda place: type("Usage", (), {"free": 5}))
    with pytest.raises(InputError, match=r"307200 bytes to download, but only 5 bytes are free in "):
        download(url, path)


def test_folder_that_cannot_be_written(tmp_path, url):
    (tmp_path / "data").write_text("a file")
    with pytest.raises(InputError, match="cannot write"):
        download(url, tmp_path / "data" / "a.bin")


def test_lines_on_the_way(url, path, capsys, monkeypatch):
    monkeypatch.setattr("deeplab_caffe.progress.LINE_SECONDS", 0.0)
    download(url, path)
    first, *_, last = capsys.readouterr().err.splitlines()
    assert re.match(r"a\.bin: 0\.\d of 0\.3 MB \(\d\d? %\), ", first) and first.endswith(" left")
    assert "(100 %)" in last


def test_a_server_that_sends_too_much_or_too_slowly(url, path, monkeypatch):
    with pytest.raises(InputError, match="sends more than 0 MB, the most that is expected"):
        download(url, path, limit=1000)
    assert not path.exists() and not path.with_name("a.bin.part").exists()
    monkeypatch.setattr("deeplab_caffe.data.download.SLOW_SECONDS", 0.0)
    monkeypatch.setattr("deeplab_caffe.data.download.SLOW_BYTES", 1e15)
    with pytest.raises(InputError, match=r"the server is too slow: \d+ bytes in 0 s"):
        download(url, path)
