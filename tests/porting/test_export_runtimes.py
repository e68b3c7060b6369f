"""Exports for other runtimes: compared where they are installed; what is missing is said, nothing is half written."""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from random_nets import randomised

from deeplab_caffe import caffe
from deeplab_caffe.cli import main
from deeplab_caffe.errors import InputError
from deeplab_caffe.porting.export import runtimes
from deeplab_caffe.porting.export.graph import Graph, graph_of
from deeplab_caffe.porting.export.runtimes import RUNTIMES, Runtime

pytest.importorskip("onnx")

NET = """
input: "data" input_shape { dim: 1 dim: 3 dim: 33 dim: 33 }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 4 kernel_size: 3 pad: 2 dilation: 2 stride: 2 } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { kernel_size: 3 stride: 1 pad: 1 } }
layer { name: "sum" type: "Eltwise" bottom: "pool" bottom: "conv" top: "sum" }
layer { name: "up" type: "Interp" bottom: "sum" top: "up" interp_param { zoom_factor: 2 } }
layer { name: "prob" type: "Softmax" bottom: "up" top: "prob" }
layer { name: "mean" type: "Pooling" bottom: "sum" top: "mean" pooling_param { pool: AVE global_pooling: true } }
"""


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    (tmp_path / "net.prototxt").write_text(NET)
    randomised(caffe.Net(str(tmp_path / "net.prototxt"), caffe.TEST)).save(tmp_path / "net.caffemodel")
    return [str(tmp_path / "net.prototxt"), "-w", str(tmp_path / "net.caffemodel")]


@pytest.mark.parametrize("kind", RUNTIMES)
def test_a_runtime_computes_the_same(
    kind: str, files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runtime = RUNTIMES[kind]
    if missing := [name for name in runtime.modules if importlib.util.find_spec(name) is None]:
        pytest.skip(f"{missing[0]} is not installed")
    assert main(["export", kind, *files, "-o", str(tmp_path / f"out{runtime.suffixes[0]}")]) == 0
    assert all((tmp_path / f"out{suffix}").exists() for suffix in runtime.suffixes)
    printed = capsys.readouterr().out
    assert "prob: at most" in printed and "mean: at most" in printed if runtime.runs_here else "not compared" in printed


@pytest.mark.parametrize("kind", RUNTIMES)
def test_a_runtime_that_is_not_installed_is_named(
    kind: str, files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = dataclasses.replace(RUNTIMES[kind], modules=["no_such_module"])
    monkeypatch.setitem(RUNTIMES, kind, absent)
    assert main(["export", kind, *files, "-o", str(tmp_path / "out")]) == 2
    message = f"exporting for {absent.title} needs the package no_such_module: pip install {absent.packages}"
    assert message in capsys.readouterr().err
    assert not list(tmp_path.glob("*out*"))


# -- with a runtime of our own


def _copies(graph: Graph, made: Path) -> None:
    """A converter that writes two files."""
    made.with_suffix(".a").write_text(graph.name)
    made.with_suffix(".b").write_text("weights")


def _refuses(graph: Graph, made: Path) -> None:
    made.with_suffix(".a").write_text("half")
    raise ValueError("unknown\n   operator 7")


def _answers(factor: float) -> Any:
    def load(graph: Graph, prefix: Path) -> Any:
        net = caffe.Net(graph.source, caffe.TEST)
        net.copy_from(prefix.with_name("net.caffemodel"))

        def run(inputs: dict[str, np.ndarray]) -> Mapping[str, np.ndarray]:
            return {name: values * np.float32(factor) for name, values in net.forward(**inputs).items()}

        return run

    return load


def _own(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    own = Runtime("Toy", [], "toy", [".a", ".b"], _copies, _answers(1))
    monkeypatch.setitem(runtimes.RUNTIMES, "ncnn", dataclasses.replace(own, **changes))


def test_outputs_that_differ_are_an_error(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["export", "ncnn", *files, "-o", str(tmp_path / "out")]
    _own(monkeypatch)
    assert main(words) == 0
    _own(monkeypatch, load=_answers(1.01))
    assert main(words) == 2
    assert "differs by 0.01" in capsys.readouterr().err


def test_a_converter_that_fails_leaves_what_was_there(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out.a").write_text("before")
    _own(monkeypatch, convert=_refuses)
    assert main(["export", "ncnn", *files, "-o", str(tmp_path / "out")]) == 2
    assert "Toy's converter refuses the net: unknown operator 7" in capsys.readouterr().err
    assert (tmp_path / "out.a").read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.caffemodel", "net.prototxt", "out.a"]


def test_an_image_that_cannot_be_read_is_told_before_anything_is_written(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _own(monkeypatch)
    (tmp_path / "empty.jpg").touch()
    words = ["export", "ncnn", *files, "-o", str(tmp_path / "out"), "--image", str(tmp_path / "empty.jpg")]
    assert main(words) == 2
    assert f"{tmp_path / 'empty.jpg'}: " in capsys.readouterr().err
    assert not list(tmp_path.glob("out*"))


def test_a_folder_that_is_missing_is_named(files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _own(monkeypatch)
    net = caffe.Net(files[0], caffe.TEST)
    with pytest.raises((InputError, OSError), match="missing"):
        RUNTIMES["ncnn"].write(graph_of(net), tmp_path / "missing" / "out")
