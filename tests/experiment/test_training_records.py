"""Curves of trainings from tables and logs, what results were made with, and what experiments did differently."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from deeplab_caffe.evaluation import accuracies_of_log, parse_train_log
from deeplab_caffe.experiment import made_with
from deeplab_caffe.experiment.different_settings import NONE, different_settings
from deeplab_caffe.experiment.training_records import training_files, training_stages
from deeplab_caffe.nets import GeneratorOptions, generate, write_files

HEAD = "iteration,seconds,lr,loss,pixel_accuracy,mean_accuracy,mean_iou\n"
LINE = "I0101 12:00:00.000000 1 solver.cpp:1] "


def log_of(*iterations: int, net: str = "Train") -> str:
    lines = []
    for i in iterations:
        lines += [f"Iteration {i}, loss = 0.5"] if net == "Train" else [f"Iteration {i}, Testing net (#0)"]
        lines += [f"{net} net output #{k}: accuracy = {0.1 * (k + 1) + i / 1000:.3f}" for k in range(3)]
        lines += [f"Iteration {i}, lr = 0.01"] if net == "Train" else []
    return "".join(f"{LINE}{line}\n" for line in lines)


def test_the_outputs_of_seg_accuracy_have_names() -> None:
    log = parse_train_log(log_of(0, 10) + log_of(10, net="Test"))
    found = accuracies_of_log(log, "train")
    assert {name: values.tolist() for name, (_, values) in found.items()} == {
        "pixel_accuracy": [0.1, 0.11],
        "mean_accuracy": [0.2, 0.21],
        "mean_iou": [0.3, 0.31],
    }
    assert accuracies_of_log(log, "test")["mean_iou"][1].tolist() == [0.31]
    two = log_of(0).replace("Train net output #2: accuracy", "Train net output #2: other")
    assert accuracies_of_log(parse_train_log(two), "train") == {}


def test_tables_come_before_logs(tmp_path: Path) -> None:
    assert training_stages(tmp_path) == ([], [])
    (tmp_path / "train.log").write_text(log_of(0, 10))
    losses, accuracies = training_stages(tmp_path)
    assert losses[0].loss.tolist() == [0.5, 0.5] and losses[0].lr.tolist() == [0.01, 0.01]
    assert accuracies[0].training["mean_iou"][1].tolist() == [0.3, 0.31] and not accuracies[0].validation
    (tmp_path / "train.csv").write_text(HEAD + "0,0.1,0.1,2,0.5,,\n5,1,0.05,1,0.6,,0.25\n9,2,,0.5,,,\n")
    (tmp_path / "validation.csv").write_text(HEAD + "5,1.5,,,0.7,0.6,0.5\n")
    losses, accuracies = training_stages(tmp_path)
    assert losses[0].iteration.tolist() == [0, 5, 9] and np.isnan(losses[0].lr[2])
    assert {k: (x.tolist(), y.tolist()) for k, (x, y) in accuracies[0].training.items()} == {
        "pixel_accuracy": ([0, 5], [0.5, 0.6]),
        "mean_iou": ([5], [0.25]),
    }
    assert accuracies[0].validation["mean_accuracy"][1].tolist() == [0.6]
    assert {tmp_path / "train2.log", tmp_path / "validation2.csv"} <= {*training_files(tmp_path)}


def test_a_log_has_what_was_before_the_table(tmp_path: Path) -> None:
    (tmp_path / "train.log").write_text(log_of(0, 10, 20))
    (tmp_path / "train.csv").write_text(HEAD + "15,1,0.05,1,,,0.25\n20,2,,0.6,,,\n")
    losses, accuracies = training_stages(tmp_path)
    assert (losses[0].iteration.tolist(), losses[0].loss.tolist()) == ([0, 10, 15, 20], [0.5, 0.5, 1, 0.6])
    assert losses[0].lr[:3].tolist() == [0.01, 0.01, 0.05] and accuracies[0].end == 20
    assert accuracies[0].training["mean_iou"][1].tolist() == [0.3, 0.31, 0.25]


# -- what a result was made with


def test_versions_hardware_and_the_commit_of_a_clone() -> None:
    found = made_with.made_with()
    assert {"date", "deeplab-caffe", "torch", "numpy", "OpenCV", "Python", "processor", "cores"} <= found.keys()
    assert all(found.values()) and found["cores"] in made_with.hardware() or "GPU" in found


def test_a_package_in_another_projects_repository_has_no_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(made_with, "_git", lambda folder, *words: "" if words[0] == "ls-files" else "abc")
    assert made_with.commit() == ""
    monkeypatch.setattr(made_with, "_git", lambda folder, *words: "abc")
    assert made_with.commit() == "abc+"


# -- what experiments did differently


def experiment(folder: Path, seconds: float, **options: object) -> Path:
    made = GeneratorOptions(folder=str(folder / "prototxt"), experiment=str(folder), **options)
    write_files(folder / "prototxt", generate("voc12/largefov", made))
    for name, record in {
        "stages/train.json": {"inputs": "", "seconds": seconds, "made_with": {"processor": "P"}},
        "evaluation.json": {"list": "val"},
        "result_crf/val/done.json": {"used": seconds > 5, "from": "preset X"},
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(record))
    return folder


def test_settings_that_are_not_the_same_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first = experiment(Path("a"), 5, base_lr=0.002)
    second = experiment(Path("b"), 7, width=0.5)
    rows = dict(different_settings({"A": first, "B": second}))
    assert rows["training: base_lr"] == ["0.002", "0.001"] and rows["net: width"] == [NONE, "0.5"]
    assert rows["time of training, seconds"] == ["5", "7"] and rows["CRF"] == ["not used", "preset X"]
    assert "model" not in rows and "trained with: processor" not in rows and not any("prefix" in name for name in rows)
    assert different_settings({"A": first, "again": first}) == []
    (second / "evaluation.json").write_text("[")
    (second / "prototxt/train.prototxt").write_text("layer {")
    assert dict(different_settings({"A": first, "B": second}))["CRF"] == ["not used", NONE]


def test_nets_are_those_that_an_experiment_remembers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first, second = experiment(Path("a"), 5), experiment(Path("b"), 5)
    made = GeneratorOptions(folder="mine", experiment="b", base_lr=0.5)
    write_files(tmp_path / "mine", generate("voc12/largefov", made))
    (second / "experiment.json").write_text(json.dumps({"nets": "mine"}))
    assert dict(different_settings({"A": first, "B": second}))["training: base_lr"] == ["0.001", "0.5"]
