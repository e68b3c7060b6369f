"""The stages of an experiment, run for real on eight small images."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from deeplab_caffe import cli
from deeplab_caffe.cli.stage_flags import read_by
from deeplab_caffe.data import write_label
from deeplab_caffe.experiment import STAGES, demo, run
from deeplab_caffe.experiment.stage_records import STAGE_NAMES
from deeplab_caffe.formats.weights import read_caffemodel
from experiment.conftest import TINY
from small_search import SPACE, search_little


@pytest.fixture(autouse=True)
def small_search(monkeypatch: pytest.MonkeyPatch) -> None:
    search_little(monkeypatch)


def test_all_stages_run_and_are_not_run_again(
    tiny: Path, deeplab: Callable[..., int], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert deeplab("all") == 0
    first = capsys.readouterr().out
    for stage in STAGES:
        assert f"== {stage}" in first
    assert "mean IoU" in first and "report:" in first
    page = (tiny / "exp/report/index.html").read_text()
    assert "data:image/png;base64" in page and "http" not in page.split("<body")[1]
    record = json.loads((tiny / "exp/evaluation.json").read_text())
    assert sum(map(sum, record["confusion_before"])) == 2 * (40 * 48 - 22)  # label 255 is not counted
    assert deeplab("all") == 0
    again = capsys.readouterr().out
    assert again.count("already done") == len(STAGES) - 1  # there is no second stage of training
    assert "mean IoU" in again and "report:" in again
    _say_so_without_libraries_that_compute(tiny)
    monkeypatch.setattr("deeplab_caffe.experiment.stages.report.page_sources", lambda: ["other templates"])
    assert deeplab("report") == 0
    assert "already done" not in capsys.readouterr().out  # a page of another version is outdated


#: every stage of the finished experiment in a process of its own, with the search space of `small_search`
_AGAIN = """
import sys
from deeplab_caffe.cli import main
from deeplab_caffe.experiment import create

create.SearchSpace = lambda **_: SPACE
for stage, *flags in CALLS:
    assert main([stage, "demo", "--data", "tiny.toml", "--exp", "exp", *flags]) == 0
