"""One writer at a time: who holds a lock is told, and a lock that nobody holds is none."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from deeplab_caffe import cli
from deeplab_caffe.crf.search.journal import Journal
from deeplab_caffe.data.download import download
from deeplab_caffe.errors import InputError
from deeplab_caffe.locks import LOCK_FILE, locked, locked_folder

_HOLD = """
import sys
from deeplab_caffe.locks import locked
with locked(sys.argv[1], "it is in use"):
    print("held", flush=True)
    sys.stdin.read()
"""


class _Holder:
    """Another process that holds a lock."""

    def __init__(self, path: Path) -> None:
        command = [sys.executable, "-c", _HOLD, str(path)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"held\n"

    def end(self, number: int = signal.SIGKILL) -> None:
        self.process.send_signal(number)
        self.process.communicate()


@pytest.fixture
def hold() -> Iterator:
    """`hold(path)`: another process that holds the lock of this path."""
    holders: list[_Holder] = []

    def call(path: Path) -> _Holder:
        holders.append(_Holder(path))
        return holders[-1]

    yield call
    for holder in holders:
        holder.end()


def test_the_holder_is_told_and_a_killed_one_holds_nothing(tmp_path, hold):
    path = tmp_path / "lock"
    holder = hold(path)
    who = rf"it is in use \(process {holder.process.pid} on {platform.node()}, since 20.*: -c .*lock\); wait until"
    with pytest.raises(InputError, match=who), locked(path, "it is in use"):
        pass
    holder.end(signal.SIGKILL)
    assert path.exists()
    with locked(path, "it is in use"):
        assert json.loads(path.read_text())["pid"] == os.getpid()
        with pytest.raises(InputError, match=f"process {os.getpid()} "), locked(path, "it is in use"):
            pass
    assert not path.exists()


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"pid": "1"}', '{"pid": -1}', '{"pid": 1e99}', "[" * 5000, "\0\xff"]
)
def test_a_file_that_was_left_is_no_lock(tmp_path, content):
    (tmp_path / LOCK_FILE).write_text(content)
    with locked_folder(tmp_path, "it is in use"):
        pass
    assert os.listdir(tmp_path) == []


def test_without_locks_in_the_file_system_the_process_counts(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_):
        raise OSError("no locks here")

    monkeypatch.setattr(fcntl, "flock", refuse)
    path = tmp_path / "lock"
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for holder, is_held in (
        ({"pid": os.getpid(), "host": platform.node()}, True),
        ({"pid": dead.pid, "host": platform.node()}, False),
        ({"pid": dead.pid, "host": "elsewhere"}, True),
    ):
        path.write_text(json.dumps(holder))
        if is_held:
            with pytest.raises(InputError, match="it is in use"), locked(path, "it is in use"):
                pass
        else:
            with locked(path, "it is in use"):
                pass


def test_control_characters_of_a_lock_are_not_printed(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["deeplab", "train", "a\x1b[31m\nb"])
    with (
        locked(tmp_path / "lock", "it is in use"),
        pytest.raises(InputError) as error,
        locked(tmp_path / "lock", "it is in use"),
    ):
        pass
    assert str(error.value).isprintable()


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "precious").write_text("x")
    (tmp_path / "lock").symlink_to("precious")
    with pytest.raises(OSError), locked(tmp_path / "lock", "it is in use"):
        pass
    assert (tmp_path / "precious").read_text() == "x"


# -- what is locked


def test_a_download(tmp_path, hold):
    (tmp_path / "source").write_text("x")
    hold(tmp_path / ".target.lock")
    with pytest.raises(InputError, match="target is being fetched already"):
        download((tmp_path / "source").as_uri(), tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_a_search(tmp_path, hold):
    hold(tmp_path / ".search.journal.lock")
    with pytest.raises(InputError, match="another search is using this journal"):
        Journal(tmp_path / "search.journal")


def test_a_batch(tmp_path, hold, capsys, monkeypatch):
    for folder in ("scores", "images", "out"):
        (tmp_path / folder).mkdir()
    np.save(tmp_path / "scores/a.npy", np.zeros((2, 4, 4), np.float32))
    cv2.imwrite(str(tmp_path / "images/a.png"), np.zeros((4, 4, 3), np.uint8))
    holder = hold(tmp_path / "out" / LOCK_FILE)
    words = ["crf", "--scores", "scores", "--images", "images", "-o", "out"]
    monkeypatch.chdir(tmp_path)
    assert cli.main(words) == 2
    said = capsys.readouterr().err
    assert f"another batch is writing into {Path('out').absolute()} (process {holder.process.pid}" in said
    assert os.listdir("out") == [LOCK_FILE]
