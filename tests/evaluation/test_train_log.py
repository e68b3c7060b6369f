"""Caffe's training logs: the spellings of the years, test nets, resumption; tables, curves and `deeplab log`."""

import csv
import json

import cv2
import numpy as np
import pytest

from deeplab_caffe import cli
from deeplab_caffe.errors import InputError
from deeplab_caffe.evaluation import TrainLog, log_curves, log_tables, parse_train_log, read_train_log

LOG = """\
Log file created at: 2026/11/20 12:28:43
I1120 12:28:43.501698  7493 solver.cpp:279] Solving toy
I1120 12:28:43.502494  7493 solver.cpp:337] Iteration 0, Testing net (#0)
I1120 12:28:43.502584  7493 solver.cpp:405]     Test net output #0: accuracy = 0.25
I1120 12:28:43.502584  7493 solver.cpp:405]     Test net output #1: loss = 1.75 (* 1 = 1.75 loss)
I1120 12:28:43.502494  7493 solver.cpp:337] Iteration 0, Testing net (#1)
I1120 12:28:43.502584  7493 solver.cpp:405]     Test net output #0: accuracy = 0.5
I1120 12:28:43.502615  7493 solver.cpp:228] Iteration 0, loss = 2.5
I1120 12:28:43.502619  7493 solver.cpp:244]     Train net output #0: loss = 2.25 (* 1 = 2.25 loss)
I1120 12:28:43.502627  7493 sgd_solver.cpp:106] Iteration 0, lr = 0.01
I20261120 12:28:44.502655  7493 solver.cpp:218] Iteration 20 (3.2 iter/s, 6.1s/20 iters), loss = 1.5e-05
I20261120 12:28:44.502660  7493 solver.cpp:237]     Train net output #0: class = 0.5
I20261120 12:28:44.502660  7493 solver.cpp:237]     Train net output #1: class = 0.75
I20261120 12:28:44.502664  7493 sgd_solver.cpp:105] Iteration 20, lr = 1e-05
I20261120 12:28:45.502655  7493 solver.cpp:218] Iteration 40 (3.2 iter/s, 6.1s/20 iters), loss = -nan
"""


def column(log, name):
    return dict(zip(*(values.tolist() for values in log.series(name)), strict=True))


def test_both_spellings_and_all_columns():
    log = parse_train_log(LOG)
    assert log.names == ["loss", "lr", "test/accuracy", "test/loss", "test1/accuracy",
                         "train/class", "train/class[1]", "train/loss"]  # fmt: skip
    np.testing.assert_array_equal(log.series("loss")[0], [0, 20, 40])
    np.testing.assert_array_equal(log.series("loss")[1], [2.5, 1.5e-5, np.nan])
    assert column(log, "lr") == {0: 0.01, 20: 1e-5}
    assert column(log, "train/loss") == {0: 2.25}
    assert column(log, "train/class[1]") == {20: 0.75}
    assert column(log, "test/accuracy") == {0: 0.25} and column(log, "test1/accuracy") == {0: 0.5}


def test_lines_without_prefix_are_read_too():
    assert column(parse_train_log("Iteration 5, loss = 3\n"), "loss") == {5: 3}


def test_later_values_stay_after_a_resumption(tmp_path):
    (tmp_path / "a.log").write_text("Iteration 0, loss = 3\nIteration 10, loss = 2\nIteration 20, loss = 9\n")
    (tmp_path / "b.log").write_text("Iteration 10, loss = 1\nIteration 20, loss = 0.5\nIteration 30, loss = 0.25\n")
    log = read_train_log(tmp_path / "a.log", tmp_path / "b.log")
    assert column(log, "loss") == {0: 3, 10: 1, 20: 0.5, 30: 0.25}


def test_column_that_is_not_there_is_empty():
    assert [len(values) for values in parse_train_log(LOG).series("test9/x")] == [0, 0]


def test_file_without_iterations_and_missing_file(tmp_path):
    (tmp_path / "a.log").write_text("hello")
    with pytest.raises(InputError, match=r"a\.log: no line 'Iteration N"):
        read_train_log(tmp_path / "a.log")
    with pytest.raises(InputError, match=r"b\.log: cannot read the log"):
        read_train_log(tmp_path / "b.log")


# -- spellings


def test_logs_of_2013_name_no_outputs():
    log = parse_train_log(
        "I0131 09:00:00.000000 1 solver.cpp:106] Iteration 0, Testing net\n"
        "I0131 09:00:01.000000 1 solver.cpp:142] Test score #0: 0.125\n"
        "I0131 09:00:01.000000 1 solver.cpp:142] Test score #1: 2.5\n"
        "I0131 09:00:01.500000 1 solver.cpp:204] Iteration 20, lr = 0.01\n"
        "I0131 09:00:01.500000 1 solver.cpp:66] Iteration 20, loss = 1.25\n"
    )
    assert log.columns == {"test/#0": {0: 0.125}, "test/#1": {0: 2.5}, "lr": {20: 0.01}, "loss": {20: 1.25}}
    assert log.seconds == {20: 1.5}


