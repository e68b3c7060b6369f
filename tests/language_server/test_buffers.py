"""Texts of an editor: positions in UTF-16, line ends, changes one after another, what is kept of an earlier text."""

import random

import pytest
from lsprotocol.types import (
    Position,
    Range,
    TextDocumentContentChangePartial as Part,
    TextDocumentContentChangeWholeDocument as Whole,
)

from deeplab_caffe.formats.recovery import recover
from deeplab_caffe.language_server.buffers import Buffer


def _buffer(text: str, variables=None) -> Buffer:
    return Buffer("file:///net.prototxt", "/net.prototxt", text, 1, variables)


@pytest.mark.parametrize(
    ("text", "offset", "line", "character"),
    [
        ("a\nbc", 3, 1, 1),
        ("a\r\nbc", 4, 1, 1),
        ("a\rbc", 3, 1, 1),
        ("\ttop: 'ü'", 8, 0, 8),
        ("'\U0001d703' # \U0001d703x", 7, 0, 9),
        ("a\u2028b\x0bc\nd", 6, 1, 0),
        ("", 0, 0, 0),
        ("a\n", 2, 1, 0),
    ],
)
def test_positions(text, offset, line, character):
    buffer = _buffer(text)
    assert buffer.position(offset) == Position(line, character)
    assert buffer.offset(Position(line, character)) == offset


def test_positions_outside_of_the_text_are_at_its_ends():
    buffer = _buffer("ab\r\ncd")
    assert [buffer.offset(Position(*at)) for at in ((0, 99), (9, 0), (1, 99))] == [2, 6, 6]
    assert buffer.position(3) == Position(0, 2) and buffer.position(99) == Position(1, 2)
    assert _buffer("'\U0001d703'").offset(Position(0, 2)) == 1  # within a pair of surrogates


def test_changes_follow_one_another():
    before = _buffer("layer {\r\n  name: '\U0001d703'\r\n}\r\n")
    first = Part(range=Range(Position(1, 9), Position(1, 11)), text="fc6")
    second = Part(range=Range(Position(1, 13), Position(2, 0)), text=" # x\r\n")
    after = before.changed(2, [first, second])
    assert after.text == "layer {\r\n  name: 'fc6' # x\r\n}\r\n" and after.version == 2
    assert before.changed(3, [first, Whole("name: 'n'"), Part(range=Range(Position(0, 7), Position(0, 8)), text="m")]).text == "name: 'm'"  # fmt: skip


def test_a_change_with_its_ends_swapped_only_inserts():
    swapped = Part(range=Range(Position(0, 3), Position(0, 1)), text="X")
    assert _buffer("abcd").changed(2, [swapped]).text == "abcXd"


def test_the_document_and_the_net_follow_edits_by_the_protocol():
    rng = random.Random(7)
    buffer = _buffer('layer {\r\n  name: "\U0001d703"\r\n  type: "ReLU"\r\n}\r\n' * 8)
    for version in range(2, 400):
        at = rng.randrange(len(buffer.text) + 1)
        start, end = buffer.position(at), buffer.position(at + rng.choice([0, 0, 1, 4]))
        buffer = buffer.changed(
            version, [Part(range=Range(start, end), text=rng.choice(["", "x", "}", '"', "\r\n", "\U0001d703"]))]
        )
        fresh = recover(buffer.text, buffer.path)
        assert (buffer.document.root, buffer.document.faults) == (fresh.root, fresh.faults)
        if version % 20 == 0:
            alone = _buffer(buffer.text)
            assert buffer.net.param == alone.net.param
            assert [str(p.error) for p in buffer.net.problems] == [str(p.error) for p in alone.net.problems]


def test_kinds():
    assert _buffer("base_lr: 0.1").kind == "solver" and _buffer("").kind == "net"
    assert Buffer("file:///solver.prototxt", "/solver.prototxt", "# new", 1).kind == "solver"


def test_variables_of_the_settings_are_filled_in():
    text = "layer { name: 'a' convolution_param { num_output: ${N} } }"
    assert _buffer(text, {"N": "21"}).net.problems == []
    assert [p.kind for p in _buffer(text).net.problems] == ["template"]
