"""Files that C++ Caffe wrote or upgraded: a net and weights of 2014, HDF5 snapshots and the log of a resumed run."""

from __future__ import annotations

import shutil

import h5py
import numpy as np
import pytest

from deeplab_caffe import caffe
from deeplab_caffe.formats import schema, weights, weights_hdf5
from deeplab_caffe.formats.upgrade import upgrade_net
from tolerances import assert_same_sums, same_line


@pytest.fixture
def train_log(recordings, tmp_path, monkeypatch):
    """A copy of the run with HDF5 snapshots, as the working directory."""
    shutil.copytree(recordings / "train_log", tmp_path / "run")
    monkeypatch.chdir(tmp_path / "run")
    return tmp_path / "run"


def test_net_and_weights_of_2014_run(recordings):
    folder = recordings / "v1"
    net = caffe.Net(str(folder / "v1_deploy.prototxt"), str(folder / "v1.caffemodel"), caffe.TEST)
    expected = np.load(folder / "v1_expected.npz")
    for key in ("conv1_0", "conv1_1", "fc2_0", "fc2_1"):
        layer, index = key.split("_")
        np.testing.assert_array_equal(net.params[layer][int(index)].data, expected[key])
    net.forward(data=expected["data"])
    for name in ("conv1", "fc2"):
        assert_same_sums(net.blobs[name].data, expected[name], name)
    assert [p.lr_mult for p in net.learnable_params] == [1, 2, 1, 1]
    assert [p.decay_mult for p in net.learnable_params] == [1, 0, 1, 1]


def test_a_binary_definition_of_2014_is_upgraded_as_by_caffe(recordings):
    old = schema.NetParameter.FromString((recordings / "v1" / "v1.caffemodel").read_bytes())
    assert len(old.layers) > 0
    upgrade_net(old, "v1")
    theirs = weights.read_caffemodel(recordings / "v1" / "v1_upgraded.caffemodel")
    ours = {layer.name: layer for layer in old.layer}
    for layer in theirs:
        if layer.name in ours:
            assert ours[layer.name].type == layer.type
            assert [list(b.data) for b in ours[layer.name].blobs] == [b.data.ravel().tolist() for b in layer.blobs]
    assert {layer.name for layer in theirs} >= set(ours) - {"input"}


def test_resumes_from_hdf5_as_caffe_did(train_log, logged):
    """The losses, rates and test outputs that Caffe's own resumed run logged, and the snapshot it wrote."""
    recorded = _taken_away(train_log, "snap_iter_12")
    solver = caffe.get_solver("solver.prototxt")
    solver.solve("snap_iter_6.solverstate.h5")
    lines = [line.strip().split(" (")[0] for line in logged()]
    for expected in (
        "Train net output #0: loss = 0.277309",
        "Iteration 6, lr = 0.00535887",
        "Test net output #0: loss = 0.283323",
        "Train net output #0: loss = 0.267879",
        "Iteration 8, lr = 0.00372041",
        "Train net output #0: loss = 0.289115",
        "Iteration 10, lr = 0.00199372",
        "Iteration 12, loss = 0.411493",
        "Test net output #0: loss = 0.455821",
    ):
        assert any(same_line(line, expected) for line in lines), expected
    _check_files(recorded)


def test_a_run_from_the_start_writes_the_snapshot_that_caffe_wrote(train_log):
    recorded = _taken_away(train_log, "snap_iter_6")
    solver = caffe.get_solver("solver.prototxt")
    solver.net.copy_from("init.caffemodel")
    solver.step(6)
    _check_files(recorded)


def _taken_away(folder, prefix):
    """Recorded files, moved aside; by the names that ours are to have."""
    (folder / "theirs").mkdir()
    return [path.rename(folder / "theirs" / path.name) for path in folder.glob(f"{prefix}.*")]


def _check_files(recorded):
    assert len(recorded) == 2
    for path in recorded:
        with h5py.File(path.name) as ours, h5py.File(path) as theirs:
            _same_tree(ours, theirs)


def _same_tree(ours, theirs):
    assert set(ours) == set(theirs)
    for key in theirs:
        if isinstance(theirs[key], h5py.Group):
            _same_tree(ours[key], theirs[key])
            continue
        assert (ours[key].shape, ours[key].dtype) == (theirs[key].shape, theirs[key].dtype)
        if key == "learned_net":
            assert ours[key][()] == theirs[key][()]
        else:
            assert_same_sums(ours[key][()], theirs[key][()], key)


def test_weights_in_hdf5_are_recognised_by_their_first_bytes(train_log):
    shutil.copy("snap_iter_6.caffemodel.h5", "plain")
    assert weights_hdf5.is_hdf5("plain")
    assert not weights_hdf5.is_hdf5("init.caffemodel")
    assert weights_hdf5.is_hdf5("not_there.h5")
    net = caffe.Net("net.prototxt", caffe.TEST)
    assert net.copy_from("init.caffemodel,plain") == ["conv1", "ip"]
    stored = {layer.name: layer for layer in weights_hdf5.read_caffemodel("plain")}
    np.testing.assert_array_equal(net.params["ip"][0].data, stored["ip"].data[0])
