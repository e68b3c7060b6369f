"""The accuracies of a training net and of its test net, among all the numbers that a solver shows."""

from __future__ import annotations

from typing import Any

from ...engine import Displayed, Tested
from ...evaluation import Scores
from ...formats.accuracies import ACCURACIES, accuracy_tops, main_accuracies
from ...formats.definition import read_definition


class Accuracies:
    """Finds the accuracies of the nets of a solver among their outputs.

    Args:
        solver: its SolverParameter.
    """

    def __init__(self, solver: Any) -> None:
        files = [solver.train_net or solver.net, *(solver.test_net[:1] or [solver.net])]
        self._train, self._test = ({} if not file else _tops(file) for file in files)

    def of(self, shown: Displayed) -> dict[str, float]:
        """Those of a training net, by column; of its last batch."""
        return main_accuracies(shown.outputs, self._train)

    def tested(self, tested: Tested) -> dict[str, float]:
        """Those of a test net, by column: over all pixels of the test, or else what the net says of them."""
        name = "accuracy" if "accuracy" in tested.confusion else next(iter(tested.confusion), None)
        if name is None:
            return main_accuracies(tested.outputs, self._test)
        scores = Scores.from_matrix(tested.confusion[name])
        return {column: getattr(scores, column) for column in ACCURACIES}


def _tops(net_file: str) -> dict[str, tuple[str, ...]]:
    return accuracy_tops(read_definition(net_file).param.layer)
