"""Reads the numbers in Caffe logs: of every release since 2013, of forks, and of the embedded Caffe."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..formats.accuracies import ACCURACIES
from ..reading import reading

# The date is mmdd, or yyyymmdd since glog 0.5; other text, such as a scheduler's time, may precede it.
_PREFIX = re.compile(r"^.*?\b[IWEF](\d{4})?(\d\d)(\d\d) (\d\d):(\d\d):(\d\d)\.(\d+)\s+\d+ [^\]\s]+:\d+\] ?")
_NUMBER = r"([-+]?(?:1\.#\w+|\d+\.?\d*(?:e[-+]?\d+)?|nan|inf))(?:\(\w+\))?"
_TOP = r"([^=]*\S)"
_ITERATION = re.compile(rf"Iteration (\d{{1,10}})\b[^=]*, (loss|lr) = {_NUMBER}", re.I)
_TESTING = re.compile(r"Iteration (\d{1,10}), Testing net(?: \(#(\d+)\))?")
_OUTPUT = re.compile(rf"(Train|Test) net output #(\d+): {_TOP} = {_NUMBER}", re.I)
_SCORE = re.compile(rf"Test score #(\d+): {_NUMBER}", re.I)
_TEST_LOSS = re.compile(rf"Test loss: {_NUMBER}", re.I)
# the definition of a net in a log: the type of a layer comes before its tops
_TYPE = re.compile(r'^  type: "(\w+)"')
_OF_TYPE = re.compile(r'^  top: "([^"]+)"')
_BATCH = re.compile(rf"Batch (\d{{1,10}}), {_TOP} = {_NUMBER}", re.I)

Column = dict[int, float]


@dataclass(frozen=True)
class TrainLog:
    """The values in a log, as columns {iteration: value}.

    Attributes:
        columns: loss (smoothed by the solver), lr, train/<top>, test/<top> (test1/<top> for the second test net, and
            so on). If a top has several values, they are named <top>, <top>[1], <top>[2], ..., but those of DeepLab's
            SegAccuracy <top>[pixel_accuracy], <top>[mean_accuracy], <top>[mean_iou]. Logs of 2013 have no names of
            tops: test/#0, test/#1, ... `test/net loss` is the loss that test_compute_loss adds. Logs of `caffe test`
            have batch/<top>, by number of batch.
        seconds: {iteration: seconds since the first line with a time}.
    """

    columns: dict[str, Column] = field(default_factory=dict)
    seconds: Column = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        return sorted(self.columns)

    def series(self, name: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Iterations (n,) and values (n,) of a column, in order; both empty if there is no such column.

        The values of a SegAccuracy are found by their numbers, too: <top>, <top>[1], <top>[2].
        """
        column = self.columns.get(name) or self.columns.get(accuracy_column(name)) or {}
        pairs = sorted(column.items())
        return np.array([i for i, _ in pairs], np.int64), np.array([v for _, v in pairs], np.float64)


def accuracy_column(name: str) -> str:
    """The column of one of the three values of a SegAccuracy, which are numbered in the log.

    Example:
        >>> accuracy_column("train/accuracy"), accuracy_column("train/accuracy[2]")
        ('train/accuracy[pixel_accuracy]', 'train/accuracy[mean_iou]')
    """
    top, _, rest = name.partition("[")
    return f"{top}[{dict(zip(_NUMBERED, ACCURACIES, strict=True)).get(rest, rest.rstrip(']'))}]"


#: how the three values of a top are numbered in columns, behind the bracket
_NUMBERED = ("", "1]", "2]")


def read_train_log(*paths: str | os.PathLike[str]) -> TrainLog:
    """Read one log, or the logs of an interrupted and resumed run in order.

    If iterations start again at an earlier one, as after resuming, the values from there on are replaced. A last line
    without newline is skipped if its number may be incomplete.

    Raises:
        InputError: a file cannot be read, or no file contains an iteration.
    """
    reader = _Reader()
    for path in paths:
        with reading(path, "the log"), open(path, encoding="utf-8", errors="replace") as file:
            reader.read(file)
    if not reader.result().columns:
        names = ", ".join(os.fspath(path) for path in paths)
        raise InputError(f"{names}: no line 'Iteration N, loss = ...'; expected the log of a training with display > 0")
    return reader.result()


def parse_train_log(text: str) -> TrainLog:
    """Read a log from a string; the columns are empty if it contains no iteration.

    Example:
        >>> log = parse_train_log("I0101 12:00:00.000000 1 solver.cpp:1] Iteration 20, loss = 0.5\\n")
        >>> log.columns
        {'loss': {20: 0.5}}
    """
    reader = _Reader()
    reader.read(text.splitlines(keepends=True))
    return reader.result()


