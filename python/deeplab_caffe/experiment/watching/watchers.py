"""What watches the training of an experiment: its progress, its tables, and TensorBoard where that is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...engine import Beginning, Displayed, Tested, Validation, Watcher
from ...formats.definition import read_solver
from ..folder import Experiment
from .accuracies import Accuracies
from .progress import Progress
from .tables import Tables
from .tensorboard import TensorBoard
from .validation import PICTURES, held_out


def watcher(experiment: Experiment, stage: str, tested: Validation | None) -> Watcher:
    """The watcher of a training stage ("" or "2"), and of its test on held-out images if it has one."""
    settings, name = experiment.training, f"train{stage}"
    accuracies = Accuracies(read_solver(experiment.prototxt / f"solver{stage}.prototxt"))
    shown = Watcher() if settings.verbose else Progress(name, accuracies)
    watchers = [Tables(experiment.log(name).parent, name, accuracies), shown]
    if settings.tensorboard is not None:
        entries = held_out(experiment)[:PICTURES] if tested else []
        watchers.append(TensorBoard(Path(settings.tensorboard, name), accuracies, experiment.dataset(), entries))
    return Watchers(watchers)


class Watchers(Watcher):
    """Several watchers as one."""

    def __init__(self, watchers: Sequence[Watcher]) -> None:
        self._watchers = watchers
        self.shows_log = any(watcher.shows_log for watcher in watchers)

    def begin(self, beginning: Beginning) -> None:
        for watcher in self._watchers:
            watcher.begin(beginning)

    def reach(self, iteration: int) -> None:
        for watcher in self._watchers:
            watcher.reach(iteration)

    def displayed(self, shown: Displayed) -> None:
        for watcher in self._watchers:
            watcher.displayed(shown)

    def tested(self, tested: Tested) -> None:
        for watcher in self._watchers:
            watcher.tested(tested)

    def end(self) -> None:
        for watcher in self._watchers:
            watcher.end()
