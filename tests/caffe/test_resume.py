"""A run that was stopped and resumed equals one that never stopped, bit for bit, random numbers and all."""

from __future__ import annotations

import json
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from deeplab_caffe import caffe
from deeplab_caffe.errors import InputError

_NET = """
layer { name: "data" type: "ImageSegData" top: "data" top: "label" include { phase: TRAIN }
  image_data_param { source: "list.txt" root_folder: "." batch_size: 2 shuffle: true rand_skip: 3 label_type: PIXEL }
  transform_param { mirror: true crop_size: 9 scale_factors: [0.75, 1, 1.25] mean_value: 100 scale: 0.02 } }
layer { name: "data" type: "ImageSegData" top: "data" top: "label" include { phase: TEST }
  image_data_param { source: "list.txt" root_folder: "." batch_size: 1 label_type: PIXEL }
  transform_param { crop_size: 9 mean_value: 100 scale: 0.02 } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 4 kernel_size: 3 pad: 2 dilation: 2 weight_filler { type: "msra" } } }
layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "conv" }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "drop" type: "Dropout" bottom: "conv" top: "conv" }
layer { name: "score" type: "Convolution" bottom: "conv" top: "score"
  convolution_param { num_output: 3 kernel_size: 1 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss"
  loss_param { ignore_label: 255 } }
"""
_SOLVER = """
net: "net.prototxt" base_lr: 0.1 momentum: 0.9 weight_decay: 0.001 lr_policy: "poly" power: 0.9 max_iter: 6
iter_size: 2 average_loss: 4 display: 1 snapshot: 3 snapshot_prefix: "{prefix}"
test_iter: 2 test_interval: 4 {more}
"""
_KILLED = f"""
import os
import torch
from deeplab_caffe import caffe
torch.set_num_threads({torch.get_num_threads()})
solver = caffe.get_solver("killed.prototxt")
solver.add_callback(lambda: os._exit(9) if solver.iter == 4 else None, lambda: None)
solver.solve()
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Five small images with labels, the net, and solvers `straight` and `killed` that differ in their prefix."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for i in range(5):
        cv2.imwrite(f"{i}.png", random.integers(256, size=(8 + i, 12, 3), dtype=np.uint8))
        Image.fromarray(random.choice(np.uint8([0, 1, 2, 255]), (8 + i, 12))).save(f"{i}_label.png")
    (tmp_path / "list.txt").write_text("".join(f"/{i}.png /{i}_label.png\n" for i in range(5)))
    (tmp_path / "net.prototxt").write_text(_NET)
    for name in ("straight", "killed"):
        (tmp_path / f"{name}.prototxt").write_text(_SOLVER.format(prefix=f"out/{name}", more="random_seed: 7"))
    return tmp_path


def _parameters(solver) -> list[torch.Tensor]:
    return [p.blob.data_tensor().clone() for p in solver.net.learnable_params]


def _assert_equal(first, second) -> None:
    assert first.iter == second.iter
    ours, theirs = ([*_parameters(solver), *solver.history] for solver in (first, second))
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_killed_and_resumed_equals_straight(folder, logged):
    """The first half in a process that dies in its fourth iteration, the second half here."""
    straight = caffe.get_solver("straight.prototxt")
    straight.solve()
    expected = [line for line in logged() if "loss = " in line]
    assert subprocess.run([sys.executable, "-c", _KILLED], cwd=folder, stderr=subprocess.DEVNULL).returncode == 9
    assert not (folder / "out" / "killed_iter_6.solverstate").exists()
    caffe.set_random_seed(1234)  # whatever was drawn before must not matter
    resumed = caffe.get_solver("killed.prototxt")
    resumed.solve("out/killed_iter_3.solverstate")
    _assert_equal(straight, resumed)
    again = [line for line in logged() if "loss = " in line][len(expected) :]
    plain = [line.split("loss = ")[1] for line in expected if line.startswith("Iteration")]
    assert [line.split("loss = ")[1] for line in again if line.startswith("Iteration")] == plain[3:]
    for net in (straight.net, resumed.net, *straight.test_nets, *resumed.test_nets):
        net.close()


def test_another_seed_is_another_run(folder):
    """The comparison above is worth something: these runs do depend on what is drawn."""
    straight = caffe.get_solver("straight.prototxt")
    straight.step(2)
    (folder / "other.prototxt").write_text(_SOLVER.format(prefix="out/other", more="random_seed: 8"))
    other = caffe.get_solver("other.prototxt")
    other.step(2)
    assert not torch.equal(_parameters(straight)[0], _parameters(other)[0])
    straight.net.close()
    other.net.close()


def test_a_run_without_a_stated_seed_resumes_as_well(folder):
    (folder / "free.prototxt").write_text(_SOLVER.format(prefix="out/free", more=""))
    straight = caffe.get_solver("free.prototxt")
    straight.step(6)
    caffe.set_random_seed(99)
    resumed = caffe.get_solver("free.prototxt")
    resumed.restore("out/free_iter_3.solverstate")
    resumed.step(3)
    _assert_equal(straight, resumed)
    straight.net.close()
    resumed.net.close()


def test_the_state_is_written_last_and_alone_suffices(folder, logged):
    solver = caffe.get_solver("straight.prototxt")
    solver.step(3)
    side = folder / "out" / "straight_iter_3.resume.json"
    model = folder / "out" / "straight_iter_3.caffemodel"
    state = folder / "out" / "straight_iter_3.solverstate"
    assert max(side.stat().st_mtime_ns, model.stat().st_mtime_ns) <= state.stat().st_mtime_ns
    assert json.loads(side.read_text())["iter"] == 3
    side.unlink()
    resumed = caffe.get_solver("straight.prototxt")
    resumed.restore(str(state))
    assert resumed.iter == 3
    assert torch.equal(_parameters(resumed)[0], _parameters(solver)[0])
    assert "straight_iter_3.resume.json does not exist, so the data start again" in "".join(logged())
    solver.net.close()


@pytest.mark.parametrize("text", ["{", "{}", '{"seed": "x"}', "[]", '{"seed": 1, "random": {"cpu": "AAAA"}}'])
def test_a_damaged_side_file_says_what_to_do(folder, text):
    solver = caffe.get_solver("straight.prototxt")
    solver.step(3)
    solver.net.close()
    (folder / "out" / "straight_iter_3.resume.json").write_text(text)
    with pytest.raises(InputError, match=r"straight_iter_3\.resume\.json: damaged side file .*remove it to resume"):
        solver.restore("out/straight_iter_3.solverstate")
