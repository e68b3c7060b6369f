"""A training that is killed and started again ends with the weights of one that was not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from deeplab_caffe import cli
from deeplab_caffe.cli.stage_flags import read_by
from deeplab_caffe.formats.weights import read_caffemodel

FLAGS = ["--data", "tiny.toml", "--crop", "33", "--batch-size", "2", "--width", "0.03", "--iterations", "40"]
FLAGS += ["--snapshot", "5", "--display", "1"]


def _train(folder: Path, exp: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "deeplab_caffe.cli", "train", "demo", *read_by("train", FLAGS), "--exp", exp]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _wait_for(done: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 120
    while not done():
        assert process.poll() is None or done(), f"ended early with {process.returncode}"
        assert time.monotonic() < end
        time.sleep(0.02)


def _weights(folder: Path, exp: str) -> list[np.ndarray]:
    layers = read_caffemodel(folder / exp / "model/train_iter_40.caffemodel")
    return [blob.data for layer in layers for blob in layer.blobs]


def test_killed_and_stopped_runs_equal_an_uninterrupted_one(tiny: Path) -> None:
    for exp in ("straight", "killed"):
        for stage in ("data", "prototxt"):
            assert cli.main([stage, "demo", *read_by(stage, FLAGS), "--exp", exp]) == 0
    assert _train(tiny, "straight").wait() == 0
    process = _train(tiny, "killed")
    _wait_for((tiny / "killed/model/train_iter_10.solverstate").exists, process)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (tiny / "killed/model/train_iter_40.caffemodel").exists()
    process = _train(tiny, "killed")
    _wait_for((tiny / "killed/model/train_iter_20.solverstate").exists, process)
    os.kill(process.pid, signal.SIGINT)
    assert process.wait() == 130
    assert _train(tiny, "killed").wait() == 0
    for straight, resumed in zip(_weights(tiny, "straight"), _weights(tiny, "killed"), strict=True):
        assert np.array_equal(straight, resumed)