heavy = {"torch", "numba", "cv2", "scipy", "h5py", "matplotlib"} & sys.modules.keys()
assert not heavy, heavy
"""


def _say_so_without_libraries_that_compute(folder: Path) -> None:
    calls = [[stage, *read_by(stage, TINY)] for stage in (*STAGES, "all")]
    script = f"from deeplab_caffe.crf.search import SearchSpace\nCALLS, SPACE = {calls!r}, {SPACE!r}\n{_AGAIN}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr
    for stage in STAGES:
        said = {line for line in done.stdout.splitlines() if line.startswith(f"== {stage}:")}
        assert len(said) == 1 and ("already done" in said.pop()) == (stage != "train2")


def test_what_changed_is_done_again_and_snapshots_are_kept(
    tiny: Path, deeplab: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    for stage in ("data", "prototxt", "train"):
        assert deeplab(stage) == 0
    before = read_caffemodel(tiny / "exp/model/train_iter_4.caffemodel")
    assert deeplab("prototxt", "--base-lr", "0.02") == 0
    assert deeplab("train", "--base-lr", "0.02") == 0
    assert "the snapshots of the earlier training were moved to" in capsys.readouterr().out
    kept = read_caffemodel(tiny / "exp/model/before-1/train_iter_4.caffemodel")
    after = read_caffemodel(tiny / "exp/model/train_iter_4.caffemodel")
    assert np.array_equal(before[1].blobs[0].data, kept[1].blobs[0].data)
    assert not np.array_equal(before[1].blobs[0].data, after[1].blobs[0].data)


def test_a_net_edited_by_hand_is_kept_and_trained(
    tiny: Path, deeplab: Callable[..., int], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    deeplab("data"), deeplab("prototxt")
    net = tiny / "exp/prototxt/train.prototxt"
    edited = net.read_text().replace('name: "fc6"', 'name: "fc6_mine"', 1)
    net.write_text(edited)
    assert deeplab("prototxt", "--force") == 0
    assert net.read_text() == edited and "edited by hand" in capsys.readouterr().out
    assert deeplab("train") == 0
    names = [layer.name for layer in read_caffemodel(tiny / "exp/model/train_iter_4.caffemodel")]
    assert "fc6_mine" in names and "fc6" not in names
    monkeypatch.setenv("FORCE", "1")
    assert deeplab("prototxt") == 0
    assert net.read_text() != edited


def test_second_stage_starts_from_the_first(tiny: Path, deeplab: Callable[..., int]) -> None:
    flags = ["--train2-set", "train", "--iterations2", "2"]
    for stage in ("data", "prototxt", "train", "train2"):
        assert deeplab(stage, *read_by(stage, flags)) == 0
    log = (tiny / "exp/log/train2.log").read_text()
    assert "Finetuning from exp/model/train_iter_4.caffemodel" in log
    assert (tiny / "exp/model/train2_iter_2.caffemodel").is_file()


def test_a_crf_that_does_not_help_is_not_used(tiny: Path, deeplab: Callable[..., int]) -> None:
    for stage in ("data", "prototxt", "train", "test", "search"):
        assert deeplab(stage) == 0
    path = tiny / "exp/crf/search.json"
    result = json.loads(path.read_text())
    result["baseline_mean_iou"] = result["best_mean_iou"] + 0.1
    path.write_text(json.dumps(result))
    for stage in ("crf", "evaluate", "report"):
        assert deeplab(stage) == 0
    assert json.loads((tiny / "exp/evaluation.json").read_text())["after"] is None
    assert "did not help" in (tiny / "exp/report/index.html").read_text()


def test_held_out_images_are_not_trained_on(tiny: Path, deeplab: Callable[..., int]) -> None:
    assert deeplab("data") == 0
    lists = {p.stem: set(p.read_text().splitlines()) for p in (tiny / "exp/list").glob("*.txt")}
    assert lists["heldout"] and not lists["heldout"] & lists["train"]
    assert lists["heldout"] | lists["train"] == set((tiny / "train.txt").read_text().splitlines())


def test_a_stage_that_was_interrupted_is_done_again(
    tiny: Path, deeplab: Callable[..., int], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for stage in ("data", "prototxt", "train", "test"):
        assert deeplab(stage) == 0
    complete = sorted(path.name for path in (tiny / "exp/result/val").iterdir())

    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("deeplab_caffe.experiment.stages.test.resize_scores", interrupted)
        assert deeplab("test", "--force") == 130
    shown = capsys.readouterr().err
    assert "interrupted in stage test; run the same command again to continue" in shown
    assert deeplab("search") == 2
    assert "stage test is not finished" in capsys.readouterr().err
    assert deeplab("test") == 0
    assert sorted(path.name for path in (tiny / "exp/result/val").iterdir()) == complete


def test_comments_and_display_do_not_start_a_training_anew(
    tiny: Path, deeplab: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    for stage in ("data", "prototxt", "train"):
        assert deeplab(stage) == 0
    net = tiny / "exp/prototxt/train.prototxt"
    net.write_text("# my remark\n" + net.read_text())
    assert deeplab("prototxt", "--display", "2") == 0
    capsys.readouterr()
    assert deeplab("train") == 0
    assert "already done" in capsys.readouterr().out
    assert deeplab("train", "--force") == 0
    assert "the snapshots of the earlier training were moved to" in capsys.readouterr().out


def test_a_new_first_stage_makes_a_new_second_one(
    tiny: Path, deeplab: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--train2-set", "train", "--iterations2", "2"]
    for stage in ("data", "prototxt", "train", "train2"):
        assert deeplab(stage, *read_by(stage, flags)) == 0
    path = tiny / "exp/model/train2_iter_2.caffemodel"
    before = path.read_bytes()
    assert deeplab("prototxt", "--base-lr", "0.02") == 0
    for stage in ("train", "train2"):
        assert deeplab(stage) == 0
    assert path.read_bytes() != before


def test_changed_labels_are_checked_and_scored_again(
    tiny: Path, deeplab: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert deeplab("all") == 0
    before = json.loads((tiny / "exp/evaluation.json").read_text())["confusion_before"]
    write_label(tiny / "labels/i7.png", np.full((40, 48), 2, np.uint8))
    capsys.readouterr()
    assert deeplab("all") == 0
    assert "== train: already done" in capsys.readouterr().out
    assert json.loads((tiny / "exp/evaluation.json").read_text())["confusion_before"] != before


def test_weights_put_there_by_hand_are_used(
    tiny: Path, deeplab: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    for stage in ("data", "prototxt", "train"):
        assert deeplab(stage) == 0
    weights = (tiny / "exp/model/train_iter_4.caffemodel").read_bytes()
    shutil.rmtree(tiny / "exp")
    (tiny / "exp/model").mkdir(parents=True)
    (tiny / "exp/model/train_iter_4.caffemodel").write_bytes(weights)
    capsys.readouterr()
    assert deeplab("all") == 0
    assert "was provided, not trained here" in capsys.readouterr().out
    assert (tiny / "exp/model/train_iter_4.caffemodel").read_bytes() == weights


def test_an_experiment_keeps_to_its_data_and_says_what_it_remembers(
    tiny: Path, deeplab: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert deeplab("data") == 0 and deeplab("prototxt") == 0
    capsys.readouterr()
    assert cli.main(["data", "demo", "--exp", "exp"]) == 0
    assert "as before: " in (said := capsys.readouterr().out) and "iterations 4" in said
    (tiny / "other.toml").write_text((tiny / "tiny.toml").read_text())
    assert cli.main(["data", "demo", "--exp", "exp", "--data", "other.toml"]) == 2
    assert "exp holds an experiment on tiny.toml; use another folder" in capsys.readouterr().err


def test_a_stage_on_its_own_says_what_is_out_of_date(
    tiny: Path, deeplab: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert deeplab("all") == 0
    net = tiny / "exp/prototxt/train.prototxt"
    net.write_text(net.read_text().replace("dropout_ratio: 0.1", "dropout_ratio: 0.2"))
    capsys.readouterr()
    assert deeplab("evaluate") == 0
    assert "note: out of date, because the inputs have changed: train" in capsys.readouterr().out


def test_records_know_every_stage_in_order() -> None:
    assert tuple(STAGES) == STAGE_NAMES


def test_quick_demo_is_shorter() -> None:
    assert demo(quick=True).options.iterations < demo().options.iterations
    with pytest.raises(RuntimeError, match="unknown stage 'trian'; did you mean 'train'"):
        run(demo(quick=True), ["trian"])


def test_scores_on_training_images_are_told(
    tiny: Path, deeplab: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    for stage in ("data", "prototxt", "train", "test"):
        assert deeplab(stage) == 0
    assert "was trained on" not in capsys.readouterr().err
    record = json.loads((tiny / "exp/model/train_iter_4.trained_on.json").read_text())
    assert [Path(name).name for name in record["lists"]] == ["train.txt"]
    shutil.rmtree(tiny / "exp/scores")
    for stage in ("prototxt", "test"):
        assert deeplab(stage, "--test-set", "train") == 0
    assert "images of 'train'; scores on them are too optimistic" in capsys.readouterr().err


def test_weights_that_lack_a_layer_are_refused_for_testing(
    tiny: Path, deeplab: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    for stage in ("data", "prototxt", "train"):
        assert deeplab(stage) == 0
    net = tiny / "exp/prototxt/test.prototxt"
    net.write_text(net.read_text().replace('name: "fc6"', 'name: "fc6_mine"', 1))
    assert deeplab("test") == 2
    assert "has no weights for 1 of its layers: fc6_mine" in capsys.readouterr().err
    assert deeplab("test", "--allow-uninitialized") == 0
