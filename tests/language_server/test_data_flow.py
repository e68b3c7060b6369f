"""The net as a call hierarchy: who makes what a layer reads, and who reads what it makes."""

from __future__ import annotations

from typing import Any

from lsprotocol import types

from deeplab_caffe.language_server.buffers import Buffer
from deeplab_caffe.language_server.features.data_flow import incoming, outgoing, prepare
from language_server.texts import opened, part

NET = """layer { name: "data" top: "x" top: "label" include { phase: TRAIN } }
layer { name: "input" top: "x" include { phase: TEST } }
layer { name: "conv" type: "Convolution" bottom: "x" top: "y" }
layer { name: "relu" type: "ReLU" bottom: "y" top: "y" }
layer { name: "pair" type: "Slice" bottom: "y" top: "a" top: "b" }
layer { name: "sum" type: "Eltwise" bottom: "a" bottom: "b" bottom: "y" top: "sum" }
"""


def item(buffer: Buffer, name: str) -> types.CallHierarchyItem:
    [found] = prepare(buffer, buffer.position(buffer.text.index(f'"{name}"') - 3))
    return found


def calls(buffer: Buffer, found: Any) -> list[tuple[str, list[str]]]:
    ends = [(call, getattr(call, "from_", None) or call.to) for call in found]
    return [(end.name, [part(buffer, place) for place in call.from_ranges]) for call, end in ends]


def test_incoming_are_the_makers_in_any_state() -> None:
    buffer = opened(NET)
    assert calls(buffer, incoming(buffer, item(buffer, "conv"))) == [("data", ["x"]), ("input", ["x"])]
    assert calls(buffer, incoming(buffer, item(buffer, "sum"))) == [("relu", ["y"]), ("pair", ["a", "b"])]
    assert incoming(buffer, item(buffer, "data")) == []


def test_outgoing_are_the_readers_until_the_blob_is_written_over() -> None:
    buffer = opened(NET)
    assert calls(buffer, outgoing(buffer, item(buffer, "conv"))) == [("relu", ["y"])]
    assert calls(buffer, outgoing(buffer, item(buffer, "relu"))) == [("pair", ["y"]), ("sum", ["y"])]
    assert calls(buffer, outgoing(buffer, item(buffer, "pair"))) == [("sum", ["a", "b"])]


def test_a_layer_is_found_again_after_the_text_has_changed() -> None:
    before = opened(NET)
    found = item(before, "relu")
    after = opened("# above\n" * 3 + NET)
    assert calls(after, outgoing(after, found)) == [("pair", ["y"]), ("sum", ["y"])]
    assert outgoing(opened("name: 'x'"), found) == []


def test_items_have_the_type_and_there_is_none_outside_of_layers() -> None:
    buffer = opened(NET)
    assert item(buffer, "relu").detail == "ReLU"
    assert prepare(opened("name: 'x'"), types.Position(0, 3)) == []
