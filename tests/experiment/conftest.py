"""A data set of eight small images, and a net narrow enough to train on it in a moment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from deeplab_caffe import cli
from deeplab_caffe.cli.stage_flags import read_by
from deeplab_caffe.data import write_label

#: flags of a net that trains in a second
TINY = [
    "--crop",
    "33",
    "--batch-size",
    "2",
    "--width",
    "0.03",
    "--iterations",
    "4",
    "--snapshot",
    "2",
    "--display",
    "1",
]


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the working directory, with tiny.toml beside images and lists of three classes."""
    monkeypatch.chdir(tmp_path)
    make_tiny(tmp_path)
    return tmp_path


def make_tiny(tmp_path: Path) -> None:
    """Write the tiny data set into a folder."""
    random = np.random.default_rng(0)
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    for i in range(8):
        label = np.zeros((40, 48), np.uint8)
        label[8:30, 4 + 3 * i : 24 + 3 * i] = 1 + i % 2
        label[8:30, 24 + 3 * i] = 255
        image = np.array([[40, 90, 60], [200, 60, 30], [30, 80, 220], *[[0, 0, 0]] * 252, [255] * 3], np.uint8)[label]
        noisy = np.clip(image.astype(int) + random.integers(-20, 20, image.shape), 0, 255).astype(np.uint8)
        cv2.imwrite(str(tmp_path / "images" / f"i{i}.png"), noisy)
        write_label(tmp_path / "labels" / f"i{i}.png", label)
    lines = [f"/images/i{i}.png /labels/i{i}.png\n" for i in range(8)]
    (tmp_path / "train.txt").write_text("".join(lines[:6]))
    (tmp_path / "val.txt").write_text("".join(lines[6:]))
    (tmp_path / "tiny.toml").write_text(
        'name = "tiny"\nclasses = ["ground", "red", "blue"]\n[lists]\ntrain = "train.txt"\nval = "val.txt"\n'
    )


@pytest.fixture
def deeplab() -> Callable[..., int]:
    """Run `deeplab STAGE demo` on the tiny data set; returns the exit code."""

    def run(stage: str, *flags: str) -> int:
        return cli.main([stage, "demo", "--data", "tiny.toml", "--exp", "exp", *read_by(stage, TINY), *flags])

    return run
