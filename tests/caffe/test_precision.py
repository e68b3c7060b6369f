"""Passes in bfloat16: what computes in it, and that weights, gradients of weights and losses stay float32."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from deeplab_caffe import caffe
from deeplab_caffe.caffe.net import precision as net_precision
from deeplab_caffe.caffe.net.precision import layer_precisions
from deeplab_caffe.errors import InputError
from plan_nets import NETS, conv, fill, norm, relu
from small_nets import blob, layer

_NET = (
    blob("data", (2, 3, 9, 7))
    + blob("label", (2, 1, 9, 7))
    + conv("a", "data", 8)
    + norm("a", "a")
    + relu("a")
    + layer("Pooling", "pool", "a", "pooling_param { kernel_size: 3 stride: 1 pad: 1 }")
    + conv("b", "pool", 8)
    + relu("b")
    + layer("Dropout", "drop", "b", "", "b")
    + conv("score", "b", 5)
    + layer("SoftmaxWithLoss", "loss", "score label")
)
_SOLVER = 'net_param {{ {net} }} base_lr: 0.01 lr_policy: "fixed" momentum: 0.9 max_iter: 10 snapshot_prefix: "s"'


@pytest.fixture
def solver(message, tmp_path, monkeypatch):
    """`solver(precision)`: a solver of a small segmentation net; seeded."""
    monkeypatch.chdir(tmp_path)

    def build(*precisions: str) -> caffe.SGDSolver:
        caffe.set_random_seed(1)
        made = caffe.SGDSolver(message(_SOLVER.format(net=_NET), "SolverParameter"))
        fill(made.net)
        made.net.blobs["label"].data[...] = np.random.default_rng(0).integers(0, 5, (2, 1, 9, 7))
        for precision in precisions:
            made.set_precision(precision)
        return made

    return build


def _losses(solver: caffe.SGDSolver, steps: int = 20) -> list[float]:
    found = []
    for _ in range(steps):
        solver.step(1)
        found.append(float(solver.net.blobs["loss"].data))
    return found


@pytest.mark.parametrize("fast", [False, True])
def test_a_processor_without_bfloat16_is_said_once(solver, monkeypatch, logged, fast):
    monkeypatch.setattr(net_precision, "onednn_computes_in", lambda dtype: fast or dtype == torch.float32)
    net_precision._say_what_is_faster.cache_clear()
    solver("float32", "bf16", "bf16")
    lines = [line for line in logged() if "bf16" in line]
    assert len(lines) == (not fast)
    assert all("float32 is many times faster" in line for line in lines)


def test_training_goes_as_in_float32(solver):
    wanted, found = _losses(solver()), _losses(solver("bf16"))
    np.testing.assert_allclose(found, wanted, rtol=0.05)
    assert found != wanted
    assert found[-1] < 0.9 * found[0]


def test_weights_their_gradients_and_losses_are_float32(solver):
    made = solver("bf16")
    made.step(1)
    net = made.net
    for blobs in net.params.values():
        for b in blobs:
            assert b.data_tensor().dtype == b.diff_tensor().dtype == torch.float32
    assert all(h.dtype == torch.float32 for h in made.history)
    assert net.blobs["loss"].data_tensor().dtype == net.blobs["score"].data_tensor().dtype == torch.float32
    assert net.blobs["pool"].data_tensor().dtype == net.blobs["pool"].diff_tensor().dtype == torch.bfloat16
    for b in net.blobs.values():
        assert b.data.dtype == b.diff.dtype == np.float32


def test_back_in_float32_nothing_is_left_of_it(solver):
    assert _losses(solver("bf16", "float32"), 3) == _losses(solver(), 3)


def test_what_computes_in_it(net):
    built = net(blob("data", (2, 3, 9, 7)) + NETS["branches"], caffe.TEST)
    chosen = {built._layer_names[i]: dtype for i, dtype in layer_precisions(built.steps, "bf16").items()}
    assert chosen == {"a": torch.bfloat16, "b": torch.bfloat16, "c": torch.bfloat16, "d": None}


@pytest.mark.parametrize("name", NETS)
def test_gradients_are_near(net, name):
    """Backward through every net, from diffs of ones."""
    found = []
    for precision in ("float32", "bf16"):
        caffe.set_random_seed(1)
        built = net("force_backward: true " + blob("data", (2, 3, 9, 7)) + NETS[name], caffe.TEST)
        fill(built)
        built.set_precision(precision)
        built.forward()
        found.append(built.backward(**{n: np.ones(built.blobs[n].shape) for n in built.outputs})["data"].copy())
    plain, lower = (values.ravel().astype(np.float64) for values in found)
    # The units of a ReLU that are about zero fall on either side: of the gradient the direction is compared.
    assert plain @ lower > 0.97 * np.linalg.norm(plain) * np.linalg.norm(lower)


def test_unknown_precision(solver):
    with pytest.raises(InputError, match=r"unknown precision 'bf61'; did you mean 'bf16'\? \(wanted: float32, bf16\)"):
        solver("bf61")
