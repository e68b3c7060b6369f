"""Construction of nets: filtering, splits, connections, shared parameters, which layers run backward."""

from __future__ import annotations

import numpy as np
import pytest

from deeplab_caffe import caffe
from deeplab_caffe.errors import InputError

_IN = 'layer { name: "in" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }\n'
_LABEL = 'layer { name: "lab" type: "Input" top: "label" input_param { shape { dim: 2 } } }\n'


def _ip(name: str, bottom: str, more: str = "", top: str = "", outputs: int = 3) -> str:
    return (
        f'layer {{ name: "{name}" type: "InnerProduct" bottom: "{bottom}" top: "{top or name}" {more} '
        f'inner_product_param {{ num_output: {outputs} weight_filler {{ type: "xavier" }} }} }}\n'
    )


def _relu(name: str, bottom: str, top: str = "", more: str = "") -> str:
    return f'layer {{ name: "{name}" type: "ReLU" bottom: "{bottom}" top: "{top or bottom}" {more} }}\n'


def _loss(bottom: str, more: str = "", top: str = 'top: "loss"') -> str:
    return f'layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "{bottom}" bottom: "label" {top} {more} }}\n'


# -- filtering


@pytest.mark.parametrize(
    ("rules", "state", "kept"),
    [
        ("", {}, True),
        ("include { }", {}, True),
        ("include { phase: TEST }", {}, True),
        ("include { phase: TRAIN }", {}, False),
        ("exclude { phase: TEST }", {}, False),
        ("exclude { phase: TRAIN }", {}, True),
        ("exclude { }", {}, False),
        ("include { min_level: 2 }", {"level": 2}, True),
        ("include { min_level: 2 }", {"level": 1}, False),
        ("include { max_level: 2 }", {"level": 3}, False),
        ("include { max_level: 2 min_level: -1 }", {}, True),
        ('include { stage: "a" }', {}, False),
        ('include { stage: "a" stage: "b" }', {"stages": ["a"]}, False),
        ('include { stage: "a" stage: "b" }', {"stages": ["b", "a", "c"]}, True),
        ('include { not_stage: "a" }', {"stages": ["a", "b"]}, False),
        ('include { not_stage: "a" }', {"stages": ["b"]}, True),
        ('include { phase: TRAIN } include { stage: "a" }', {"stages": ["a"]}, True),
        ('exclude { stage: "a" phase: TRAIN }', {"stages": ["a"]}, True),
        ('exclude { stage: "x" } exclude { max_level: 0 }', {}, False),
    ],
)
def test_filtering(net, rules, state, kept):
    built = net(_IN + _relu("relu", "data", "out", rules), **state)
    assert ("relu" in built.layer_dict) is kept


def test_the_files_own_state_adds_stages(net):
    layer = _relu("r", "data", "r", 'include { stage: "a" stage: "b" }')
    built = net('state { stage: "a" }' + _IN + layer, stages=["b"])
    assert built.outputs == ["r"]


def test_include_and_exclude_together_are_refused(net):
    with pytest.raises(InputError, match=r"net\.prototxt:2:1: layer 'r' \(ReLU\): states both include and exclude"):
        net(_IN + _relu("r", "data", "r", "include { } exclude { }"))


# -- splits


def test_a_blob_used_once_is_not_split(net):
    assert list(net(_IN + _relu("r", "data", "r")).blobs) == ["data", "r"]


def test_split_names_and_order(net):
    built = net(_IN + _ip("a", "data") + _relu("r", "a") + _ip("b", "a") + _ip("c", "a") + _ip("d", "data"))
    assert list(built.layer_dict) == ["in", "data_in_0_split", "a", "r", "a_r_0_split", "b", "c", "d"]
    assert built.bottom_names["a"] == ["data_in_0_split_0"]
    assert built.bottom_names["d"] == ["data_in_0_split_1"]
    assert built.bottom_names["b"] == ["a_r_0_split_0"]
    assert built.bottom_names["c"] == ["a_r_0_split_1"]
    assert built.top_names["a_r_0_split"] == ["a_r_0_split_0", "a_r_0_split_1"]


