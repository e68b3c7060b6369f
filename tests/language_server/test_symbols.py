"""The outline with its folders, and the search through files."""

from __future__ import annotations

from typing import Any

from deeplab_caffe.language_server.features.symbols import document_symbols, flat, workspace_symbols
from language_server.texts import opened, part

NET = """name: "net"
layer { name: "data" type: "Input" top: "data" }
layer { name: "conv1_1" type: "Convolution" bottom: "data" top: "conv1_1" }
layer { name: "relu1_1" type: "ReLU" bottom: "conv1_1" top: "conv1_1" }
layer { name: "pool1" type: "Pooling" bottom: "conv1_1" top: "pool1" }
layer { name: "conv2_a" type: "Convolution" bottom: "pool1" top: "conv2_a" }
layer { type: "Silence" bottom: "conv2_a" }
layer { name: "conv1_1_b" type: "Convolution" bottom: "data" top: "b" }
layer { name: "conv1_2_b" type: "Convolution" bottom: "b" top: "b2" }
"""


def outline(symbols: Any) -> list[Any]:
    return [(s.name, outline(s.children)) if s.children else s.name for s in symbols]


def test_layers_of_a_stage_in_a_row_are_a_folder() -> None:
    buffer = opened(NET)
    symbols = document_symbols(buffer)
    assert outline(symbols) == [
        "name",
        "data",
        ("conv1", ["conv1_1", "relu1_1", "pool1"]),
        "conv2_a",
        "Silence",
        ("conv1_b", ["conv1_1_b", "conv1_2_b"]),
    ]
    folder = symbols[2]
    assert folder.children is not None
    assert [child.detail for child in folder.children] == ["Convolution", "ReLU", "Pooling"]
    assert part(buffer, folder.children[0].selection_range) == "conv1_1"
    for child in folder.children:
        assert folder.range.start <= child.range.start and child.range.end <= folder.range.end
        assert child.range.start <= child.selection_range.start and child.selection_range.end <= child.range.end


def test_an_editor_that_knows_no_trees_gets_a_list() -> None:
    buffer = opened(NET)
    found = flat(buffer.uri, document_symbols(buffer))
    named = [(symbol.name, symbol.container_name) for symbol in found]
    assert named[1:4] == [("data", None), ("conv1", None), ("conv1_1", "conv1")] and len(found) == 6 + 5
    assert found[3].location.uri == buffer.uri
    assert part(buffer, found[3].location.range) == NET.splitlines()[2]


def test_a_solver_shows_its_fields_and_the_net_in_it() -> None:
    text = 'base_lr: 0.1\ntest_iter: [1, 2]\nnet_param { layer { name: "a" } layer { name: "b" } }\n'
    buffer = opened(text, "/s.prototxt")
    assert outline(document_symbols(buffer)) == ["base_lr", "test_iter", "test_iter", ("net_param", ["a", "b"])]
    assert [s.detail for s in document_symbols(buffer)][:3] == ["0.1", "1", "2"]


def test_broken_text_has_an_outline() -> None:
    assert outline(document_symbols(opened('layer { name: "a" num_output: }\nlayer { name: "b" '))) == ["a", "b"]


def test_the_search_finds_layers_and_blobs_by_the_characters_of_their_names() -> None:
    found = workspace_symbols([opened(NET)], "CN2")
    assert [(symbol.name, symbol.container_name) for symbol in found] == [
        ("conv2_a", "Convolution"),
        ("conv2_a", "conv2_a"),
        ("conv1_2_b", "Convolution"),
    ]
    assert len(workspace_symbols([opened(NET)], "")) == 7 + 6
