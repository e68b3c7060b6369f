"""Training against trajectories recorded from C++ Caffe, from the start and from its own snapshots."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from deeplab_caffe import caffe
from deeplab_caffe.formats import schema, weights
from tolerances import TENSOR, assert_same_sums

_FOLDER = Path(__file__).parent.parent / "data" / "conformance" / "solvers"
_CASES = sorted(path.name for path in _FOLDER.iterdir())
_BATCH = 4


@pytest.fixture(params=_CASES, name="folder")
def _folder(request, tmp_path, monkeypatch) -> Path:
    """A copy of one recording, as the working directory."""
    shutil.copytree(_FOLDER / request.param, tmp_path / "run")
    monkeypatch.chdir(tmp_path / "run")
    return tmp_path / "run"


def _solver():
    solver = caffe.get_solver("solver.prototxt")
    solver.net.copy_from("init.caffemodel")
    return solver


def _check(solver, trajectory, first: int, last: int, share: float = TENSOR) -> None:
    """Step from iteration `first` to `last` and compare the loss and all parameters after each."""
    for i in range(first, last):
        solver.step(1)
        assert_same_sums(solver.net.blobs["loss"].data, trajectory["loss"][i], "loss", share=share, tiny=0)
        for key in (k for k in trajectory if k != "loss"):
            layer, index = key.rsplit("_", 1)
            found, what = solver.net.params[layer][int(index)].data, f"{key} after iteration {i + 1}"
            assert_same_sums(found, trajectory[key][i], what, share=share, tiny=0)


def test_trajectory(folder):
    trajectory = dict(np.load("trajectory.npz"))
    assert len(trajectory["loss"]) == 12
    _check(_solver(), trajectory, 0, 12)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_trajectory_on_cuda(folder):
    """With ten times what a CPU is allowed: cuDNN may choose algorithms that transform their inputs, as Winograd's."""
    caffe.set_mode_gpu()
    _check(_solver(), dict(np.load("trajectory.npz")), 0, 12, share=10 * TENSOR)


def test_resumes_from_a_snapshot_of_cpp_caffe(folder):
    solver = caffe.get_solver("solver.prototxt")
    solver.restore("snap_iter_6.solverstate")
    assert solver.iter == 6
    # The recorded run went on with the next rows; Caffe's own files do not say where the data were.
    solver.net.layer_dict["data"].seek(6 * _BATCH * solver.param.iter_size)
    _check(solver, dict(np.load("trajectory.npz")), 6, 12)


def test_resumes_from_its_own_snapshot_bit_for_bit(folder):
    straight = _solver()
    straight.step(12)
    resumed = caffe.get_solver("solver.prototxt")
    resumed.restore("snap_iter_6.solverstate")
    resumed.step(6)
    assert resumed.iter == 12
    for ours, theirs in zip(straight.net.learnable_params, resumed.net.learnable_params, strict=True):
        assert torch.equal(ours.blob.data_tensor(), theirs.blob.data_tensor())
    for ours, theirs in zip(straight.history, resumed.history, strict=True):
        assert torch.equal(ours, theirs)


def test_snapshot_agrees_with_that_of_cpp_caffe(folder):
    recorded = weights.read_solverstate("snap_iter_6.solverstate")
    recorded_layers = weights.read_caffemodel("snap_iter_6.caffemodel")
    recorded_arrays = [[b.data.copy() for b in layer.blobs] for layer in recorded_layers]
    os.unlink("snap_iter_6.solverstate")
    solver = _solver()
    solver.step(6)
    written = weights.read_solverstate("snap_iter_6.solverstate")
    assert (written.iter, written.current_step) == (recorded.iter, recorded.current_step)
    assert written.learned_net == "snap_iter_6.caffemodel"
    for ours, theirs in zip(written.history, recorded.history, strict=True):
        assert ours.shape == theirs.shape
        assert_same_sums(ours, theirs, tiny=1e-8)  # squares of small gradients, for some solvers
    layers = weights.read_caffemodel("snap_iter_6.caffemodel")
    assert [(x.name, x.type, len(x.blobs)) for x in layers] == [
        (x.name, x.type, len(x.blobs)) for x in recorded_layers
    ]
    for layer, arrays in zip(layers, recorded_arrays, strict=True):
        for ours, theirs in zip(layer.blobs, arrays, strict=True):
            assert_same_sums(ours.data, theirs, layer.name, tiny=0)


def test_a_written_caffemodel_is_a_net_parameter(net, tmp_path):
    built = net(
        'name: "two" layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 2 } } }'
        'layer { name: "a" type: "InnerProduct" bottom: "data" top: "a" inner_product_param { num_output: 3 } }'
        'layer { name: "b" type: "InnerProduct" bottom: "data" top: "b"'
        '  param { name: "w" } inner_product_param { num_output: 3 bias_term: false } }'
        'layer { name: "c" type: "InnerProduct" bottom: "data" top: "c"'
        '  param { name: "w" } inner_product_param { num_output: 3 bias_term: false } }'
        'layer { name: "loss" type: "EuclideanLoss" bottom: "a" bottom: "b" top: "loss" }',
        caffe.TRAIN,
    )
    built.params["a"][0].data[...] = np.arange(6).reshape(3, 2)
    built.params["b"][0].data[...] = 7
    built.save(tmp_path / "two.caffemodel")
    message = schema.NetParameter.FromString((tmp_path / "two.caffemodel").read_bytes())
    assert message.name == "two"
    assert [layer.name for layer in message.layer] == ["data", "data_data_0_split", "a", "b", "c", "loss"]
    assert all(layer.HasField("phase") and layer.phase == caffe.TRAIN for layer in message.layer)
    assert list(message.layer[1].top) == [f"data_data_0_split_{k}" for k in range(3)]
    assert list(message.layer[2].bottom) == ["data_data_0_split_0"]
    assert list(message.layer[2].blobs[0].shape.dim) == [3, 2]
    assert list(message.layer[2].blobs[0].data) == [0, 1, 2, 3, 4, 5]
    # Binary files repeat shared parameters.
    assert list(message.layer[3].blobs[0].data) == list(message.layer[4].blobs[0].data) == [7] * 6
    assert list(message.layer[5].loss_weight) == [1]
