"""What the tests of the shipped Python layers share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from deeplab_caffe import caffe
from deeplab_caffe.caffe import log
from deeplab_caffe.data import write_label

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _quiet_and_seeded() -> Iterator[None]:
    caffe.set_mode_cpu()
    caffe.set_random_seed(1)
    log.set_stderr(False)
    yield
    log.set_stderr(True)


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: tiny.toml describes eight images of three classes, none larger than 33 x 33 pixels."""
    return make_tiny(tmp_path, monkeypatch)


def make_tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the data set in a folder, which becomes the working directory."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    lines = []
    for i in range(8):
        label = np.zeros((33 - i, 29), np.uint8)
        label[4:20, 2 + i : 12 + i] = 1 + i % 2
        label[4:20, 12 + i] = 255
        colours = np.array([[40, 90, 60], [200, 60, 30], [30, 80, 220], *[[0, 0, 0]] * 252, [255] * 3])
        noisy = np.clip(colours[label] + random.integers(-20, 20, (*label.shape, 3)), 0, 255)
        cv2.imwrite(f"i{i}.png", noisy.astype(np.uint8))
        write_label(tmp_path / f"l{i}.png", label)
        lines.append(f"/i{i}.png /l{i}.png\n")
    (tmp_path / "train.txt").write_text("".join(lines[:6]))
    (tmp_path / "val.txt").write_text("".join(lines[6:]))
    (tmp_path / "tiny.toml").write_text(
        'name = "tiny"\nclasses = ["ground", "red", "blue"]\n[lists]\ntrain = "train.txt"\nval = "val.txt"\n'
    )
    return tmp_path
