"""The one display of progress: lines where there is no terminal, a bar where there is one."""

from __future__ import annotations

import sys

import pytest

from deeplab_caffe import progress
from deeplab_caffe.progress import Progress, tracked


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until the test moves its `now`."""

    class Clock:
        now = 0.0

    monkeypatch.setattr(progress.time, "monotonic", lambda: Clock.now)
    return Clock


def test_lines_now_and_then_and_at_the_end(clock, capsys):
    for _ in tracked(range(10), "drawing"):
        clock.now += 4
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "drawing: 4 of 10 images, 4.0 s/image, 00:24 left",
        "drawing: 8 of 10 images, 4.0 s/image, 00:08 left",
        "drawing: 10 of 10 images, 4.0 s/image",
    ]


def test_items_that_cannot_tell_their_number(clock, capsys):
    assert list(tracked(iter("abc"), "reading", unit="file")) == ["a", "b", "c"]
    assert list(tracked(iter("abc"), "reading", 3, "file")) == ["a", "b", "c"]
    assert [line.split(",")[0] for line in capsys.readouterr().err.splitlines()] == [
        "reading: 3 files",
        "reading: 3 of 3 files",
    ]


def test_nothing_more_is_said_after_an_error(capsys):
    def broken():
        yield 1
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(tracked(broken(), "counting"))
    for _ in tracked(range(3), "left early"):
        break
    assert capsys.readouterr().err == ""


def test_bytes(clock, capsys):
    with Progress("a.bin", 40_000_000, 10_000_000, unit="B") as shown:
        clock.now = 20
        shown.reach(20_000_000)
    with Progress("b.bin", None, unit="B"):
        pass
    with Progress("silent", 3, shown=False) as shown:
        shown.reach(3)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "a.bin: 20.0 of 40.0 MB (50 %), 0.5 MB/s, 00:40 left"
    assert lines[-1] == "b.bin: 0.0 MB, 0.0 MB/s"


def test_a_bar_on_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert list(tracked(range(3), "scoring", unit="step")) == [0, 1, 2]
    text = capsys.readouterr().err
    assert "\r" in text and "scoring: 100%" in text and "3/3" in text and "step/s" in text
