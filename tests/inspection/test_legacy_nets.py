"""A net of every dialect, from the file of its year to numbers: upgrade, lint, build, forward."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import legacy_nets
from deeplab_caffe import caffe
from deeplab_caffe.cli import main
from deeplab_caffe.formats.prototxt import Document
from deeplab_caffe.formats.templates import template_values
from deeplab_caffe.inspection.lint import Linter, as_text, chosen

#: name → (phase, blob to look at, its shape)
RESULTS = {
    "v0": (caffe.TEST, "prob", (1, 5)),
    "v1": (caffe.TRAIN, "loss", ()),
    "deeplab_v1": (caffe.TRAIN, "accuracy", (1, 1, 1, 3)),
    "deeplab_v1_deploy": (caffe.TEST, "labels", (1, 1, 22, 22)),
    "deeplab_v1_bbox": (caffe.TRAIN, "loss_bbox", ()),
    "deeplab_v2": (caffe.TRAIN, "fc_fusion", (1, 6, 33, 33)),
    "pspnet": (caffe.TEST, "concat", (1, 12, 13, 13)),
    "bvlc": (caffe.TRAIN, "loss", ()),
}


def test_every_legacy_net_is_here():
    assert sorted(RESULTS) == legacy_nets.NETS


@pytest.mark.parametrize("name", RESULTS)
def test_a_net_of_every_dialect_runs(name, tmp_path):
    path = tmp_path / "net.prototxt"
    settings = [f"--set={k}={v}" for k, v in legacy_nets.values(tmp_path, name).items()]
    old = str(legacy_nets.FOLDER / f"{name}.prototxt")
    assert main(["prototxt", "upgrade", old, "-o", str(path), "--report", "none"]) == 0
    errors = [f for f in Linter(chosen(), template_values([], {})).lint(path) if f.severity == "error"]
    assert not errors, as_text(errors)
    assert main(["prototxt", "upgrade", old, "-o", str(path), "--report", "none", "--fill", *settings]) == 0
    assert Document.read(path).variables == []
    found = Linter(chosen(), None).lint(path)
    assert not [f for f in found if f.severity == "error"], as_text(found)
    _run(path, *RESULTS[name])


def _run(path: Path, phase: int, blob: str, shape: tuple[int, ...]) -> None:
    random = np.random.default_rng(0)
    net = caffe.Net(str(path), phase)
    for name in net.inputs:
        data = net.blobs[name].data
        data[...] = random.normal(0, 1, data.shape) if data.shape[1] == 3 else 1
    net.forward()
    assert net.blobs[blob].data.shape == shape
    assert np.isfinite(net.blobs[blob].data).all()
    if phase == caffe.TRAIN:
        net.backward()
