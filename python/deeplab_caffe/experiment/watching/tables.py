"""The tables of a training, written while it runs; see `evaluation.training_tables`."""

from __future__ import annotations

import time
from pathlib import Path

from ...engine import Beginning, Displayed, Tested, Watcher
from ...evaluation.training_tables import TableWriter, table_files
from .accuracies import Accuracies


class Tables(Watcher):
    """Writes the tables of a training stage, a row for each display and each test.

    Args:
        folder: for the tables, such as `exper/demo/log`.
        stage: "train" or "train2".
        accuracies: finds those of the nets.
    """

    shows_log = False

    def __init__(self, folder: Path, stage: str, accuracies: Accuracies) -> None:
        self._paths = table_files(folder, stage)
        self._accuracies = accuracies

    def begin(self, beginning: Beginning) -> None:
        self._train, self._validation = (TableWriter(path, beginning.iteration) for path in self._paths)
        self._start = time.monotonic() - max(self._train.seconds, self._validation.seconds)

    def displayed(self, shown: Displayed) -> None:
        row = self._accuracies.of(shown)
        self._train.add(shown.iteration, self._seconds(), lr=shown.lr, loss=shown.loss, **row)

    def tested(self, tested: Tested) -> None:
        if tested.net == 0:
            self._validation.add(tested.iteration, self._seconds(), **self._accuracies.tested(tested))

    def end(self) -> None:
        for table in (self._train, self._validation):
            table.close()

    def _seconds(self) -> float:
        return time.monotonic() - self._start