@pytest.mark.parametrize(
    "line",
    [
        "Iteration 20 (0.1 iter/s, 1s/20 iter), loss = 0.5",
        "Iteration 20 (0.1 s/iter, 2s), 1.5/100ep, loss = 0.5",
        "2026-11-20T12:00:00Z worker-3 | I1120 12:00:00.000001 1 solver.cpp:218] Iteration 20, loss = 0.5",
        "E1120 12:00:00.000001 12345 solver.cpp:218] Iteration 20, loss = 5e-1",
    ],
)
def test_spellings_of_a_loss(line):
    assert column(parse_train_log(line + "\n"), "loss") == {20: 0.5}


@pytest.mark.parametrize("text", ["nan", "-nan", "-nan(ind)", "NaN", "1.#QNAN", "-1.#IND"])
def test_spellings_of_what_is_no_number(text):
    assert np.isnan(parse_train_log(f"Iteration 20, loss = {text}\n").columns["loss"][20])


def test_a_test_run_is_by_batch_and_the_net_loss_is_its_own_column():
    log = parse_train_log(
        "Batch 0, accuracy = 0.5\nBatch 0, accuracy = 0.25\nBatch 1, accuracy = 1\nLoss: 3\naccuracy = 0.75\n"
        "Iteration 5, Testing net (#0)\nTest loss: 1.5\n"
    )
    assert log.columns == {"batch/accuracy": {0: 0.5, 1: 1}, "batch/accuracy[1]": {0: 0.25}, "test/net loss": {5: 1.5}}


def test_a_last_line_that_may_be_cut_is_left_out():
    whole = "Iteration 0, loss = 0.125\n"
    assert column(parse_train_log(whole + "Iteration 20, loss = 0.1"), "loss") == {0: 0.125}
    assert column(parse_train_log(whole + "Iteration 2"), "loss") == {0: 0.125}
    output = "    Train net output #0: loss = 0.5 (* 1 = 0.5 loss)"
    assert column(parse_train_log(whole + output), "train/loss") == {0: 0.5}
    assert column(parse_train_log(whole + output[:-10]), "train/loss") == {0: 0.5}
    assert column(parse_train_log(whole + output[: output.index(".5")]), "train/loss") == {}


def test_going_on_from_a_snapshot_replaces_what_came_after_it():
    first = "".join(f"Iteration {i}, loss = 1\nIteration {i}, lr = 1\n" for i in range(0, 60, 10))
    second = "Iteration 25, Testing net (#0)\n    Test net output #0: a = 2\nIteration 25, loss = 2\n"
    log = parse_train_log(first + second + "Iteration 35, loss = 2\n")
    assert column(log, "loss") == {0: 1, 10: 1, 20: 1, 25: 2, 35: 2}
    assert column(log, "lr") == {0: 1, 10: 1, 20: 1} and column(log, "test/a") == {25: 2}


def test_time_passes_over_the_new_year():
    line = "I{} 7 solver.cpp:1] Iteration {}, loss = 1\n"
    log = parse_train_log(line.format("1231 23:59:59.500000", 0) + line.format("0101 00:00:01.000000", 1))
    assert log.seconds == {0: 0, 1: 1.5}
    log = parse_train_log(line.format("20261231 23:59:59.5", 0) + line.format("20270101 00:00:01.25", 1))
    assert log.seconds == {0: 0, 1: 1.75}
    assert parse_train_log(line.format("1399 00:00:00.0", 0)).seconds == {}


# -- tables and curves


def test_csv_has_a_row_per_iteration():
    rows = list(csv.reader(log_tables.csv_text([("a", parse_train_log(LOG))]).splitlines()))
    assert rows[0][:4] == ["iteration", "seconds", "loss", "lr"]
    assert [row[0] for row in rows[1:]] == ["0", "20", "40"]
    assert rows[1][2:5] == ["2.5", "0.01", "0.25"] and rows[3][2:4] == ["nan", ""]
    two = log_tables.csv_text([("a", parse_train_log(LOG)), ("b", parse_train_log("Iteration 5, loss = 3\n"))])
    assert two.splitlines()[0].startswith("run,iteration,") and two.splitlines()[-1].startswith("b,5,,3,")


def test_json_has_no_nan():
    text = log_tables.json_text([("a", parse_train_log(LOG))])
    (run,) = json.loads(text, parse_constant=pytest.fail)["runs"]
    assert run["columns"]["loss"] == {"iteration": [0, 20, 40], "value": [2.5, 1.5e-5, None]}
    assert run["seconds"]["iteration"] == [0, 20, 40]


