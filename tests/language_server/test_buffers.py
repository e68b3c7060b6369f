"""Texts of an editor: positions in UTF-16, line ends, changes one after another, what is kept of an earlier text."""

import random

import pytest
from lsprotocol.types import (
    Position,
    Range,
)
from lsprotocol.types import (
    TextDocumentContentChangePartial as Part,
)
from lsprotocol.types import (
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
    assert (
        before.changed(3, [first, Whole("name: 'n'"), Part(range=Range(Position(0, 7), Position(0, 8)), text="m")]).text
        == "name: 'm'"
    )


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


def test_shapes_are_inferred_again_when_the_meaning_changes_and_only_then():
    net = (
        'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: [1, 3, 9, 9] } } }\n'
        'layer { name: "pool" type: "Pooling" bottom: "data" top: "pool" pooling_param { kernel_size: 3 } }\n'
    )
    first = _buffer(net)
    shapes = first.net.views[0].shapes.net
    moved = first.changed(2, [Part(range=Range(Position(0, 0), Position(0, 0)), text="# a comment\n\n")])
    after = moved.net.views[0].shapes.net
    assert after.net is shapes.net and after.blobs == {"data": (1, 3, 9, 9), "pool": (1, 3, 7, 7)}
    assert [layer.origin for layer in after.layers] == ["/net.prototxt:3:1", "/net.prototxt:4:1"]
    changed = moved.changed(3, [Whole(net.replace("kernel_size: 3", "kernel_size: 5"))])
    assert changed.net.views[0].shapes.net.blobs["pool"] == (1, 3, 5, 5)
