"""Class weights in an experiment: counted on the part that is trained on, in the stages' hashes, and in the report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from deeplab_caffe.cli.stage_flags import read_by
from deeplab_caffe.data import read_dataset
from deeplab_caffe.data.checking import count_labels
from deeplab_caffe.data.class_weights import median_frequency
from deeplab_caffe.experiment import demo, report_settings
from deeplab_caffe.experiment.class_weights import class_weight_settings
from deeplab_caffe.formats.infogain import read_diagonal, write_diagonal

Run = Callable[..., int]
Captured = pytest.CaptureFixture[str]
MATRIX = Path("exp/prototxt/class_weights.binaryproto")


def test_weights_are_counted_on_what_is_trained_on(
    tiny: Path, deeplab: Run, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    for stage in ("data", "prototxt", "train"):
        assert deeplab(stage, *read_by(stage, ["--class-weights", "median-frequency"])) == 0
    counts = count_labels(read_dataset("exp/dataset.toml"), "train")
    assert len(counts.files) == 5  # one of six is held out
    weights = median_frequency(counts)
    np.testing.assert_allclose(read_diagonal(MATRIX), weights, rtol=1e-6)
    experiment = demo("tiny.toml", "exp")
    sections = {"class weights": {"by": "median-frequency", **_shown(weights)}}
    assert class_weight_settings(experiment) == sections
    for other in ("_test_settings", "_crf_settings"):  # of stages that did not run
        monkeypatch.setattr(report_settings, other, lambda *_: {})
    assert sections.items() <= report_settings.settings(experiment, None).items()
    capsys.readouterr()
    assert deeplab("train") == 0
    assert "already done" in capsys.readouterr().out
    write_diagonal(MATRIX, [1, 2, 3])  # what the net reads has changed
    assert deeplab("train") == 0
    assert "train: already done" not in capsys.readouterr().out
    assert class_weight_settings(experiment)["class weights"]["red"] == "2"


def _shown(weights: NDArray[np.float64]) -> dict[str, str]:
    return {name: f"{weight:.4g}" for name, weight in zip(("ground", "red", "blue"), weights, strict=True)}


def test_an_edited_net_without_weights_is_said(tiny: Path, deeplab: Run, capsys: Captured) -> None:
    assert deeplab("data") == 0 and deeplab("prototxt") == 0
    net = Path("exp/prototxt/train.prototxt")
    net.write_text(net.read_text().replace("mirror: true", "mirror: false"))
    assert deeplab("prototxt", "--class-weights", "inverse") == 0 and deeplab("train") == 0
    words = f"{net} has no loss with class weights, although inverse was asked for"
    assert f"warning: {words}" in capsys.readouterr().out
    assert words in str(class_weight_settings(demo("tiny.toml", "exp"))["class weights"]["not used"])



def test_nets_without_weights_have_no_matrix(tiny: Path, deeplab: Run) -> None:
    assert deeplab("data") == 0 and deeplab("prototxt") == 0
    assert not MATRIX.exists() and "SoftmaxWithLoss" in Path("exp/prototxt/train.prototxt").read_text()


def test_a_change_of_the_file_of_weights_is_noticed(tiny: Path, deeplab: Run, capsys: Captured) -> None:
    Path("w.json").write_text("[1, 2, 3]")
    assert deeplab("data") == 0 and deeplab("prototxt", "--class-weights", "w.json") == 0
    assert read_diagonal(MATRIX) == [1, 2, 3]
    assert deeplab("prototxt") == 0  # the option is remembered
    assert "already done" in capsys.readouterr().out
    Path("w.json").write_text("[1, 2, 4]")
    assert deeplab("prototxt") == 0
    assert read_diagonal(MATRIX) == [1, 2, 4]
