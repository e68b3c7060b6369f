"""Every stage of an experiment on an installed pycaffe, with a strict stand-in for it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from deeplab_caffe.evaluation import read_train_log, read_training

_HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict, str, str]:
    """The folder, what was found, standard output and standard error of all the runs."""
    folder = tmp_path_factory.mktemp("system")
    with pytest.MonkeyPatch.context() as patch:
        from bvlc.conftest import make_tiny

        make_tiny(folder, patch)
    environment = {**os.environ, "PYTHONPATH": str(_HERE / "pycaffe"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(_HERE / "on_system.py")]
    process = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert process.returncode == 0, process.stderr[-3000:]
    return folder, json.loads((folder / "found.json").read_text()), process.stdout, process.stderr


def test_all_stages_run(ran: tuple[Path, dict, str, str]) -> None:
    folder, found, output, _ = ran
    assert found["all"] == found["again"] == 0
    assert found["module"] == str(_HERE / "pycaffe" / "caffe" / "__init__.py")
    assert "mean IoU" in output and "report:" in output
    record = json.loads((folder / "exp/evaluation.json").read_text())
    assert sum(map(sum, record["confusion_before"])) > 0
    assert output.count("== train: already done, nothing has changed") == 1


def test_several_passes_on_pycaffe_are_those_of_the_embedded_one(ran: tuple[Path, dict, str, str]) -> None:
    _, found, _, _ = ran
    assert found["passes"] == 0 and found["same passes"] < 2e-5
    assert found["done"]["protocol"].startswith("scales 0.5, 1.5; mirrored too; regions of 25 x 25 pixels")


def test_the_log_is_kept(ran: tuple[Path, dict, str, str]) -> None:
    """What C++ writes to standard error lands in the log, line by line; the table has its losses."""
    folder, _, _, error = ran
    table = read_train_log(folder / "exp/log/train.log")
    iterations, losses = table.series("loss")
    assert list(iterations) == [0, 4, 8] and all(loss > 0 for loss in losses)
    log = (folder / "exp/log/train.log").read_text()
    assert log.count("Snapshotting solver state") == 2 and "Optimization Done." in log
    assert "train 0/8, loss " in error and not re.search(r"Iteration 4 \(.*\), loss = ", error)
    rows = read_training(folder / "exp/log")["train"]
    assert rows.series("loss")[0].tolist() == [0, 4, 8] and list(rows.series("loss")[1]) == pytest.approx(list(losses))
    assert rows.series("mean_iou")[0].tolist() == [0, 4]


def test_nets_in_deeplabs_dialect_are_refused(ran: tuple[Path, dict, str, str]) -> None:
    _, found, _, error = ran
    assert (found["native data"], found["native prototxt"], found["native train"]) == (0, 0, 2)
    assert (
        "native/prototxt/train.prototxt:9:1: layer 'data' (ImageSegData): the installed Caffe" in error
        and "does not have this layer type; write the nets with --dialect bvlc" in error
    )


def test_what_only_the_embedded_one_can(ran: tuple[Path, dict, str, str]) -> None:
    _, found, _, error = ran
    assert (found["workers"], found["gpus"], found["strange"]) == (2, 2, 2)
    assert "--workers is only supported by the embedded Caffe" in error and "--gpu 0,1: expected one number" in error
    assert "would import the module 'os'" in error and "--allow-python-layers" in error


def test_errors_of_python_layers_are_one_line(ran: tuple[Path, dict, str, str]) -> None:
    _, found, _, error = ran
    assert found["vanished"] == 2
    assert (
        "deeplab: error: the test net: deeplab_layers.ImageSegData: exp/list/val.txt:2: ./i7.png does not exist or is "
        "not an image that can be read\n"
    ) in error
    assert "Traceback" not in error


def test_ctrl_c_leaves_a_snapshot_to_go_on_from(ran: tuple[Path, dict, str, str]) -> None:
    folder, found, output, error = ran
    assert found["stopped"] == 130
    assert "run the same command again to continue" in error
    (stop,) = {line for line in error.splitlines() if line.startswith("stopped at iteration")}
    iteration = int(stop.split()[3])
    assert iteration % 4 == 1 and (folder / f"stopped/model/train_iter_{iteration}.caffemodel").exists()
    assert found["damaged"] == 2
    assert "resuming from stopped/model/train_iter_" in output
    assert ".* to resume from the previous snapshot" in error
