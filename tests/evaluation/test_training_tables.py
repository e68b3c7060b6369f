"""The tables of a training: what is appended, what stays when it is resumed, and what cannot be read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deeplab_caffe.errors import InputError
from deeplab_caffe.evaluation import read_training
from deeplab_caffe.evaluation.training_tables import TableWriter, read_table

HEADING = "iteration,seconds,lr,loss,pixel_accuracy,mean_accuracy,mean_iou\n"


def test_rows_are_there_as_soon_as_they_are_added(tmp_path: Path) -> None:
    path = tmp_path / "log" / "train.csv"
    writer = TableWriter(path, 0)
    writer.add(0, 1.26, lr=0.001, loss=1.23456789, pixel_accuracy=0.5)
    assert path.read_text() == HEADING + "0,1.3,0.001,1.23457,0.5,,\n"
    writer.add(20, 2, loss=0.5, lr=None, mean_iou=float("nan"))
    assert path.read_text().endswith("\n20,2.0,,0.5,,,\n")
    writer.close()
    table = read_table(path)
    assert table.iteration.tolist() == [0, 20]
    iteration, values = table.series("pixel_accuracy")
    assert (iteration.tolist(), values.tolist()) == ([0], [0.5])
    assert len(table.series("mean_iou")[0]) == 0


@pytest.mark.parametrize(
    ("start", "kept", "seconds"), [(0, [], 0.0), (10, [0], 1.0), (11, [0, 10], 2.5), (99, [0, 10, 20], 4)]
)
def test_a_resume_drops_the_rows_from_its_snapshot_on(
    start: int, kept: list[int], seconds: float, tmp_path: Path
) -> None:
    path = tmp_path / "train.csv"
    path.write_text(HEADING + "0,1.0,0.1,3,,,\n10,2.5,0.1,2,,,\n20,4.0,0.1,1,,,\n30,4")  # killed while it wrote
    writer = TableWriter(path, start)
    assert writer.seconds == seconds
    assert read_table(path).iteration.tolist() == kept
    writer.add(start, seconds + 1, loss=1)
    assert read_table(path).iteration.tolist() == [*kept, start]
    writer.close()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "train.csv:1: got the columns ; expected iteration,seconds"),
        ("iteration,speed\n", "train.csv:1: got the columns iteration,speed; expected iteration,"),
        ("iteration,loss,loss\n", "train.csv:1: got the columns iteration,loss,loss"),
        ("iteration,loss\n0,1\n10,x\n", "train.csv:3: got '10,x'; expected numbers for iteration,loss"),
        ("iteration,loss\n0\n", "train.csv:2: got '0'"),
        ("iteration,loss\n-1,1\n", "train.csv:2: got '-1,1'"),
        ("iteration,loss\ninf,1\n", "train.csv:2: got 'inf,1'"),
        ("iteration,loss\n10,1\n10,1\n", "train.csv:3: the iteration does not increase"),
    ],
)
def test_what_is_no_table(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text(text)
    with pytest.raises(InputError) as caught:
        read_table(tmp_path / "train.csv")
    assert message in str(caught.value)


def test_the_tables_of_both_stages(tmp_path: Path) -> None:
    assert read_training(tmp_path) == {}
    for name in ("train", "train2"):
        (tmp_path / f"{name}.csv").write_text(HEADING + "0,1,0.1,3,0.5,0.4,0.3\n10,2,0.1,2,0.6,0.5,0.4\n")
    (tmp_path / "validation2.csv").write_text(HEADING + "10,2,,,0.6,0.5,0.4\n")
    tables = read_training(tmp_path)
    assert list(tables) == ["train", "train2", "validation2"]
    assert np.array_equal(tables["train"].columns["loss"], [3, 2])
