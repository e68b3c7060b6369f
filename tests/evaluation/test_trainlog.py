"""Caffe's training logs: both spellings of the lines, test nets, resumption."""

import numpy as np
import pytest

from deeplab_caffe.errors import InputError
from deeplab_caffe.evaluation import parse_train_log, read_train_log

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
    with pytest.raises(InputError, match=r"a\.log: no 'Iteration N"):
        read_train_log(tmp_path / "a.log")
    with pytest.raises(InputError, match=r"b\.log: cannot read the log"):
        read_train_log(tmp_path / "b.log")
