"""The tables of a training, in the folder `log` of an experiment: a row for each display, and one for each test.

`train.csv` and `train2.csv` are of the two training stages, `validation.csv` and `validation2.csv` of the held-out
images that were tested meanwhile. Accuracies are fractions 0 to 1. A cell is empty where a number is not known.
"""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..files import write_text
from ..formats.accuracies import ACCURACIES
from ..reading import reading

COLUMNS = ("iteration", "seconds", "lr", "loss", *ACCURACIES)
#: training stage → its tables, without suffix: of its displays, and of its tests
TABLES = {"train": ("train", "validation"), "train2": ("train2", "validation2")}
_LARGEST = 64 * 2**20  # bytes; a million rows


@dataclass(frozen=True, eq=False)
class TrainingTable:
    """The numbers of a training at some iterations.

    Attributes:
        iteration: (n,) increasing.
        columns: {name: (n,)} of COLUMNS but the iteration; NaN where a number is not known. `seconds` are those of
            training, without the time between an interruption and the resume.
    """

    iteration: NDArray[np.int64]
    columns: Mapping[str, NDArray[np.float64]]

    def series(self, name: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Iterations (m,) and values (m,) where a column has a number.

        Example:
            >>> table = TrainingTable(np.array([0, 10]), {"loss": np.array([0.5, np.nan])})
            >>> table.series("loss")
            (array([0]), array([0.5]))
        """
        values = self.columns.get(name, np.full(len(self.iteration), np.nan))
        known = ~np.isnan(values)
        return self.iteration[known], values[known]

    def before(self, iteration: int) -> TrainingTable:
        """The rows before an iteration."""
        kept = self.iteration < iteration
        return TrainingTable(self.iteration[kept], {name: values[kept] for name, values in self.columns.items()})

    def csv_text(self) -> str:
        """The table as its file has it."""
        rows = [{name: float(values[i]) for name, values in self.columns.items()} for i in range(len(self.iteration))]
        lines = [_line(int(number), row) for number, row in zip(self.iteration, rows, strict=True)]
        return ",".join(COLUMNS) + "\n" + "".join(lines)


def table_files(folder: Path, stage: str) -> tuple[Path, Path]:
    """The files of a training stage's two tables in the folder `log` of an experiment."""
    train, validation = TABLES[stage]
    return folder / f"{train}.csv", folder / f"{validation}.csv"


def read_training(folder: str | os.PathLike[str]) -> dict[str, TrainingTable]:
    """The tables in the folder `log` of an experiment, by their names without suffix; those that are there.

    Raises:
        InputError: a table cannot be read or is damaged.
    """
    paths = [path for stage in TABLES for path in table_files(Path(folder), stage)]
    return {path.stem: read_table(path) for path in paths if path.is_file()}


def read_table(path: str | os.PathLike[str]) -> TrainingTable:
    """Read one table. A last line without newline, which a killed training may leave, is skipped.

    Raises:
        InputError: the file cannot be read, or is no such table; names the line.
    """
    with reading(path, "the table of a training", "not the table of a training"):
        size = os.path.getsize(path)
        if size > _LARGEST:
            raise InputError(f"{path}: {size} bytes; the table of a training has less than {_LARGEST}")
        with open(path, encoding="utf-8-sig", newline="") as file:
            text = file.read()
        lines = csv.reader(io.StringIO(text[: text.rfind("\n") + 1]))
        heading = next(lines, [])
        if "iteration" not in heading or len({*heading}) < len(heading) or not {*heading} <= {*COLUMNS}:
            raise InputError(f"{path}:1: got the columns {','.join(heading)[:200]}; expected {','.join(COLUMNS)}")
        rows = [_row(line, heading, f"{path}:{lines.line_num}") for line in lines if line]
    iteration = np.array([row["iteration"] for row in rows], np.int64)
    if (np.diff(iteration) <= 0).any():
        number = int(np.flatnonzero(np.diff(iteration) <= 0)[0]) + 3
        raise InputError(f"{path}:{number}: the iteration does not increase")
    columns = {name: np.array([row.get(name, math.nan) for row in rows], np.float64) for name in COLUMNS[1:]}
    return TrainingTable(iteration, columns)


def _row(line: Sequence[str], heading: Sequence[str], place: str) -> dict[str, float]:
    try:
        row = {name: float(cell) if cell else math.nan for name, cell in zip(heading, line, strict=True)}
        if not 0 <= int(row["iteration"]) < 2**62:
            raise ValueError
    except (ValueError, OverflowError):
        raise InputError(f"{place}: got {','.join(line)[:200]!r}; expected numbers for {','.join(heading)}") from None
    return row


class TableWriter:
    """Appends rows to a table; every row is in the file when `add` returns.

    Args:
        path: the CSV file; its folder is made.
        start: the iteration that the training begins with. Rows from there on, which a run that is resumed from an
            earlier snapshot leaves behind, are removed; at 0 nothing is kept.
    """

    def __init__(self, path: Path, start: int) -> None:
        kept = read_table(path).before(start) if start and path.is_file() else _EMPTY
        seconds = kept.series("seconds")[1]
        #: those of the last row that was kept
        self.seconds = float(seconds[-1]) if len(seconds) else 0.0
        write_text(path, kept.csv_text())
        self._file: TextIO = path.open("a", encoding="utf-8")

    def add(self, iteration: int, seconds: float, **values: float | None) -> None:
        """Append a row; values are by column, None where one is not known."""
        self._file.write(_line(iteration, {"seconds": seconds, **values}))
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


_EMPTY = TrainingTable(np.zeros(0, np.int64), {})


def _line(iteration: int, values: Mapping[str, float | None]) -> str:
    return ",".join([str(iteration), *(_text(name, values.get(name)) for name in COLUMNS[1:])]) + "\n"


def _text(name: str, value: float | None) -> str:
    """A number as a cell: six digits, as Caffe's log has them."""
    if value is None or math.isnan(value):
        return ""
    return f"{value:.1f}" if name == "seconds" else f"{value:.6g}"
