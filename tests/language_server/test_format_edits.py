"""Formatting by edits: the result is that of the command, and what is right already is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from lsprotocol import types

from deeplab_caffe.formats.formatting import format_document
from deeplab_caffe.formats.prototxt import Document
from deeplab_caffe.formats.tree import same_fields
from deeplab_caffe.language_server.features.formatting import formatting
from language_server.texts import applied, opened
from random_prototxt import random_prototxt

UNTIDY = """name:'é😀'
layer { name: "a"
type: "ReLU"
    bottom: "a" # c
}


layer { name: "b" }
x: 1 layer { name: 'c' top: "d"
  top: "e" }
"""


def test_the_result_is_that_of_the_command() -> None:
    for text in (UNTIDY, *map(random_prototxt, range(40))):
        buffer = opened(text)
        result = applied(buffer, formatting(buffer))
        assert result.replace("\r\n", "\n") == format_document(Document(text))


def test_line_ends_stay() -> None:
    buffer = opened(UNTIDY.replace("\n", "\r\n"))
    assert applied(buffer, formatting(buffer)) == format_document(Document(UNTIDY)).replace("\n", "\r\n")


def test_only_lines_that_change_are_edited() -> None:
    text = Path("prototxt/voc12/largefov/train.prototxt").read_text()
    assert formatting(opened(text)) == []
    buffer = opened(text.replace("dilation: 12", "dilation:12"))
    [edit] = formatting(buffer)
    assert edit.range.end.line - edit.range.start.line == 1
    assert applied(buffer, [edit]) == text


@pytest.mark.parametrize("text", ["layer { name: }", 'name: "x', "a: 1 }"])
def test_a_broken_file_is_left_alone(text: str) -> None:
    assert formatting(opened(text)) == []


def test_a_range_is_widened_to_whole_layers() -> None:
    buffer = opened(UNTIDY)
    for line in range(11):
        place = types.Range(types.Position(line, 0), types.Position(line, 2))
        result = applied(buffer, formatting(buffer, place))
        assert same_fields(Document(result).root, Document(UNTIDY).root)
        assert ("type: \"ReLU\"\n    bottom" in result) == (line not in range(1, 5)), line
        assert ("name:'é😀'" in result) == (line > 0)
        assert ("name: 'c'" in result) == (line < 8)
