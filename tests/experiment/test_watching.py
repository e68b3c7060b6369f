"""What is seen of a training while it runs, and that none of it changes what is trained."""

from __future__ import annotations

import importlib.util
import io
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from deeplab_caffe.data import read_label
from deeplab_caffe.engine import Beginning, Displayed
from deeplab_caffe.engine.embedded import Embedded
from deeplab_caffe.evaluation import Scores, confusion_matrix, read_training
from deeplab_caffe.evaluation.training_tables import TrainingTable, read_table
from deeplab_caffe.experiment.watching.accuracies import Accuracies
from deeplab_caffe.experiment.watching.progress import Progress
from deeplab_caffe.experiment.watching.validation import validation_net
from deeplab_caffe.formats.schema import NAMES
from deeplab_caffe.formats.weights import read_caffemodel

Deeplab = Callable[..., int]


@pytest.fixture
def prepared(tiny: Path, deeplab: Deeplab) -> Path:
    """The experiment, ready to be trained."""
    assert [deeplab(stage) for stage in ("data", "prototxt")] == [0, 0]
    return tiny / "exp"


def weights(path: Path) -> list[np.ndarray]:
    return [blob.data for layer in read_caffemodel(path) for blob in layer.blobs]


def rows(table: TrainingTable) -> list[list[float]]:
    """All numbers but the seconds; 9 where there is none."""
    columns = [table.iteration, *(values for name, values in table.columns.items() if name != "seconds")]
    return np.nan_to_num(np.stack(columns, 1).astype(float), nan=9).tolist()


def scores_of(prepared: Path, name: str, images: list[int]) -> Scores:
    """The scores of the results that the stage test has written."""
    pairs = [(Path(f"labels/i{i}.png"), prepared / "result" / name / f"i{i}.png") for i in images]
    matrices = [confusion_matrix(read_label(label), read_label(result), 3) for label, result in pairs]
    return Scores.from_matrix(np.sum(matrices, 0))


# -- tests meanwhile


def test_testing_meanwhile_does_not_change_the_training(prepared: Path, deeplab: Deeplab) -> None:
    assert deeplab("train", "--test-interval", "0") == 0
    plain, table = weights(prepared / "model/train_iter_4.caffemodel"), read_training(prepared / "log")["train"]
    assert len(read_training(prepared / "log")["validation"].iteration) == 0
    assert deeplab("train", "--force", "--test-interval", "1") == 0
    tested, tables = weights(prepared / "model/train_iter_4.caffemodel"), read_training(prepared / "log")
    assert all(np.array_equal(a, b) for a, b in zip(plain, tested, strict=True))
    assert rows(tables["train"]) == rows(table)
    assert tables["validation"].iteration.tolist() == [1, 2, 3, 4]
    assert (prepared / "list/validation.txt").read_text() == (prepared / "list/heldout.txt").read_text()
    assert "Test net output #2: accuracy = " in (prepared / "log/train.log").read_text()


def test_the_last_test_has_the_scores_that_the_stage_test_leads_to(prepared: Path, deeplab: Deeplab) -> None:
    """Also where Caffe's own test, of a solver edited by hand, gives the mean over the images."""
    assert deeplab("train", "--test-interval", "4") == 0 and deeplab("test") == 0
    held_out = int((prepared / "list/heldout.txt").read_text().split(".png")[0].removeprefix("/images/i"))
    table = read_table(prepared / "log/validation.csv")
    expected = scores_of(prepared, "heldout", [held_out])
    for name in ("pixel_accuracy", "mean_accuracy", "mean_iou"):
        assert table.columns[name][-1] == pytest.approx(getattr(expected, name), abs=0.01)
    text = (prepared / "log/validation.prototxt").read_text().replace("exp/list/validation.txt", "val.txt")
    (prepared / "prototxt/mine.prototxt").write_text(text)
    with (prepared / "prototxt/solver.prototxt").open("a") as solver:
        solver.write('test_net: "exp/prototxt/mine.prototxt" test_iter: 2 test_interval: 2\n')
    assert deeplab("train") == 0
    table = read_table(prepared / "log/validation.csv")
    assert table.iteration.tolist() == [0, 2, 4]
    expected = scores_of(prepared, "val", [6, 7])
    assert table.columns["mean_iou"][-1] == pytest.approx(expected.mean_iou, abs=0.01)
    # one image has no blue and the other no red: the mean over images is another number
    line = [line for line in (prepared / "log/train.log").read_text().splitlines() if "Test net output #2" in line][-1]
    assert float(line.rpartition("= ")[2]) != pytest.approx(table.columns["mean_iou"][-1], abs=0.01)


