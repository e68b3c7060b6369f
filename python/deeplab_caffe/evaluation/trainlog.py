"""Numbers out of Caffe's training logs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError

_GLOG = re.compile(r"^[IWEF]\d{4}(?:\d{4})? \d\d:\d\d:\d\d\.\d+\s+\d+ [^\]]*\] ?")
_NUMBER = r"([-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|nan|inf))"
_ITERATION = re.compile(rf"^Iteration (\d+)(?: \([^)]*\))?, (loss|lr) = {_NUMBER}", re.I)
_TESTING = re.compile(r"^Iteration (\d+), Testing net \(#(\d+)\)")
_OUTPUT = re.compile(rf"^\s*(Train|Test) net output #(\d+): (\S+) = {_NUMBER}", re.I)


@dataclass(frozen=True)
class TrainLog:
    """What a log displays, as columns of {iteration: value}.

    Columns: loss (smoothed by the solver), lr, train/<top>, test/<top> (test1/<top> for the second test net, and so
    on); the further values of a top with several get the name <top>[1], <top>[2], ...
    """

    columns: dict[str, dict[int, float]] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        return sorted(self.columns)

    def series(self, name: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Iterations and values of a column, by rising iteration; both empty if the log has no such column."""
        pairs = sorted(self.columns.get(name, {}).items())
        return np.array([i for i, _ in pairs], np.int64), np.array([v for _, v in pairs], np.float64)


def read_train_log(*paths: str | os.PathLike[str]) -> TrainLog:
    """Read one log, or the logs of a run and its resumptions in order.

    Where iterations repeat, as after a resumption, the later values stay.

    Raises:
        InputError: a file cannot be read, or none of them displays an iteration.
    """
    log = TrainLog()
    for path in paths:
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                _parse(file, log.columns)
        except OSError as error:
            raise InputError(f"{os.fspath(path)}: cannot read the log: {error.strerror}") from None
    if not log.columns:
        names = ", ".join(os.fspath(path) for path in paths)
        raise InputError(f"{names}: no 'Iteration N, loss = ...' in it; is it the log of a training, with display > 0?")
    return log


def parse_train_log(text: str) -> TrainLog:
    """`read_train_log` of a text; without any iteration in it the columns are empty."""
    log = TrainLog()
    _parse(text.splitlines(), log.columns)
    return log


def _parse(lines: Iterable[str], columns: dict[str, dict[int, float]]) -> None:
    train_iteration = test_iteration = 0
    test = "test"
    shown: set[str] = set()  # names since the last line with an iteration
    for line in lines:
        text = _GLOG.sub("", line)
        if match := _ITERATION.match(text):
            train_iteration = int(match[1])
            columns.setdefault(match[2], {})[train_iteration] = float(match[3])
            shown.clear()
        elif match := _TESTING.match(text):
            test_iteration = int(match[1])
            test = "test" if match[2] == "0" else f"test{match[2]}"
            shown.clear()
        elif match := _OUTPUT.match(text):
            is_train = match[1] == "Train"
            name = _free(f"{'train' if is_train else test}/{match[3]}", shown)
            columns.setdefault(name, {})[train_iteration if is_train else test_iteration] = float(match[4])


def _free(name: str, shown: set[str]) -> str:
    count = 0
    while (free := name if count == 0 else f"{name}[{count}]") in shown:
        count += 1
    shown.add(free)
    return free