def test_using_a_blob_twice_in_one_layer(net):
    text = _IN + 'layer { name: "e" type: "Eltwise" bottom: "data" bottom: "data" top: "e" }'
    built = net(text)
    assert built.bottom_names["e"] == ["data_in_0_split_0", "data_in_0_split_1"]
    built.blobs["data"].data[...] = 2
    assert (built.forward()["e"] == 4).all()


def test_a_loss_weight_counts_as_a_use_and_moves_to_the_split(net):
    built = net(_IN + _ip("a", "data", "loss_weight: 0.5") + _relu("r", "a", "r"), caffe.TRAIN)
    assert built.top_names["a_a_0_split"] == ["a_a_0_split_0", "a_a_0_split_1"]
    assert built.bottom_names["r"] == ["a_a_0_split_1"]
    assert built.outputs == ["a_a_0_split_0", "r"]
    assert built.blob_loss_weights["a_a_0_split_0"] == 0.5
    assert built.blob_loss_weights["a"] == 0
    built.blobs["data"].data[...] = 1
    loss = built._forward(0, len(built.layers) - 1)
    assert loss == pytest.approx(0.5 * built.blobs["a"].data.sum(), rel=1e-5)
    built.backward()
    np.testing.assert_array_equal(built.params["a"][1].diff, 0.5 * 2)


# -- connections


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (_relu("r", "dta", "r"), "net.prototxt:2:1: layer 'r' (ReLU): bottom 'dta' is made by no layer before"),
        (_relu("r", "dta", "r"), "; did you mean 'data'? (blobs so far: data)"),
        (_relu("r", "r", "r"), "bottom 'r' is made by no layer before this one"),
        (_ip("a", "data") + _ip("a2", "a", top="data"), "top 'data' is made by an earlier layer already"),
        (_relu("r", "data", "r", "propagate_down: true propagate_down: true"), "states propagate_down 2 times for 1"),
        (_ip("a", "data", "param { } param { } param { }"), "states 3 param blocks, the layer has 2 parameters"),
        (_relu("r", "data", 'r" top: "s'), "layer 'r' (ReLU): has 2 tops, wanted 1"),
        ('layer { name: "x" type: "Relu" }', "layer 'x': unknown type 'Relu'; did you mean 'ReLU'?"),
        (_relu("r", "data", "r", "loss_weight: [1, 2]"), "states loss_weight 2 times for 1 tops"),
        ('layer { name: "x" type: "ReLU" bottom: "data" top: "${T}" }', "'x': '${T}' has a template variable; set it"),
    ],
)
def test_errors_say_where_and_what(net, text, expected):
    with pytest.raises(InputError) as caught:
        net(_IN + text)
    assert expected in str(caught.value)


@pytest.mark.parametrize("rule", ["include { phase: TRAIN }", "exclude { phase: TEST }"])
def test_a_net_for_training_is_told_where_one_for_tests_is_built(net, rule):
    data = _IN.replace("name:", f"{rule} name:", 1)
    with pytest.raises(InputError, match="; layer 'in' makes it, in TRAIN only: expected a net for TEST, such as"):
        net(data + _relu("r", "data", "r"))
    assert net(data + _relu("r", "data", "r"), caffe.TRAIN).outputs == ["r"]


def test_outputs_are_alphabetical_by_bytes(net):
    tops = ["b", "a", "Z", "é", "a1"]
    built = net(_IN + "".join(_ip(f"l{t}", "data", top=t) for t in tops))
    assert built.outputs == ["Z", "a", "a1", "b", "é"]
    assert built.inputs == ["data"]


def test_unnamed_losses_are_anonymous_and_count(net):
    text = _IN + _LABEL + _ip("a", "data")
    named, unnamed = net(text + _loss("a"), caffe.TRAIN), net(text + _loss("a", top=""), caffe.TRAIN)
    assert unnamed.outputs == []
    assert unnamed.top_names["loss"] == ["(automatic)"]
    assert "(automatic)" not in unnamed.blobs
    last = len(named.layers) - 1
    assert unnamed._forward(0, last) == named._forward(0, last) == pytest.approx(np.log(3), rel=1e-5)