def test_summary_says_where_it_broke():
    text = log_tables.summary([("a.log", parse_train_log(LOG))])
    assert text.startswith("a.log: iterations 0 to 40")
    (loss,) = (line.split() for line in text.splitlines() if line.startswith("  loss "))
    assert loss == ["loss", "3", "nan", "1.5e-05", "(20)", "2.5", "(0)", "not", "finite", "at", "40"]


def test_curves_of_one_run_and_of_several():
    one, other = parse_train_log(LOG), parse_train_log("Iteration 5, loss = 3\nIteration 5, lr = 1\n")
    for runs in ([("a", one)], [("a", one), ("b", other)]):
        image = cv2.imdecode(np.frombuffer(log_curves(runs), np.uint8), cv2.IMREAD_COLOR)
        assert image.shape[1] == 1200 and image.min() < 100
    with pytest.raises(InputError, match="nothing to plot"):
        log_curves([("a", parse_train_log(""))])


# -- the command


@pytest.fixture
def logs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.log").write_text("Iteration 0, loss = 3\nIteration 10, loss = 2\n")
    (tmp_path / "b.log").write_text("Iteration 10, loss = 1\nIteration 20, loss = 0.5\n")
    return tmp_path


def test_several_logs_are_compared_or_joined(logs, capsys):
    assert cli.main(["log", "a.log", "b.log", "--csv", "-"]) == 0
    compared = capsys.readouterr().out.splitlines()
    assert compared[1:] == ["a.log,0,,3", "a.log,10,,2", "b.log,10,,1", "b.log,20,,0.5"]
    assert cli.main(["log", "--join", "a.log", "b.log", "--csv", "out.csv", "--json", "-", "--plot", "out.png"]) == 0
    assert (logs / "out.csv").read_text().splitlines()[1:] == ["0,,3", "10,,1", "20,,0.5"]
    assert json.loads(capsys.readouterr().out)["runs"][0]["columns"]["loss"]["value"] == [3, 1, 0.5]
    assert cv2.imread("out.png") is not None


def test_without_options_a_summary_is_printed(logs, capsys):
    (logs / "c").mkdir()
    (logs / "c" / "a.log").write_text("Iteration 0, loss = 3\n")
    assert cli.main(["log", "a.log", "c/a.log", "--csv", "-"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == ["a.log,0,,3", "a.log,10,,2", "c/a.log,0,,3"]
    assert cli.main(["log", "a.log", "b.log"]) == 0
    assert [line for line in capsys.readouterr().out.splitlines() if "log" in line] == [
        "a.log: iterations 0 to 10",
        "b.log: iterations 10 to 20",
    ]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("a.log --csv b.log", "b.log looks like a log"),
        ("a.log --plot a.log", "a.log is one of the logs and would be overwritten"),
        ("gone.log", "gone.log: cannot read the log: No such file or directory"),
    ],
)
def test_a_log_is_never_overwritten(logs, capsys, words, expected):
    before = (logs / "a.log").read_text()
    assert cli.main(["log", *words.split()]) == 2
    assert expected in capsys.readouterr().err
    assert (logs / "a.log").read_text() == before


# -- the three values of a SegAccuracy


def shown(top: str, *values: float, definition: str = "") -> TrainLog:
    lines = [f"    Train net output #{i}: {top} = {value}\n" for i, value in enumerate(values)]
    return parse_train_log(definition + "Iteration 5, loss = 1\n" + "".join(lines))


def test_the_values_of_an_accuracy_have_names():
    log = shown("accuracy", 0.5, 0.25, 0.125)
    named = ["train/accuracy[mean_accuracy]", "train/accuracy[mean_iou]", "train/accuracy[pixel_accuracy]"]
    assert log.names == ["loss", *named]
    assert log.columns["train/accuracy[mean_iou]"] == {5: 0.125}
    for old, value in (("train/accuracy", 0.5), ("train/accuracy[1]", 0.25), ("train/accuracy[2]", 0.125)):
        assert log.series(old)[1].tolist() == [value]  # as it was called before
    assert log_curves([("a", log)]).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("top", "values", "definition", "named"),
    [
        ("seg_acc", 3, "", True),
        ("accuracy", 2, "", False),
        ("accuracy", 4, "", False),
        ("sizes", 3, "", False),
        ("sizes", 3, 'layer {\n  name: "a"\n  type: "SegAccuracy"\n  top: "sizes"\n}\n', True),
        ("class_acc", 3, 'layer {\n  name: "a"\n  type: "Accuracy"\n  top: "acc"\n  top: "class_acc"\n}\n', False),
    ],
)
def test_which_tops_are_those_of_a_seg_accuracy(top, values, definition, named):
    """By their number and the top's name, or by the definition of the net if the log has it."""
    log = shown(top, *[0.5] * values, definition=definition)
    assert (f"train/{top}[mean_iou]" in log.columns) == named
