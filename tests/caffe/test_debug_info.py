"""What debug_info prints, and two rules about frozen and shared parameters that only gradients show."""

from __future__ import annotations

import numpy as np
import pytest

from deeplab_caffe import caffe
from deeplab_caffe.caffe.proto import caffe_pb2

_NET = """
layer {{ name: "in" type: "Input" top: "x" top: "t"
  input_param {{ shape {{ dim: 1 dim: 2 }} shape {{ dim: 1 dim: 1 }} }} }}
layer {{ name: "a" type: "InnerProduct" bottom: "x" top: "a" param {{ {first} }}
  inner_product_param {{ num_output: 2 bias_term: false weight_filler {{ value: 1 }} }} }}
layer {{ name: "b" type: "InnerProduct" bottom: "a" top: "b" param {{ {second} }}
  inner_product_param {{ num_output: {outputs} bias_term: false weight_filler {{ value: 1 }} }} }}
layer {{ name: "sum" type: "Reduction" bottom: "b" top: "sum" loss_weight: 1 }}
layer {{ name: "quiet" type: "Silence" bottom: "t" }}
"""


def _text(first: str = "", second: str = "", outputs: int = 1) -> str:
    return _NET.format(first=first, second=second, outputs=outputs)


@pytest.fixture
def solver(tmp_path, monkeypatch):
    """`solver(text, net)`: a solver with base_lr 0.5 and the policy fixed."""
    monkeypatch.chdir(tmp_path)

    def build(text: str, net: str):
        (tmp_path / "net.prototxt").write_text(net)
        (tmp_path / "solver.prototxt").write_text(f'net: "net.prototxt" base_lr: 0.5 lr_policy: "fixed" {text}')
        return caffe.get_solver("solver.prototxt")

    return build


def test_lines_of_a_pass(net, logged) -> None:
    one = net("debug_info: true\n" + _text(), caffe.TRAIN)
    one.blobs["x"].data[...] = [[1, -3]]
    one.clear_param_diffs()
    one.forward()
    one.backward()
    lines = logged()
    assert "    [Forward] Layer in, top blob x data: 2" in lines
    assert "    [Forward] Layer a, top blob a data: 2" in lines
    assert "    [Forward] Layer a, param blob 0 data: 1" in lines
    assert "    [Backward] Layer b, bottom blob a diff: 1" in lines
    assert "    [Backward] Layer a, param blob 0 diff: 2" in lines
    assert lines[-1] == ("    [Backward] All net params (data, diff): L1 norm = (6, 12); L2 norm = (2.44949, 5.2915)")


def test_a_solver_shows_only_the_iterations_that_it_displays(solver, logged) -> None:
    one = solver("debug_info: true display: 2", _text())
    one.step(3)
    assert sum("[Forward] Layer in, top blob x" in line for line in logged()) == 2


def test_a_layer_that_shares_a_frozen_parameter_still_runs_backward(net) -> None:
    one = net(_text('name: "w" lr_mult: 0', 'name: "w"', outputs=2), caffe.TRAIN)
    one.blobs["x"].data[...] = 1
    one.clear_param_diffs()
    one.forward()
    one.backward()
    assert not one.layer_dict["a"].needs_backward and one.layer_dict["b"].needs_backward
    np.testing.assert_array_equal(one.params["b"][0].diff, np.full((2, 2), 2.0))


def test_a_parameter_frozen_after_a_while_still_coasts(solver) -> None:
    one = solver("momentum: 0.5", _text())
    one.net.blobs["x"].data[...] = 1
    one.step(1)
    before = one.net.params["a"][0].data.copy()
    history = one.history[0].numpy().copy()
    one.net.learnable_params[0].lr_mult = 0
    one.step(1)
    np.testing.assert_allclose(one.net.params["a"][0].data, before - 0.5 * history, rtol=1e-6)


def test_enums_of_the_schema_have_their_names() -> None:
    assert caffe_pb2.Phase.Name(1) == "TEST" and caffe_pb2.Phase.Value("TRAIN") == 0
    assert caffe_pb2._LAYERPARAMETER.fields_by_name["name"].number == 1
