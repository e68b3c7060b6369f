"""Accuracies during a training, on training batches and on validation images: read from logs, and drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..formats.accuracies import ACCURACIES
from .plot_style import INK, Chart, chart, drawable, fewer_points, of_iterations, plain
from .score_figures import COLOURS
from .train_log import TrainLog

#: (n,) iterations and (n,) values
Series = tuple[NDArray[np.int64], NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class AccuracyStage:
    """The accuracies of one stage of a training.

    Attributes:
        name: of the stage.
        training: {quantity: its series}, fractions, on batches that were trained on.
        validation: the same on validation images.
        end: the last iteration of the stage, where the next one begins; if 0 it is the last one with an accuracy.
    """

    name: str
    training: Mapping[str, Series] = field(default_factory=dict)
    validation: Mapping[str, Series] = field(default_factory=dict)
    end: int = 0


def accuracies_of_log(log: TrainLog, net: str) -> dict[str, Series]:
    """The accuracies that SegAccuracy has written into a log, {quantity: its series}; empty if there are none.

    Args:
        log: the log.
        net: whose outputs: "train" or "test".
    """
    named = [name.partition("[")[0] for name in log.names if name.endswith(f"[{next(reversed(ACCURACIES))}]")]
    numbered = [name for name in log.names if "acc" in name and {f"{name}[1]", f"{name}[2]"} <= {*log.names}]
    for top in (*named, *numbered):
        if top.startswith(f"{net}/") and f"{top}[3]" not in log.names:
            columns = (top, f"{top}[1]", f"{top}[2]")
            return {quantity: log.series(column) for quantity, column in zip(ACCURACIES, columns, strict=True)}
    return {}


def accuracy_curves(stages: Sequence[AccuracyStage], apart: bool = False) -> Chart:
    """Draw the accuracies against the iteration: thin lines for training batches, points for validation images.

    Args:
        stages: one or more.
        apart: whether they are trainings of their own, that all begin at 0; or stages that follow one another.
    """
    from matplotlib.figure import Figure

    shown = [q for q in ACCURACIES if any(q in stage.training or q in stage.validation for stage in stages)]
    several = len(stages) > 1
    figure = Figure(figsize=(7.2, 0.6 + 2.0 * len(shown)), layout="constrained")
    panels = figure.subplots(len(shown), sharex=True, squeeze=False)[:, 0]
    for axes, quantity in zip(panels, shown, strict=True):
        start = 0
        for number, stage in enumerate(stages):
            colour, last = COLOURS[number % len(COLOURS)], start + stage.end
            for kind, series in (("training", stage.training), ("validation", stage.validation)):
                at, values = series.get(quantity, (np.zeros(0, np.int64), np.zeros(0)))
                if not len(at):
                    continue
                x, y = fewer_points(start + at, 100 * values)
                style = _STYLES[kind] | ({"marker": "o"} if kind == "validation" and len(x) < 60 else {})
                axes.plot(x, y, color=colour, label=drawable(f"{stage.name}, {kind}" if several else kind), **style)
                last = max(last, int(x[-1]))
            if not apart and number + 1 < len(stages):
                axes.axvline(last, color=INK, linewidth=0.8, linestyle=":")
                start = last
        axes.set_ylabel(f"{ACCURACIES[quantity]}, %", fontsize=9)
        plain(axes, "both")
    of_iterations(panels[-1])
    pairs = (pair for axes in panels for pair in zip(*axes.get_legend_handles_labels(), strict=True))
    lines = {label: line for line, label in pairs}
    place = {"loc": "outside upper center", "ncols": min(len(lines), 3)}
    figure.legend(lines.values(), lines.keys(), **place, frameon=False, fontsize=9)
    return chart(figure)


_STYLES = {
    "training": {"linewidth": 0.9, "alpha": 0.6},
    "validation": {"linewidth": 1.8, "markersize": 3.5},
}
