"""Diffs that a training does not keep: the same weights, less memory, and an error for who reads them after all."""

from __future__ import annotations

import numpy as np
import pytest

from deeplab_caffe import caffe
from deeplab_caffe.errors import InputError
from plan_nets import conv, norm, relu
from small_nets import blob, layer

#: branches, layers in place, shared memory, a top without a reader that has a gradient, a parameter as a blob
_NET = (
    blob("data", (2, 3, 9, 7))
    + layer("DummyData", "label", "", "dummy_data_param { shape { dim: 2 dim: 1 dim: 9 dim: 7 } }")
    + conv("a", "data")
    + norm("a", "n")
    + relu("n")
    + layer("Reshape", "f", "n", "reshape_param { shape { dim: 2 dim: 4 dim: 9 dim: 7 } }")
    + layer("Slice", "s", "f", "slice_param { slice_point: 2 }", "s1 s2")
    + layer("Silence", "quiet", "s2", "", " ")
    + conv("b", "s1")
    + conv("c", "n")
    + layer("Parameter", "k", "", "parameter_param { shape { dim: 2 dim: 4 dim: 9 dim: 7 } }")
    + layer("Eltwise", "sum", "b c k")
    + layer("SoftmaxWithLoss", "loss", "sum label", "loss_weight: 2")
)
_SOLVER = (
    'net_param {{ {net} }} base_lr: 0.1 lr_policy: "fixed" momentum: 0.9 max_iter: 9 iter_size: 2 snapshot_prefix: "s"'
)


@pytest.fixture
def solver(message, tmp_path, monkeypatch):
    """`solver(keeps)`: after two steps, with diffs that are kept or not."""
    monkeypatch.chdir(tmp_path)

    def train(keeps: bool) -> caffe.SGDSolver:
        caffe.set_random_seed(1)
        made = caffe.SGDSolver(message(_SOLVER.format(net=_NET), "SolverParameter"))
        made.net.blobs["data"].data[...] = np.random.default_rng(0).normal(size=(2, 3, 9, 7))
        made.net.keeps_diffs = keeps
        made.step(2)
        return made

    return train


def test_the_weights_are_the_same(solver):
    kept, dropped = solver(True), solver(False)
    for name, blobs in kept.net.params.items():
        for one, other in zip(blobs, dropped.net.params[name], strict=True):
            np.testing.assert_array_equal(one.data, other.data)
            np.testing.assert_array_equal(one.diff, other.diff)


def test_diffs_are_kept_unless_said(solver):
    net = solver(True).net
    assert net.blobs["b"].diff.any() and net.blobs["n"].diff.any()
    assert net.keeps_diffs


@pytest.mark.parametrize("name", ["a", "n", "b", "sum"])
def test_what_was_not_kept_is_said(solver, name):
    with pytest.raises(InputError, match="keeps_diffs = True"):
        _ = solver(False).net.blobs[name].diff


def test_loss_weights_are_kept(solver):
    assert solver(False).net.blobs["loss"].diff == 2


def test_a_pass_of_the_user_has_its_diffs(solver):
    net = solver(False).net
    net.forward()
    net.backward()
    assert net.blobs["b"].diff.any()


def test_what_the_user_holds_is_kept(solver):
    made = solver(True)
    held = made.net.blobs["b"].diff
    before = held.copy()
    made.net.keeps_diffs = False
    made.step(1)
    assert held.any() and (held != before).any()
