"""The six solvers' updates worked by hand, what they refuse, and snapshots in HDF5."""

from __future__ import annotations

import math
import os

import h5py
import numpy as np
import pytest

from deeplab_caffe import caffe
from deeplab_caffe.caffe.solver import snapshot
from deeplab_caffe.errors import InputError
from deeplab_caffe.formats import weights_hdf5
from deeplab_caffe.formats.weights import SolverState

# loss = (w - 0)² / 2 at x = 1, so the gradient is w itself
_NET = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 1 } } }
layer { name: "t" type: "Input" top: "t" input_param { shape { dim: 1 dim: 1 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y"
  inner_product_param { num_output: 1 bias_term: false weight_filler { value: 2 } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "y" bottom: "t" top: "loss" }
"""


@pytest.fixture
def solver(tmp_path, monkeypatch):
    """`solver(text, net=...)`: a solver for one weight of 2 whose gradient is itself, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def build(text: str, net: str = _NET):
        (tmp_path / "net.prototxt").write_text(net)
        fixed = 'net: "net.prototxt" lr_policy: "fixed" max_iter: 9 snapshot_prefix: "s" snapshot_after_train: false '
        (tmp_path / "solver.prototxt").write_text(fixed + text)
        made = caffe.get_solver("solver.prototxt")
        for name in made.net.inputs:
            made.net.blobs[name].data[...] = name == "x"
        return made

    return build


@pytest.mark.parametrize(
    ("text", "cls", "expected"),
    [
        # h = .1·2 = .2, w = 1.8; h = .5·.2 + .1·1.8 = .28, w = 1.52
        ("base_lr: 0.1 momentum: 0.5", caffe.SGDSolver, [1.8, 1.52]),
        # h' = .2, u = 1.5·.2 = .3, w = 1.7; h' = .1 + .17 = .27, u = 1.5·.27 - .5·.2 = .305, w = 1.395
        ('type: "Nesterov" base_lr: 0.1 momentum: 0.5', caffe.NesterovSolver, [1.7, 1.395]),
        # h = 4, u = .1·2/2 = .1, w = 1.9; h = 4 + 3.61, u = .1·1.9/√7.61
        ('type: "AdaGrad" base_lr: 0.1', caffe.AdaGradSolver, [1.9, 1.9 - 0.19 / math.sqrt(7.61)]),
        # h = .25·4 = 1, u = .1·2/1, w = 1.8; h = .75·1 + .25·3.24 = 1.56, u = .18/√1.56
        ('type: "RMSProp" base_lr: 0.1 rms_decay: 0.75', caffe.RMSPropSolver, [1.8, 1.8 - 0.18 / math.sqrt(1.56)]),
        # h₁ = .5·4 = 2, v = 2·√(1/(2 + 1)), u = v
        ('type: "AdaDelta" base_lr: 1 momentum: 0.5 delta: 1', caffe.AdaDeltaSolver, [2 - 2 / math.sqrt(3)]),
        # m = .1·2, v = .01·4, u = .1·(√.01/.1)·.2/.2 = .1
        ('type: "Adam" base_lr: 0.1 momentum: 0.9 momentum2: 0.99', caffe.AdamSolver, [1.9]),
    ],
)
def test_updates_by_hand(solver, text, cls, expected):
    made = solver(text)
    assert type(made) is cls
    weight = made.net.params["ip"][0].data
    for value in expected:
        made.step(1)
        np.testing.assert_allclose(weight, [[value]], rtol=1e-6)


@pytest.mark.parametrize("kind", ["SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam"])
def test_a_weight_with_lr_mult_0_stays(solver, kind):
    momentum = "" if kind in ("AdaGrad", "RMSProp") else "momentum: 0.9"
    net = _NET.replace('top: "y"', 'top: "y" param { lr_mult: 0 decay_mult: 1 }')
    made = solver(f'type: "{kind}" base_lr: 0.1 weight_decay: 0.5 {momentum}', net)
    made.step(3)
    assert made.net.params["ip"][0].data == 2
    # What the histories of squares see is the weight decay, as in Caffe.
    assert bool(made.history[0].any()) is (kind not in ("SGD", "Nesterov"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('type: "AdaGrad" momentum: 0.9', "AdaGrad takes no momentum, got momentum 0.9"),
        ('type: "RMSProp" momentum: 0.1', "RMSProp takes no momentum, got momentum 0.1"),
        ('type: "RMSProp" rms_decay: 1', "rms_decay is 1, wanted 0 or more and below 1"),
        ('type: "adam"', "unknown solver type 'adam'; did you mean 'Adam'? (known types: SGD, Nesterov, AdaGrad"),
    ],
)
def test_what_solvers_refuse(solver, text, expected):
    with pytest.raises(InputError) as caught:
        solver(f"base_lr: 0.1 {text}")
    assert expected in str(caught.value)


def test_a_class_ignores_the_type_of_the_file(solver):
    solver('type: "Adam" base_lr: 0.1')
    assert type(caffe.SGDSolver("solver.prototxt")) is caffe.SGDSolver


def test_solver_type_of_old(solver):
    assert type(solver("solver_type: ADADELTA base_lr: 0.1")) is caffe.AdaDeltaSolver


def test_param_lr_and_share_weights(solver):
    made = solver("base_lr: 0.1 display: 0 layer_wise_reduce: false")
    assert (made.param.max_iter, made.param.display, made.param.layer_wise_reduce) == (9, 0, False)
    assert made.lr == pytest.approx(0.1)
    made.param.base_lr = 0.25
    assert made.lr == 0.25
    other = caffe.Net("net.prototxt", caffe.TEST)
    made.share_weights(other)
    made.net.params["ip"][0].data[...] = 7
    assert other.params["ip"][0].data == 7
    made.net.params["ip"][0].diff[...] = 4
    made.apply_update()
    assert other.params["ip"][0].data == 6


# -- snapshots


def test_hdf5_snapshots_go_on_bit_for_bit(solver):
    text = 'type: "Adam" base_lr: 0.1 momentum: 0.9 snapshot_format: HDF5 snapshot_diff: true'
    made = solver(text)
    made.step(2)
    made.snapshot()
    assert sorted(p for p in os.listdir() if p.startswith("s_")) == [
        "s_iter_2.caffemodel.h5", "s_iter_2.resume.json", "s_iter_2.solverstate.h5",
    ]  # fmt: skip
    with h5py.File("s_iter_2.caffemodel.h5") as file:
        assert file["diff/ip/0"].shape == (1, 1)
        assert set(file["data"]) == {"x", "t", "ip", "loss"}
    with h5py.File("s_iter_2.solverstate.h5") as file:
        assert sorted(file["history"]) == ["0", "1"]  # two for the one parameter
    made.step(2)
    resumed = solver(text)
    resumed.restore("s_iter_2.solverstate.h5")
    assert resumed.iter == 2
    resumed.step(2)
    assert resumed.net.params["ip"][0].data == made.net.params["ip"][0].data
    assert snapshot.newest("s") == "s_iter_2.solverstate.h5"


def test_hdf5_snapshots_of_names_with_slashes_are_refused_at_the_start(solver):
    with pytest.raises(InputError, match=r"solver\.prototxt: layer 'fc8/voc': HDF5 does not support '/' in names"):
        solver("base_lr: 0.1 snapshot_format: HDF5", _NET.replace('name: "ip"', 'name: "fc8/voc"'))


def test_the_state_of_another_solver_is_refused_and_changes_nothing(solver):
    solver('type: "Adam" base_lr: 0.1').snapshot()
    made = solver("base_lr: 0.1")
    made.step(1)
    with pytest.raises(InputError, match=r"holds 2 history blobs, this solver \(SGD\) has 1"):
        made.restore("s_iter_0.solverstate")
    assert made.iter == 1


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda f: f.pop("iter"), "has no 'iter'; expected a .solverstate.h5"),
        (lambda f: f["history"].move("0", "7"), "'history' has 1 datasets, but '0' is missing"),
        (lambda f: f["history"].move("0", "x"), "'history' has 1 datasets, but '0' is missing"),
    ],
)
def test_damaged_states(tmp_path, change, expected):
    path = tmp_path / "s.solverstate.h5"
    weights_hdf5.write_solverstate(path, SolverState(3, "net", [np.ones((2, 1))], 1))
    state = weights_hdf5.read_solverstate(path)
    assert (state.iter, state.learned_net, state.current_step, state.history[0].shape) == (3, "net", 1, (2, 1))
    with h5py.File(path, "a") as file:
        change(file)
    with pytest.raises(InputError) as caught:
        weights_hdf5.read_solverstate(path)
    assert expected in str(caught.value)
    with pytest.raises(InputError, match="Could not open file nowhere"):
        weights_hdf5.read_solverstate("nowhere")