def test_where_a_training_cannot_be_tested(
    prepared: Path, deeplab: Deeplab, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusal(*flags: str) -> str:
        assert deeplab("train", *flags) == 2
        return capsys.readouterr().err

    assert "--test-interval -1: expected a number of updates" in refusal("--test-interval", "-1")
    assert "--val-images 0: expected 1 or more" in refusal("--val-images", "0")
    with monkeypatch.context() as patched:
        patched.setattr(Embedded, "validates", False)
        assert "only supported by the embedded Caffe" in refusal("--test-interval", "2")
    with (prepared / "prototxt/solver.prototxt").open("a") as solver:
        solver.write('test_net: "exp/prototxt/test.prototxt" test_iter: 2 test_interval: 2\n')
    assert "solver.prototxt has tests of its own (test_iter)" in refusal("--test-interval", "2")


def test_the_net_of_the_tests(tmp_path: Path) -> None:
    """It writes no files, scores at full resolution, and says where it comes from instead of being signed."""
    net = """# made by somebody
layer { name: "data" type: "ImageSegData" top: "data" top: "label" image_data_param { source: "val.txt" } }
layer { name: "fc8" type: "Convolution" bottom: "data" top: "fc8" }
layer { name: "relu" type: "ReLU" bottom: "fc8" top: "fc8" }
layer { name: "mat" type: "MatWrite" bottom: "fc8" }
LAST
"""
    path = tmp_path / "test.prototxt"
    silence = 'layer { name: "silence" type: "Silence" bottom: "label" }'
    accuracy = 'layer { name: "acc" type: "SegAccuracy" bottom: "fc8" bottom: "label" top: "acc" }'
    for last in (silence, accuracy):
        path.write_text(net.replace("LAST", last))
        text = validation_net(path, Path("held.txt"), 255)
        assert 'source: "held.txt"' in text and "MatWrite" not in text and "somebody" not in text
        assert text.count("SegAccuracy") == 1
        assert '  bottom: "fc8"\n  bottom: "label"\n  top: "accuracy"\n' in text


# -- tables


def test_a_resumed_training_has_the_rows_of_one_that_was_not(prepared: Path, deeplab: Deeplab) -> None:
    assert deeplab("train", "--test-interval", "1") == 0
    before = {name: rows(table) for name, table in read_training(prepared / "log").items()}
    assert [row[0] for row in before["train"]] == [0, 1, 2, 3, 4]
    for path in (prepared / "model").glob("train_iter_4.*"):
        path.unlink()
    with (prepared / "log/train.csv").open("a") as table:
        table.write("7,99.0,0.1,1,,")  # of a run that was killed while it wrote
    assert deeplab("train", "--test-interval", "1") == 0
    assert {name: rows(table) for name, table in read_training(prepared / "log").items()} == before
    assert (np.diff(read_table(prepared / "log/train.csv").columns["seconds"]) >= 0).all()


def test_the_tables_move_with_the_log_of_another_training(prepared: Path, deeplab: Deeplab) -> None:
    assert deeplab("train") == 0
    assert deeplab("prototxt", "--base-lr", "0.02") == 0 and deeplab("train", "--base-lr", "0.02") == 0
    kept = prepared / "model/before-1"
    assert read_table(kept / "train.csv").series("lr")[1][0] == pytest.approx(0.01)
    assert read_table(prepared / "log/train.csv").series("lr")[1][0] == pytest.approx(0.02)


# -- what is shown


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_plain_lines_without_a_terminal(prepared: Path, deeplab: Deeplab, capsys: pytest.CaptureFixture[str]) -> None:
    assert deeplab("train", "--test-interval", "4") == 0
    first, tested, last = (line for line in capsys.readouterr().err.splitlines() if line.startswith("train"))
    assert first.startswith("train 0/4, loss 1.") and ", pixel accuracy " in first and ", lr 0.01, " in first
    assert tested.startswith("train: tested at iteration 4: pixel accuracy ")
    assert last.startswith("train 4/4, loss ") and last.endswith(" images/s") and " held-out mean IoU " in last
    assert deeplab("train", "--force", "--verbose") == 0
    shown = capsys.readouterr().err
    assert "] Iteration 0 (" in shown and "Train net output #2: accuracy = " in shown and "train 0/4" not in shown
    assert (prepared / "log/train.log").read_text().count("] Iteration 0 (") == 1


def test_a_training_shorter_than_display_ends_with_its_last_line() -> None:
    stream = io.StringIO()
    shown = Progress("train", Accuracies(NAMES["SolverParameter"]()))
    shown.begin(Beginning(0, 4, 2, stream))
    shown.displayed(Displayed(0, 1.5, 0.01, {}))
    for iteration in range(1, 5):
        shown.reach(iteration)
    shown.end()
    assert [line.split(",")[0] for line in stream.getvalue().splitlines()] == ["train 0/4", "train 4/4"]


def test_one_line_on_a_terminal(prepared: Path, deeplab: Deeplab, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    assert deeplab("train", "--test-interval", "4") == 0
    drawn = screen.getvalue().split("\r")
    assert drawn[-1].startswith("train 4/4  loss ") and drawn[-1].endswith("\n")
    assert not any("\n" in text for text in drawn[-5:-1]) and "solver.cpp" not in screen.getvalue()


def test_the_line_ends_before_the_message_of_a_training_that_diverges(
    prepared: Path, deeplab: Deeplab, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    high = ("--base-lr", "1e30")
    assert deeplab("prototxt", *high) == 0 and deeplab("train", *high) == 3
    drawn = screen.getvalue().rpartition("\r")[2]
    assert drawn.startswith("train ") and "\ndeeplab: error: " in drawn.replace("deeplab train:", "deeplab:")


# -- TensorBoard


def test_tensorboard(prepared: Path, deeplab: Deeplab, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    assert deeplab("train", "--test-interval", "2", "--tensorboard", "board") == 0
    events = EventAccumulator("board/train").Reload()
    accuracies = ["pixel accuracy", "mean accuracy", "mean IoU"]
    expected = [*(f"train/{name}" for name in ("loss", "lr", *accuracies)), *(f"validation/{n}" for n in accuracies)]
    assert sorted(events.Tags()["scalars"]) == sorted(expected)
    table = read_table("exp/log/train.csv")
    loss = [(event.step, pytest.approx(event.value, abs=1e-4)) for event in events.Scalars("train/loss")]
    assert loss == list(zip(*table.series("loss"), strict=True))
    (picture,) = [e for e in events.Images("validation/image 1") if e.step == 4]
    assert (picture.height, picture.width) == (40, 3 * 48)


def test_tensorboard_is_missing(
    prepared: Path, deeplab: Deeplab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert deeplab("train", "--tensorboard", "board") == 2
    assert "pip install 'deeplab-caffe[tensorboard]'" in capsys.readouterr().err
    assert not (prepared / "model").exists()
