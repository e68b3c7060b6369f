"""`deeplab crf-search`: on an experiment and on folders, what it writes, prints and applies."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from deeplab_caffe import cli
from deeplab_caffe.data import write_label
from deeplab_caffe.nets import is_untouched

SMALL = ["--sigma-alpha", "10:10:20", "--w1", "4", "--sigma-beta", "4:5", "--iterations", "2"]
SMALL += ["--fine-w1=0", "--fine-sigma-alpha=-5:5:5", "--fine-sigma-beta=0"]
FOLDERS = ["--scores", "exp/scores/val", "--images", "images", "--labels", "labels", "--size", "image", "-o", "found"]


@pytest.fixture
def tested(tiny: Path, deeplab: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> Path:
    for stage in ("data", "prototxt", "train", "test"):
        assert deeplab(stage) == 0
    capsys.readouterr()
    return tiny


def test_what_was_found_on_folders_is_applied_to_an_experiment(
    tested: Path, deeplab: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["crf-search", *FOLDERS, "--data", "tiny.toml", *SMALL, "--apply", "demo", "--exp", "exp"]
    assert cli.main(command) == 0
    said = capsys.readouterr().out
    assert "red" in said and "The CRF " in said and "exp/crf/parameters.json: the stage crf of tiny/largefov" in said
    names = ["parameters.json", "search.csv", "search.journal", "search.json", "search.png"]
    assert sorted(path.name for path in (tested / "found").iterdir()) == names
    assert min(cv2.imread(str(tested / "found/search.png")).shape[:2]) > 200
    parameters = json.loads((tested / "found/parameters.json").read_text())
    assert json.loads((tested / "exp/crf/parameters.json").read_text()) == parameters
    assert parameters["iterations"] == 2
    record = json.loads((tested / "found/search.json").read_text())
    assert len(record["classes_before"]) == len(record["classes_after"]) == 3 and len(record["gain_interval"]) == 2
    assert deeplab("search") == 0
    assert "search: already done" in capsys.readouterr().out
    for stage in ("crf", "evaluate"):
        assert deeplab(stage) == 0
    assert (json.loads((tested / "exp/evaluation.json").read_text())["after"] is not None) == record["helps"]


def test_the_test_net_on_another_list_does_not_count_as_edited(tested: Path) -> None:
    copies = list((tested / "exp/prototxt").glob("test_*.prototxt"))
    assert copies and all(is_untouched(path.read_text()) for path in copies)


def test_an_experiments_own_scores_are_searched_and_only_applied_when_told(tested: Path) -> None:
    command = ["crf-search", "demo", "--exp", "exp", *SMALL]
    assert cli.main(command) == 0
    assert json.loads((tested / "exp/crf-search/search.json").read_text())["images"] == 1
    assert not (tested / "exp/crf").exists()
    assert cli.main([*command, "--apply"]) == 0
    assert (tested / "exp/crf/parameters.json").is_file() and (tested / "exp/stages/search.json").is_file()


def test_an_interrupted_search_says_how_to_go_on(
    tested: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    command = ["crf-search", *FOLDERS, *SMALL]
    with monkeypatch.context() as patch:
        patch.setattr("deeplab_caffe.crf.search.grid_search._Search._coarse", interrupted)
        assert cli.main(command) == 130
    assert "kept in found/search.journal; run the same command again to continue" in capsys.readouterr().err
    assert cli.main(command) == 0


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "expected an experiment's NAME, or --scores, --images and --labels"),
        (["--scores", "images"], "expected an experiment's NAME, or --scores, --images and --labels"),
        (["demo", *FOLDERS], "not both"),
        ([*FOLDERS[:-2]], "missing -o FOLDER for the results"),
        ([*FOLDERS, "--w1", "3:1"], "range '3:1' has no values"),
        ([*FOLDERS, "--apply"], "--apply: missing the name of an experiment"),
        ([*FOLDERS, "--apply", "demo", "--exp", "new"], "stage data is not finished"),
        ([*FOLDERS, "--scheduler", "here"], "wanted an address such as tcp://host:8786"),
        (["--scores", "images", *FOLDERS[2:]], "i0.png: expected probabilities as a grey PNG, got 3 channels"),
    ],
)
def test_what_cannot_be_searched_is_one_line(
    tiny: Path, flags: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:

    (tiny / "exp/scores/val").mkdir(parents=True)
    np.save(tiny / "exp/scores/val/i6.npy", np.zeros((3, 5, 6), np.float32))
    assert cli.main(["crf-search", *flags]) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1 and "Traceback" not in said


def test_labels_that_make_no_sense_are_noticed(tested: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["crf-search", *FOLDERS, "--data", "tiny.toml", *SMALL, "--max-images", "2"]
    for path in (tested / "labels").iterdir():
        write_label(path, np.zeros((40, 48), np.uint8))
    assert cli.main(command) == 0
    assert "warning: labels: every pixel of all 2 labels is 0 'ground': scores on this list" in capsys.readouterr().err
    for path in (tested / "labels").iterdir():
        write_label(path, np.full((40, 48), 255, np.uint8))
    assert cli.main(command) == 2
    assert "labels: every pixel of all 2 labels is 255" in (error := capsys.readouterr().err)
    assert "there is nothing to score" in error
