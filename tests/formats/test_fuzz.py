"""Damaged real files give clean errors or are read; `python tests/fuzz.py` tries many more."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

import fuzz
from deeplab_caffe.caffe import log
from deeplab_caffe.errors import InputError
from fuzz_readers import Target, targets


@pytest.fixture(autouse=True)
def _quiet():
    log.set_stderr(False)
    yield
    log.set_stderr(True)


def test_damaged_files_are_read_or_refused(tmp_path: Path) -> None:
    assert list(fuzz.run(25, seed=1, folder=tmp_path)) == []


def test_the_files_are_read_before_they_are_damaged(tmp_path: Path) -> None:
    for target in targets(tmp_path):
        path = tmp_path / target.name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(target.original)
        target.read(path)


def _broken(path: Path) -> None:
    raise IndexError("out of range")


def _anonymous(path: Path) -> None:
    raise InputError("damaged")


def _dies(path: Path) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


@pytest.mark.parametrize(
    ("reader", "what"),
    [(_broken, "IndexError: out of range"), (_anonymous, "names no file: damaged"), (_dies, "killed by signal 11")],
)
def test_a_fault_would_be_seen(tmp_path: Path, reader, what: str) -> None:
    outcome = fuzz.run_apart(Target("reader", "file.txt", reader, b"abc"), 2, 0, tmp_path)
    assert [said for _, said in outcome.faults] == [what, what]


def test_a_mistake_of_the_reader_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "_PACKAGE", str(Path(__file__).parent.parent))
    monkeypatch.setattr(fuzz, "_MISTAKES", (TypeError, AttributeError))

    def hides(path: Path) -> None:
        try:
            fuzz.mutated(b"abc", None)  # type: ignore[arg-type]
        except AttributeError as error:
            raise InputError(f"{path}: damaged") from error

    assert fuzz.fault(Target("", "", hides, b""), tmp_path / "a", b"").startswith("AttributeError, hidden: ")