def test_old_input_fields_make_an_input_layer(net):
    built = net('input: "x" input_dim: [2, 3, 1, 1]\n' + _relu("r", "x", "y"))
    assert (built.inputs, built.outputs, built.blobs["x"].shape) == (["x"], ["y"], (2, 3, 1, 1))


# -- shared parameters


def _shared(first: str, second: str, outputs: int = 3) -> str:
    one = _ip("a", "data", f'param {{ name: "w" {first} }} param {{ name: "v" }}')
    return _IN + one + _ip("b", "a", f'param {{ name: "w" {second} }} param {{ name: "v" }}', outputs=outputs)


def test_shared_parameters_are_one_and_gradients_add_up(net):
    built = net(_shared("", "") + _LABEL + _loss("b"), caffe.TRAIN)
    assert [p.name for p in built.learnable_params] == ["w", "v"]
    built.params["a"][0].data[...] = np.eye(3)
    assert (built.params["b"][0].data == np.eye(3)).all()
    built.blobs["data"].data[...] = [[1, 2, 3], [0, 1, 0]]
    built.forward()
    built.backward()
    shared = built.params["a"][0].diff.copy()
    alone = net((_shared("", "") + _LABEL + _loss("b")).replace('name: "w"', "").replace('name: "v"', ""), caffe.TRAIN)
    for name in ("a", "b"):
        alone.params[name][0].data[...] = np.eye(3)
    alone.blobs["data"].data[...] = [[1, 2, 3], [0, 1, 0]]
    alone.forward()
    alone.backward()
    np.testing.assert_allclose(shared, alone.params["a"][0].diff + alone.params["b"][0].diff, rtol=1e-5, atol=1e-6)
    assert (built.params["b"][0].diff == shared).all()


@pytest.mark.parametrize(
    ("first", "second", "rates"),
    [
        ("", "", (1, 1)),
        ("lr_mult: 3", "", (3, 1)),
        ("", "lr_mult: 3 decay_mult: 0", (3, 0)),
        ("lr_mult: 2 decay_mult: 5", "lr_mult: 2", (2, 5)),
    ],
)
def test_multipliers_of_shared_parameters(net, first, second, rates):
    param = net(_shared(first, second)).learnable_params[0]
    assert (param.lr_mult, param.decay_mult) == rates


def test_multipliers_that_differ_are_refused(net):
    with pytest.raises(InputError, match=r"layer 'b' .*'w' states lr_mult 2, layer 'a' states 1"):
        net(_shared("lr_mult: 1", "lr_mult: 2"))
    with pytest.raises(InputError, match=r"'w' states decay_mult 0, layer 'a' states 3"):
        net(_shared("decay_mult: 3", "decay_mult: 0"))


def test_shapes_of_shared_parameters(net):
    with pytest.raises(InputError, match=r"parameter 0 \('w'\) is \(5, 3\), but layer 'a'.* has \(3, 3\)"):
        net(_shared("", "", outputs=5))
    data = 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 dim: 4 } } }'
    flat = _ip("a", "x", 'param { name: "w" } param { }', outputs=1)
    column = _ip("b", "a", 'param { name: "w" share_mode: PERMISSIVE } param { }', outputs=4)
    built = net(data + flat + column)
    built.params["a"][0].data[...] = [[1, 2, 3, 4]]
    assert built.params["b"][0].data.tolist() == [[1], [2], [3], [4]]


def test_blobs_of_a_definition_that_do_not_fit_name_file_line_and_layer(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(
        'input: "data" input_shape { dim: 1 dim: 2 dim: 3 dim: 3 }\n'
        'layer { name: "a" type: "Convolution" bottom: "data" top: "a" blobs { data: 1 shape { dim: 2 dim: 2 } }\n'
        "  convolution_param { num_output: 2 kernel_size: 1 } }\n"
    )
    with pytest.raises(InputError, match=r"net\.prototxt:2:1: layer 'a' \(Convolution\): blobs: 1 values for a blob"):
        caffe.Net(str(path), caffe.TEST)
