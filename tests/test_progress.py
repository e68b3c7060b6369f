"""The one display of progress: lines where there is no terminal, a bar where there is one."""

from __future__ import annotations

import io
import os
import sys

import pytest

from deeplab_caffe import progress
from deeplab_caffe.progress import LiveLine, Part, Progress, fitting, tracked


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


# -- one line that changes


class Screen(io.StringIO):
    """A terminal of some columns, with what was drawn last."""

    def isatty(self) -> bool:
        return True

    @property
    def line(self) -> str:
        return self.getvalue().rpartition("\r")[2]


PARTS = [Part("train 7/40", 0), Part("loss 0.5", 1), Part("mean IoU 12.5 %", 3), Part("00:12 left", 2)]


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (60, "train 7/40  loss 0.5  mean IoU 12.5 %  00:12 left"),
        (49, "train 7/40  loss 0.5  mean IoU 12.5 %  00:12 left"),
        (48, "train 7/40  loss 0.5  00:12 left"),
        (31, "train 7/40  loss 0.5"),
        (12, "train 7/40"),
        (5, "train"),
    ],
)
def test_a_narrow_line_has_the_important_parts(width, line):
    assert fitting(PARTS, width) == line


def test_a_line_is_drawn_over_itself_and_never_wraps(clock, monkeypatch):
    columns = [50]
    monkeypatch.setattr(progress.os, "get_terminal_size", lambda number: os.terminal_size((columns[0], 24)))
    monkeypatch.setattr(Screen, "fileno", lambda self: 2)
    screen = Screen()
    line = LiveLine(screen)
    line.say(lambda: PARTS)
    assert screen.line == fitting(PARTS, 49)
    clock.now = 0.1
    line.update(lambda: PARTS[:1])  # too early
    assert screen.line == fitting(PARTS, 49)
    columns[0], clock.now = 40, 1
    line.update(lambda: PARTS[:2])
    assert screen.line == "train 7/40  loss 0.5".ljust(39)  # nothing of the longer one stays
    line.note("not for a terminal")
    line.end(lambda: PARTS[:2])
    assert screen.getvalue().endswith("train 7/40  loss 0.5\n") and "not for" not in screen.getvalue()


def test_plain_lines_come_now_and_then_and_the_last_one_in_any_case(clock):
    stream = io.StringIO()
    line = LiveLine(stream, seconds=10)
    for now in (0, 4, 9, 11, 15):
        clock.now = now
        line.update(lambda: [Part("not this", 0)])
        line.say(lambda now=now: [Part(f"at {now}", 0), Part("loss 1", 1)])
    line.note("tested")
    line.end(lambda: [Part("at the end", 0)])
    assert stream.getvalue().splitlines() == ["at 0, loss 1", "at 11, loss 1", "tested", "at the end"]
    line.end(lambda: [Part("again", 0)])
    assert "again" not in stream.getvalue() and "\r" not in stream.getvalue()
