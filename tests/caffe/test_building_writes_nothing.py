"""A net or a solver that is built, looked at, exported or refused leaves every file as it was."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from deeplab_caffe import caffe, cli
from deeplab_caffe.formats.weight_files import write_weight_file
from deeplab_caffe.formats.weights import BlobArray, LayerWeights

_NET = """
name: "n"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 9 dim: 9 } } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 2 } }
layer { name: "out" type: "HDF5Output" bottom: "ip" bottom: "ip" hdf5_output_param { file_name: "out.h5" } }
layer { name: "mat" type: "MatWrite" bottom: "ip" mat_write_param { prefix: "mat/" } }
"""
_DATA = """
layer { name: "data" type: "DummyData" top: "data" dummy_data_param { shape { dim: 1 dim: 3 dim: 9 dim: 9 } } }
"""
_LOSS = 'layer { name: "loss" type: "EuclideanLoss" bottom: "ip" bottom: "ip" top: "loss" }\n'
_SOLVER = """
net: "train.prototxt" base_lr: 0.01 lr_policy: "fixed" max_iter: 1 snapshot: 1 snapshot_prefix: "new/folder/net"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with nets that write out.h5 and into mat/, and weights; the test stands in it."""
    monkeypatch.chdir(tmp_path)
    Path("net.prototxt").write_text(_NET)
    lines = _NET.strip().splitlines()
    Path("train.prototxt").write_text("\n".join([lines[0], _DATA, *lines[2:], _LOSS]))
    Path("solver.prototxt").write_text(_SOLVER)
    Path("out.h5").write_bytes(b"precious")
    Path("mat").mkdir()
    blobs = [np.ones((2, 243), np.float32), np.zeros(2, np.float32)]
    write_weight_file("w.caffemodel", [LayerWeights("ip", "InnerProduct", [BlobArray(b) for b in blobs])])
    return tmp_path


def _files() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path().rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("words", "made"),
    [
        ("prototxt inspect net.prototxt", set()),
        ("prototxt lint net.prototxt solver.prototxt", set()),
        ("prototxt diff net.prototxt train.prototxt", set()),
        ("prototxt view net.prototxt -o view.html", {"view.html"}),
        ("weights check w.caffemodel net.prototxt", set()),
        ("export torch net.prototxt -w w.caffemodel -o made", {"made.py", "made.safetensors", "made.json"}),
        ("export onnx net.prototxt -w w.caffemodel -o made.onnx", {"made.onnx", "made.onnx.json"}),
        ("export torch net.prototxt -o made", set()),
        (
            "weights port w.caffemodel --to net.prototxt --from-net net.prototxt -o a.caffemodel",
            {"a.caffemodel", "a.caffemodel.json"},
        ),
        ("weights port w.caffemodel --to train.prototxt -o a.caffemodel", {"a.caffemodel", "a.caffemodel.json"}),
        ("caffe test --model=train.prototxt --weights=missing --log_dir=log", set()),
        ("caffe test --model=net.prototxt --weights=net.prototxt --log_dir=log", set()),
        ("caffe train --solver=solver.prototxt --weights=net.prototxt --log_dir=log", set()),
        ("caffe save --model=net.prototxt --weights=w.caffemodel --out_weights=b.caffemodel", {"b.caffemodel"}),
    ],
)
def test_commands_write_what_they_say_and_no_more(folder, words, made):
    before = _files()
    cli.main(words.split())
    after = _files()
    assert set(after) - set(before) == made
    assert {path: after.get(path) for path in before} == before
    assert not os.path.exists("new") and not os.path.exists("log")


def test_pycaffe_writes_with_the_first_forward(folder):
    before = _files()
    net = caffe.Net("net.prototxt", caffe.TEST)
    solver = caffe.SGDSolver("solver.prototxt")
    assert _files() == before and not os.path.exists("new")
    net.forward()
    assert Path("out.h5").read_bytes() != b"precious" and os.listdir("mat")
    solver.step(1)
    assert os.path.exists("new/folder/net_iter_1.solverstate")


def test_a_snapshot_folder_that_cannot_be_made_is_told_when_the_solver_is_built(folder):
    Path("new").write_text("")
    with pytest.raises(
        RuntimeError, match=r"solver\.prototxt:2:\d+: cannot write snapshots to 'new/folder/net_iter_…'"
    ):
        caffe.SGDSolver("solver.prototxt")


def test_the_log_has_what_came_before_the_first_forward(folder):
    assert cli.main(["caffe", "train", "--solver=solver.prototxt", "--log_dir=log", "--minloglevel=2"]) == 0
    text = Path("log/caffe.INFO").read_text()
    assert text.index("Log file created") < text.index("Creating training net") < text.index("Optimization Done")


def test_a_file_in_the_place_of_the_logs_link_stays(folder):
    Path("log").mkdir()
    Path("log/caffe.INFO").write_text("precious")
    cli.main(["caffe", "train", "--solver=solver.prototxt", "--log_dir=log", "--minloglevel=2"])
    assert Path("log/caffe.INFO").read_text() == "precious" and len(os.listdir("log")) == 2
