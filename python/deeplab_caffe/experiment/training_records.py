"""Loss and accuracies of an experiment's training, from its tables or else from Caffe's logs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..evaluation import (
    AccuracyStage,
    TrainingStage,
    TrainingTable,
    TrainLog,
    accuracies_of_log,
    read_train_log,
    read_training,
)
from ..evaluation.accuracy_curves import Series
from ..evaluation.training_tables import TABLES, table_files
from ..formats.accuracies import ACCURACIES

_NOTHING: Series = (np.zeros(0, np.int64), np.zeros(0))


def training_files(folder: Path) -> list[Path]:
    """The files in the folder `log` of an experiment that may say how its training went."""
    tables = [path for stage in TABLES for path in table_files(folder, stage)]
    return [*(folder / f"{stage}.log" for stage in TABLES), *tables]


def training_stages(folder: Path) -> tuple[list[TrainingStage], list[AccuracyStage]]:
    """The curves of each training stage: loss and learning rate, and accuracies, where they are known.

    Args:
        folder: the folder `log` of an experiment.

    Raises:
        InputError: a table is damaged.
    """
    losses, accuracies = [], []
    tables = {name: _columns(table) for name, table in read_training(folder).items()}
    for stage, (train, validation) in TABLES.items():
        log = _log(folder / f"{stage}.log")
        table = tables.get(train, {})
        begin = min((int(iteration[0]) for iteration, _ in table.values()), default=0)
        curve = _loss(stage, log, table, begin)
        if curve:
            losses.append(curve)
        found = AccuracyStage(
            stage,
            _with_earlier(accuracies_of_log(log, "train"), _known(table), begin),
            _with_earlier(accuracies_of_log(log, "test"), _known(tables.get(validation, {})), begin),
            int(curve.iteration[-1]) if curve else 0,
        )
        if found.training or found.validation:
            accuracies.append(found)
    return losses, accuracies


def _log(path: Path) -> TrainLog:
    try:
        return read_train_log(path) if path.is_file() else TrainLog()
    except InputError:  # a solver without display leaves no curve
        return TrainLog()


def _columns(table: TrainingTable) -> dict[str, Series]:
    """The columns that have numbers."""
    found = {name: table.series(name) for name in table.columns}
    return {name: series for name, series in found.items() if len(series[0])}


def _known(table: Mapping[str, Series]) -> dict[str, Series]:
    return {name: table[name] for name in ACCURACIES if name in table}


def _with_earlier(logged: Mapping[str, Series], table: Mapping[str, Series], begin: int) -> Mapping[str, Series]:
    """A table's columns, behind what a log has of the time before the table began; without a table all of the log.

    A training that an earlier version began, which wrote no tables, has one from where it was resumed.
    """
    if not table:
        return logged
    early = {name: (at[at < begin], values[at < begin]) for name, (at, values) in logged.items()}
    return {name: _joined(early[name], after) if name in early else after for name, after in table.items()}


def _joined(first: Series, second: Series) -> Series:
    return np.concatenate([first[0], second[0]]), np.concatenate([first[1], second[1]])


def _loss(stage: str, log: TrainLog, table: Mapping[str, Series], begin: int) -> TrainingStage | None:
    known_by_table = {name: table[name] for name in ("loss", "lr") if name in table}
    columns = _with_earlier({name: log.series(name) for name in ("loss", "lr")}, known_by_table, begin)
    iteration, loss = columns.get("loss", _NOTHING)
    if not len(iteration):
        return None
    rates = dict(zip(*columns.get("lr", _NOTHING), strict=True))
    known = np.array([rates.get(i, np.nan) for i in iteration]) if rates else np.zeros(0)  # a log's last line has none
    return TrainingStage(stage, iteration, loss, known)
