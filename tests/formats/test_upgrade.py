"""Upgrades of nets and solvers from older dialects."""

from __future__ import annotations

import pytest

from deeplab_caffe.errors import InputError
from deeplab_caffe.formats import messages, prototxt, schema
from deeplab_caffe.formats.upgrade import upgrade_net, upgrade_solver


def _read(text: str, kind: str = "NetParameter"):
    return messages.to_message(prototxt.Document(text), schema.NAMES[kind]())


@pytest.mark.parametrize(
    "shapes",
    [
        "input_shape { dim: 1 dim: 3 dim: 4 dim: 5 } input_shape { dim: 2 dim: 1 dim: 1 dim: 1 }",
        "input_dim: [1, 3, 4, 5, 2, 1, 1, 1]",
    ],
)
def test_input_fields_become_an_input_layer_in_front(shapes):
    net = _read(f'input: "data" input: "more" {shapes} layer {{ name: "r" type: "ReLU" bottom: "data" top: "r" }}')
    assert upgrade_net(net, "f") == [None, 0]
    first, second = net.layer
    assert (first.name, first.type, list(first.top)) == ("input", "Input", ["data", "more"])
    assert [list(s.dim) for s in first.input_param.shape] == [[1, 3, 4, 5], [2, 1, 1, 1]]
    assert second.name == "r"
    assert not (net.input or net.input_shape or net.input_dim)
    assert upgrade_net(net, "f") == [0, 1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('input: "a" input_dim: 1 input_dim: 2', "f: expected 4 input_dim for each of 1 inputs, got 2"),
        ('input: "a" input: "b" input_shape { dim: 1 }', "f: has 1 input_shape for 2 inputs"),
        ('input: "a" input_shape { dim: 1 } input_dim: 1', "f: has both input_shape and input_dim"),
    ],
)
def test_nets_that_cannot_be_upgraded(text, expected):
    with pytest.raises(InputError) as caught:
        upgrade_net(_read(text), "f")
    assert expected in str(caught.value)


def test_three_params_of_a_batch_norm_learn_nothing():
    net = _read(
        'layer { type: "BatchNorm" param { lr_mult: 1 } param { } param { decay_mult: 2 } }'
        'layer { type: "Scale" param { lr_mult: 1 } param { } param { } }'
    )
    upgrade_net(net, "f")
    assert [(p.lr_mult, p.decay_mult) for p in net.layer[0].param] == [(0, 0)] * 3
    assert [p.lr_mult for p in net.layer[1].param] == [1, 1, 1]


@pytest.mark.parametrize(
    ("old", "new"),
    [("SGD", "SGD"), ("NESTEROV", "Nesterov"), ("ADAGRAD", "AdaGrad"), ("RMSPROP", "RMSProp"), ("ADAM", "Adam")],
)
def test_solver_type_becomes_a_word(old, new):
    solver = _read(f"solver_type: {old}", "SolverParameter")
    upgrade_solver(solver, "s")
    assert solver.type == new
    assert not solver.HasField("solver_type")


def test_both_solver_types_are_refused():
    with pytest.raises(InputError, match="s: has both type and solver_type"):
        upgrade_solver(_read('solver_type: SGD type: "SGD"', "SolverParameter"), "s")
