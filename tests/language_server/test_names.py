"""Who makes what is read: through layers in place, in every state, of every dialect, and in broken text."""

from __future__ import annotations

import pytest

from deeplab_caffe.language_server.names import BLOB, LAYER, PARAM, NetNames, named_at, nets_of
from language_server.texts import opened

NET = """
layer { name: "data" type: "ImageData" top: "data" top: "label" include { phase: TRAIN } }
layer { name: "data" type: "Input" top: "data" include { phase: TEST } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1" param { name: "w" } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "drop1" type: "Dropout" bottom: "conv1" top: "conv1" include { stage: "slow" } }
layer { name: "fc" type: "InnerProduct" bottom: "conv1" top: "fc" param { name: "w" } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" include { phase: TRAIN } }
"""


def net(text: str) -> NetNames:
    [found] = nets_of(opened(text))
    return found


def made_by(names: NetNames, layer: int, slot: int = 0) -> list[int]:
    return [maker.layer for maker in names.makers(names.layers[layer].bottoms[slot])]


def test_a_bottom_is_made_by_the_layer_that_wrote_it_last_in_any_state() -> None:
    names = net(NET)
    assert [layer.name for layer in names.layers] == ["data", "data", "conv1", "relu1", "drop1", "fc", "loss"]
    assert made_by(names, 2) == [0, 1]
    assert made_by(names, 3) == [2]
    assert made_by(names, 4) == [3]
    assert sorted(made_by(names, 5)) == [3, 4]
    assert made_by(names, 6, 1) == [0]


def test_a_top_is_read_until_it_is_written_over() -> None:
    names = net(NET)
    conv, relu = names.layers[2].tops[0], names.layers[3].tops[0]
    assert [reader.layer for reader in names.readers(conv)] == [3]
    assert sorted(reader.layer for reader in names.readers(relu)) == [4, 5]


def test_a_shared_parameter_belongs_to_its_first_owner() -> None:
    names = net(NET)
    first, second = names.named(PARAM, "w")
    assert names.makers(second) == [first]
    assert names.makers(first) == [first]


@pytest.mark.parametrize(
    "text, tops",
    [
        ('input: "x" input_dim: 1 layers { bottom: "x" top: "y" name: "a" type: RELU param: "w" }', ["x", "y"]),
        ('input: "x" layers { layer { name: "a" type: "relu" } bottom: "x" top: "y" }', ["x", "y"]),
        ("layer { name: 'a' top: ['x', 'y'] }", ["x", "y"]),
    ],
    ids=["V1", "V0", "list"],
)
def test_names_of_every_dialect(text: str, tops: list[str]) -> None:
    names = net(text)
    assert [item.name for item in names.occurrences if item.writes] == tops
    assert [item.name for item in names.occurrences if item.kind == LAYER] == ["a"]
    assert names.layers[-1].type.lower() in ("relu", "")
    for bottom in names.layers[-1].bottoms:
        assert names.makers(bottom) == names.named(BLOB, "x")[:1]


def test_the_nets_within_a_solver_have_names_of_their_own() -> None:
    text = 'base_lr: 1 net_param { layer { name: "a" } } test_net_param { layer { name: "a" } }'
    buffer = opened(text, "/nets/solver.prototxt")
    first, second = nets_of(buffer)
    assert first.named(LAYER, "a") != second.named(LAYER, "a")
    found = named_at(buffer, buffer.text.rindex('"a"') + 1)
    assert found is not None and found[0] is second


def test_broken_text_has_the_names_that_can_be_read() -> None:
    names = net('layer { name: "a" top: "x" num_output: }\nlayer { name: "b" bottom: "x" top }\n')
    assert [item.name for item in names.occurrences] == ["a", "x", "b", "x"]
    assert made_by(names, 1) == [0]


def test_a_layer_of_a_level_that_no_state_has_still_reads() -> None:
    names = net('layer { name: "a" top: "x" } layer { name: "b" bottom: "x" include { min_level: 3 } }')
    assert made_by(names, 1) == [0]


def test_nothing_makes_a_blob_that_no_layer_makes() -> None:
    assert made_by(net('layer { name: "b" bottom: "x" }'), 0) == []


def test_what_is_named_at_an_offset() -> None:
    buffer = opened("layer { name: 'a' top: 'xy' }")
    [names] = nets_of(buffer)
    quote = buffer.text.index("'xy'")
    assert [(found := names.at(quote + i)) and found.name for i in (-1, 0, 2, 4, 5)] == [None, "xy", "xy", "xy", None]
    layer = names.layer_at(3)
    assert layer is not None and layer.name == "a"
    assert names.layer_at(len(buffer.text) + 1) is None