def test_mutated_files_are_read_or_refused(recordings, tmp_path):
    """Whatever bytes are wrong, h5py's many exceptions do not get through."""
    random = np.random.default_rng(0)
    for name, read in (
        ("snap_iter_6.caffemodel.h5", weights_hdf5.read_caffemodel),
        ("snap_iter_6.solverstate.h5", weights_hdf5.read_solverstate),
    ):
        content = np.fromfile(recordings / "train_log" / name, dtype=np.uint8)
        refused = 0
        for _ in range(150):
            mutated = content.copy()
            mutated[random.integers(0, 3000, 4)] = random.integers(0, 256, 4)
            mutated.tofile(tmp_path / "m.h5")
            try:
                read(tmp_path / "m.h5")
            except InputError:
                refused += 1
        assert refused > 10


def test_names_with_slashes_from_elsewhere_are_read(tmp_path):
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["data/fc8/voc/0"] = np.ones(2)
        file["data/a/0"] = np.arange(3)
    layers = {layer.name: layer.data for layer in weights_hdf5.read_caffemodel(tmp_path / "w.h5")}
    assert set(layers) == {"fc8/voc", "a"}
    assert layers["a"][0].dtype == np.float32
    for name, value, expected in (
        ("data/a/x", np.ones(1), "'/data/a/x': expected the number of a blob as name"),
        ("data/b", np.ones(1), "'/data/b' is a dataset; expected the group of a layer"),
        ("data/c/0", b"text", "'/data/c/0': expected numbers, got |S4"),
    ):
        with h5py.File(tmp_path / "bad.h5", "w") as file:
            file[name] = np.array(value)
        with pytest.raises(InputError) as caught:
            weights_hdf5.read_caffemodel(tmp_path / "bad.h5")
        assert expected in str(caught.value)