class _Reader:
    """Reads lines in order into a TrainLog."""

    def __init__(self) -> None:
        self.log = TrainLog()
        self._train = self._test = 0  # iterations of the outputs that follow
        self._test_net = "test"
        self._batch = -1
        self._shown: set[str] = set()  # names since the last line with an iteration
        self._type = ""  # of the layer whose definition is read
        self._types: dict[str, str] = {}  # of the layers that make each top
        self._clock = _Clock()

    def read(self, lines: Iterable[str]) -> None:
        """Read lines that end with a newline."""
        for line in lines:
            text = line.rstrip("\n")
            prefix = _PREFIX.match(text)
            if prefix:
                self._clock.set(prefix)
                text = text[prefix.end() :]
            self._line(text.rstrip(), cut=not line.endswith("\n"))

    def result(self) -> TrainLog:
        """The log without columns of which a step back has left nothing, and with names for those of SegAccuracy."""
        columns = {name: column for name, column in self.log.columns.items() if column}
        named = {old: accuracy_column(old) for name in columns if self._is_seg_accuracy(name) for old in _three(name)}
        return TrainLog({named.get(name, name): column for name, column in columns.items()}, self.log.seconds)

    def _is_seg_accuracy(self, name: str) -> bool:
        """Whether a column is the first of the three of a SegAccuracy; a log without the net does not say its type."""
        top = name.partition("/")[2]
        values = [key for key in (name, *(f"{name}[{i}]" for i in range(1, 4))) if self.log.columns.get(key)]
        likely = self._types.get(top, "SegAccuracy" if "acc" in top.lower() else "") == "SegAccuracy"
        return likely and values == _three(name)

    def _take_type(self, match: re.Match[str]) -> None:
        self._type = match[1]

    def _take_top(self, match: re.Match[str]) -> None:
        self._types[match[1]] = self._type

    def _line(self, text: str, cut: bool) -> None:
        for pattern, take in _LINES:
            match = pattern.search(text)
            if match:
                if not (cut and match.end() == len(text)):
                    take(self, match)
                return

    def _take_iteration(self, match: re.Match[str]) -> None:
        self._train = self._go_to(int(match[1]))
        self._put(match[2].lower(), self._train, match[3])
        if self._clock.seconds is not None:
            self.log.seconds.setdefault(self._train, self._clock.seconds)

    def _take_testing(self, match: re.Match[str]) -> None:
        self._test = self._go_to(int(match[1]))
        self._test_net = "test" if match[2] in ("0", None) else f"test{match[2]}"

    def _take_output(self, match: re.Match[str]) -> None:
        is_train = match[1].lower() == "train"
        name = self._free(f"{'train' if is_train else self._test_net}/{match[3]}")
        self._put(name, self._train if is_train else self._test, match[4])

    def _take_score(self, match: re.Match[str]) -> None:
        self._put(f"{self._test_net}/#{match[1]}", self._test, match[2])

    def _take_test_loss(self, match: re.Match[str]) -> None:
        self._put(f"{self._test_net}/net loss", self._test, match[1])

    def _take_batch(self, match: re.Match[str]) -> None:
        if int(match[1]) != self._batch:
            self._batch = int(match[1])
            self._shown.clear()
        self._put(self._free(f"batch/{match[2]}"), self._batch, match[3])

    def _go_to(self, iteration: int) -> int:
        """Set the iteration of the outputs that follow; if it is earlier than the newest, later values are dropped."""
        self._shown.clear()
        if iteration < max(self._train, self._test):
            self._train = self._test = iteration
            for name, column in [*self.log.columns.items(), ("", self.log.seconds)]:
                for later in [i for i in column if i >= iteration and not name.startswith("batch/")]:
                    del column[later]
        return iteration

    def _put(self, name: str, iteration: int, number: str) -> None:
        value = float("nan") if "#" in number else float(number)
        self.log.columns.setdefault(name, {})[iteration] = value

    def _free(self, name: str) -> str:
        count = 0
        while (free := name if count == 0 else f"{name}[{count}]") in self._shown:
            count += 1
        self._shown.add(free)
        return free


_LINES = (
    (_ITERATION, _Reader._take_iteration),
    (_TESTING, _Reader._take_testing),
    (_OUTPUT, _Reader._take_output),
    (_SCORE, _Reader._take_score),
    (_TEST_LOSS, _Reader._take_test_loss),
    (_BATCH, _Reader._take_batch),
    (_TYPE, _Reader._take_type),
    (_OF_TYPE, _Reader._take_top),
)


def _three(name: str) -> list[str]:
    """The columns of a top with three values."""
    return [name, f"{name}[1]", f"{name}[2]"]


class _Clock:
    """The time of the current line in seconds since the first; None before the first."""

    def __init__(self) -> None:
        self.seconds: float | None = None
        self._first: datetime | None = None

    def set(self, prefix: re.Match[str]) -> None:
        """Read the time in a line's prefix; an invalid date is skipped."""
        year, *parts, fraction = prefix.groups()
        try:  # without a year: 2000, a leap year
            now = datetime(int(year or 2000), *(int(part) for part in parts))  # type: ignore[arg-type]
        except ValueError:
            return
        now += timedelta(seconds=float(f"0.{fraction}"))
        self._first = self._first or now
        passed = (now - self._first).total_seconds()
        # mmdd has no year, so from December to January time seems to go back.
        self.seconds = passed if year or passed > -180 * 86400 else passed + 366 * 86400
