"""Nets of many families through all tools: upgrade, lint, view, build, forward, and both exports."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from random_nets import randomised

from deeplab_caffe import caffe
from deeplab_caffe.cli import main
from deeplab_caffe.formats.prototxt import Document
from deeplab_caffe.inspection.lint import Linter, chosen
from family_nets import FAMILIES, REFUSED

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_passes_through_all_tools(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    old, net, weights = tmp_path / "old.prototxt", tmp_path / "net.prototxt", tmp_path / "w.caffemodel"
    old.write_text(FAMILIES[name]())
    assert main(["prototxt", "upgrade", str(old), "-o", str(net)]) == 0
    assert [str(f) for f in Linter(chosen()).lint(net) if f.severity == "error"] == []
    assert main(["prototxt", "view", str(net), "-o", str(tmp_path / "view.html")]) == 0
    for layer in Document.read(net).root.all("layer"):
        assert str(layer.value.text_of("name")) in (tmp_path / "view.html").read_text()

    built = randomised(caffe.Net(str(net), caffe.TEST))
    built.save(str(weights))
    for blob in built.inputs:
        shape = built.blobs[blob].shape
        random = np.random.default_rng(0).normal(0, 50, shape)
        built.blobs[blob].data[...] = random if len(shape) == 4 else [[96, 96, 1]]
    for blob, values in built.forward().items():
        assert np.isfinite(values).all() and values.size, blob

    for kind in ("torch", "onnx") if name in REFUSED else ():
        assert main(["export", kind, str(net), "-w", str(weights), "-o", str(tmp_path / f"{kind}_net")]) == 2
        assert f"({REFUSED[name]}): has no counterpart" in capsys.readouterr().err
    for kind in ("torch", "onnx") if name not in REFUSED else ():
        assert main(["export", kind, str(net), "-w", str(weights), "-o", str(tmp_path / f"{kind}_net")]) == 0
    records = list(tmp_path.glob("*_net*.json"))
    assert len(records) == (0 if name in REFUSED else 2)
    assert all(json.loads(path.read_text())["passed"] for path in records)
