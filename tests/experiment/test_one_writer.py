"""Experiments are written by one process at a time, stop when they diverge, and end with SIGTERM as with Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from deeplab_caffe.formats.weight_files import read_weight_file, write_weight_file
from deeplab_caffe.locks import locked_folder
from deeplab_caffe.temporary_files import temporary_name


@pytest.fixture
def prepared(tiny: Path, deeplab: Callable[..., int]) -> Path:
    """The experiment exp with its data and nets."""
    assert deeplab("data") == 0 and deeplab("prototxt") == 0
    return tiny / "exp"


def _files(folder: Path) -> dict[str, bytes]:
    """All files but the cache of hashes of files' contents, which is true whoever writes it."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "contents.json"]
    return {str(path): path.read_bytes() for path in files}


def test_a_second_writer_is_refused_and_what_is_finished_is_shown(prepared, deeplab, capsys):
    with locked_folder(prepared, "the experiment is in use"):
        before = _files(prepared)
        assert deeplab("train") == 2
        said = capsys.readouterr().err
        assert f"\ndeeplab: error: the experiment exp is in use (process {os.getpid()} on " in f"\n{said}"
        assert deeplab("data") == 0
        assert "== data: already done, nothing has changed" in capsys.readouterr().out
        assert _files(prepared) == before
    assert deeplab("train") == 0


def test_what_a_killed_process_left_is_removed_before_a_stage(prepared, deeplab):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for place in ("model/train_iter_2.caffemodel", "scores/val/i6.npy", "evaluation.json"):
        left = temporary_name(prepared / place)
        left.parent.mkdir(parents=True, exist_ok=True)
        left.with_name(left.name.replace(f"~{os.getpid()}-", f"~{dead.pid}-")).touch()
    assert deeplab("train") == 0
    assert not [name for name in _files(prepared) if "~" in name]


def test_a_training_that_diverges_is_not_done(prepared, deeplab, capsys):
    assert deeplab("prototxt", "--base-lr", "1e30") == 0
    code = deeplab("train", "--base-lr", "1e30")
    said = capsys.readouterr().err.splitlines()[-1]
    assert code == 3 and said.startswith("deeplab: error: exp/prototxt/solver.prototxt: iteration ")
    assert "(learning rate " in said and "; first: exp/prototxt/train.prototxt:" in said and ": layer '" in said
    assert not (prepared / "stages/train.json").exists()
    assert not list(prepared.glob("model/*.caffemodel"))
    assert deeplab("test") == 2


@pytest.fixture
def diverged(prepared: Path, deeplab: Callable[..., int]) -> str:
    """Trained weights of which one is NaN; returns the name of its layer."""
    assert deeplab("train") == 0
    path = prepared / "model/train_iter_4.caffemodel"
    layers = read_weight_file(path).layers
    for layer in layers:
        layer.blobs[:] = [type(blob)(np.array(blob.data)) for blob in layer.blobs]
    broken = [layer for layer in layers if layer.blobs][-1]
    broken.blobs[0].data.flat[0] = np.nan
    write_weight_file(path, layers)
    return broken.name


def test_weights_that_are_not_finite_are_refused_unless_told(prepared, diverged, deeplab, capsys):
    assert deeplab("test") == 2
    said = capsys.readouterr().err
    assert f"train_iter_4.caffemodel: the weights of layer '{diverged}' hold NaN or infinity" in said
    assert "--allow-not-finite-weights\n" in said
    assert deeplab("test", "--allow-not-finite-weights") == 0
    (prepared / "model/train_iter_4.caffemodel").rename(prepared / "model/init.caffemodel")
    for path in prepared.glob("model/train_iter_*"):
        path.unlink()
    capsys.readouterr()
    assert deeplab("train", "--force") == 2
    assert f"init.caffemodel: the weights of layer '{diverged}' hold NaN" in capsys.readouterr().err


_FLAGS = ["demo", "--data", "tiny.toml", "--exp", "exp", "--crop", "33", "--batch-size", "2", "--width", "0.03"]
_FLAGS += ["--iterations", "100000", "--snapshot", "100000", "--display", "1"]


def test_sigterm_writes_a_snapshot(tiny, deeplab):
    command = [sys.executable, "-m", "deeplab_caffe.cli", "all", *_FLAGS]
    process = subprocess.Popen(command, cwd=tiny, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not (log := tiny / "exp/log/train.log").exists() or "Iteration 1" not in log.read_text():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 143
    assert "of 100000; the last complete snapshot is exp/model/train_iter_" in said and "Traceback" not in said
    assert said.endswith("; run the same command again to continue\n")
    assert len(list(tiny.glob("exp/model/train_iter_*.solverstate"))) == 1
    assert not (tiny / "exp/.deeplab.lock").exists() and not (tiny / "exp/stages/train.json").exists()
