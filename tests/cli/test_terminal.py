"""Control characters of names and messages do not reach a terminal, whatever its encoding."""

from __future__ import annotations

import io
import sys

import pytest

from deeplab_caffe.cli import main, terminal
from deeplab_caffe.cli.terminal import printable, visible, write_content

NET = 'name: "n"\nlayer { name: "a\x1b[2J\u202eb" type: "ReLU" bottom: "x\x07" top: "y" }\n'


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é →\n\ta\r\n", "plain é →\n\ta\r\n"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("a\rb", "a\\rb"),
        ("\x9b31m\x7f\0", "\\x9b31m\\x7f\\x00"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\r 10 %", "\r 10 %"),
    ],
)
def test_what_is_shown(text, shown):
    assert visible(text) == shown


@pytest.mark.parametrize(
    "words", [["prototxt", "lint"], ["prototxt", "inspect"], ["prototxt", "diff"], ["weights", "show"]]
)
def test_names_in_files_and_of_files(tmp_path, capsys, words):
    path = tmp_path / "net\x1b[1m.prototxt"
    path.write_text(NET)
    main([*words, str(path), *([str(tmp_path / "no\x1b")] if words[1] == "diff" else [])])
    shown = capsys.readouterr()
    assert "\x1b" not in shown.out + shown.err and "\x07" not in shown.out + shown.err
    assert "\\x1b" in shown.out + shown.err


def test_content_is_written_as_it_is_but_to_a_terminal(monkeypatch):
    for stream, shown in ((io.StringIO(), NET), (Tty(), visible(NET))):
        monkeypatch.setattr(sys, "stdout", stream)
        with printable():
            write_content(NET)
        assert stream.getvalue() == shown


def test_colours_of_our_own_on_a_terminal_alone():
    for stream, shown in ((Tty(), "\x1b[31mred\x1b[0m\\x1b[2J"), (io.StringIO(), "\\x1b[31mred\\x1b[0m\\x1b[2J")):
        terminal._Printable(stream).write("\x1b[31mred\x1b[0m\x1b[2J")
        assert stream.getvalue() == shown


def test_progress_bars_move():
    stream = Tty()
    for text in ("\r", "\n\x1b[A", "\r 5 %"):
        terminal._Printable(stream).write(text)
    assert stream.getvalue() == "\r\n\x1b[A\r 5 %"


def test_a_terminal_without_utf8(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), "ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    with printable():
        print("a → \udcff")
    stream.flush()
    assert stream.buffer.getvalue() == b"a \\u2192 \\udcff\n"


@pytest.mark.parametrize("words", [["prototxt", "lint"], ["prototxt", "inspect"], ["prototxt", "upgrade"]])
def test_a_name_that_no_screen_holds_is_shortened(tmp_path, capsys, words):
    path = tmp_path / "net.prototxt"
    path.write_text(NET.replace("a\x1b[2J\u202eb", "y" * 100_000).replace('"ReLU"', '"Nosuch"'))
    main([*words, str(path)])
    shown = capsys.readouterr()
    assert len(shown.err) + len(shown.out.replace(path.read_text(), "")) < 3000
