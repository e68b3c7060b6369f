"""Mutated real files give clean errors or are read; `python tests/fuzz.py` tries many more."""

from __future__ import annotations

from pathlib import Path

import pytest

import fuzz
from deeplab_caffe.caffe import log


def test_mutated_files_are_read_or_refused(tmp_path: Path) -> None:
    log.set_stderr(False)
    try:
        assert list(fuzz.run(1500, seed=1, folder=tmp_path)) == []
    finally:
        log.set_stderr(True)


def test_a_fault_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(path: Path) -> None:
        raise IndexError("out of range")

    monkeypatch.setattr(fuzz, "targets", lambda: [("txt", broken, b"abc")])
    ((reader, _, what),) = fuzz.run(1, seed=0, folder=tmp_path)
    assert (reader, what) == ("broken", "IndexError: out of range")
