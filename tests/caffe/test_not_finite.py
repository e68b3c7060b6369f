"""Training whose loss or parameters are not finite: stopped, warned of, or continued as Caffe does."""

from __future__ import annotations

import glob
import io

import numpy as np
import pytest

from deeplab_caffe import caffe
from deeplab_caffe.caffe import log
from deeplab_caffe.errors import NotFinite

_NET = """
name: "line"
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 1 } } }
layer { name: "t" type: "Input" top: "t" input_param { shape { dim: 1 dim: 1 } } }
layer { name: "w" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 1 bias_term: false } }
layer { name: "log" type: "Log" bottom: "y" top: "z" }
layer { name: "loss" type: "EuclideanLoss" bottom: "z" bottom: "t" top: "loss" }
"""
_SOLVER = 'net: "net.prototxt" base_lr: 0.25 lr_policy: "fixed" snapshot_prefix: "s" snapshot: 1 max_iter: 9'


@pytest.fixture
def solver(tmp_path, monkeypatch):
    """A solver of a net whose top z is the logarithm of w, from w = 1; stops when something is not finite."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.prototxt").write_text(_NET)
    (tmp_path / "solver.prototxt").write_text(_SOLVER)
    built = caffe.get_solver("solver.prototxt")
    built.net.params["w"][0].data[...] = 1
    built.net.blobs["x"].data[...] = 1
    built.when_not_finite = "stop"
    return built


def test_a_loss_that_is_not_finite_stops_and_says_where_it_began(solver):
    solver.step(1)
    solver.net.params["w"][0].data[...] = -1  # whose logarithm is NaN
    with pytest.raises(NotFinite) as error:
        solver.step(1)
    message = str(error.value)
    assert message.startswith("solver.prototxt: iteration 1: the loss is nan (learning rate 0.25); first: net.proto")
    assert "layer 'log' (Log): its top 'z' is not finite; try a smaller base_lr" in message
    assert message.endswith("the last complete snapshot is s_iter_1.solverstate")
    assert solver.iter == 1


def test_a_parameter_that_is_not_finite_is_named(solver):
    solver.net.params["w"][0].data[...] = np.inf
    with pytest.raises(NotFinite, match=r"layer 'w' \(InnerProduct\): parameter 0 is not finite.*no snapshot was"):
        solver.step(1)


def test_no_snapshot_is_written_of_parameters_that_are_not_finite(solver):
    solver.step(1)
    solver.net.params["w"][0].data[...] = np.nan
    with pytest.raises(NotFinite, match="iteration 1: a parameter is not finite"):
        solver.snapshot()
    assert glob.glob("*.solverstate") == ["s_iter_1.solverstate"]


@pytest.fixture
def logged():
    """The log lines of a test."""
    stream = io.StringIO()
    log.add_file(stream)
    yield stream
    log.remove_file(stream)


def test_a_warning_comes_once_and_training_goes_on(solver, logged):
    solver.when_not_finite = "warn"
    solver.net.params["w"][0].data[...] = -1
    solver.step(3)
    assert logged.getvalue().count("the loss is nan") == 1
    assert solver.iter == 3


def test_pycaffe_continues_in_silence_as_caffe_does(solver, logged):
    solver.when_not_finite = "continue"
    solver.net.params["w"][0].data[...] = -1
    solver.step(2)
    assert "nan (learning rate" not in logged.getvalue()
    assert solver.iter == 2
