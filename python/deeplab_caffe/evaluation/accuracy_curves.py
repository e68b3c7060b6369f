"""Accuracies during a training, on training batches and on validation images: read from logs and tables, and drawn."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..reading import reading
from .plot_style import INK, Chart, chart, drawable, fewer_points, plain
from .score_figures import COLOURS
from .train_log import TrainLog

#: the outputs of the layer SegAccuracy, in its order, and what charts call them
QUANTITIES = {"pixel_accuracy": "pixel accuracy, %", "mean_accuracy": "mean accuracy, %", "mean_iou": "mean IoU, %"}

#: (n,) iterations and (n,) values
Series = tuple[NDArray[np.int64], NDArray[np.float64]]
_MOST_BYTES = 64 * 1024**2


@dataclass(frozen=True, eq=False)
class AccuracyStage:
    """The accuracies of one stage of a training.

    Attributes:
        name: of the stage.
        training: {quantity: its series}, fractions, on batches that were trained on.
        validation: the same on validation images.
    """

    name: str
    training: Mapping[str, Series] = field(default_factory=dict)
    validation: Mapping[str, Series] = field(default_factory=dict)


def read_training_table(path: str | os.PathLike[str]) -> dict[str, Series]:
    """The columns of a table of a training, `log/train.csv`: {name: its series}, without empty cells.

    Raises:
        InputError: the file cannot be read, has no column `iteration`, or a cell is no number: says in which line.
    """
    with reading(path, "the table of the training"):
        if os.path.getsize(path) > _MOST_BYTES:
            raise InputError(f"{path}: has more than {_MOST_BYTES >> 20} MiB; expected a line for each display")
        with open(path, encoding="utf-8", newline="") as file:
            rows = csv.reader(file)
            names = next(rows, [])
            if "iteration" not in names:
                raise InputError(f"{path}:1: expected a column 'iteration' but got {', '.join(names) or 'nothing'}")
            values = np.array([_numbers(row, len(names), f"{path}:{rows.line_num}") for row in rows])
    values = values.reshape(-1, len(names))
    at = values[:, names.index("iteration")]
    columns = {name: values[:, place] for place, name in enumerate(names) if name != "iteration"}
    return {name: _series(at, column) for name, column in columns.items() if np.isfinite(column).any()}


def _numbers(row: Sequence[str], count: int, where: str) -> list[float]:
    if len(row) != count:
        raise InputError(f"{where}: {len(row)} cells; expected {count}")
    try:
        return [float(cell) if cell.strip() else np.nan for cell in row]
    except ValueError:
        raise InputError(f"{where}: a cell is no number: {', '.join(row)[:80]}") from None


def _series(at: NDArray[np.float64], values: NDArray[np.float64]) -> Series:
    known = np.isfinite(at) & ~np.isnan(values) & (np.abs(at) < 2**53)
    return at[known].astype(np.int64), values[known]


def accuracies_of_log(log: TrainLog, net: str) -> dict[str, Series]:
    """The accuracies that SegAccuracy has written into a log, {quantity: its series}; empty if there are none.

    Args:
        log: the log.
        net: whose outputs: "train" or "test".
    """
    known = {*log.names}
    for name in log.names:
        columns = [name, f"{name}[1]", f"{name}[2]"]
        if name.startswith(f"{net}/") and "acc" in name and known.issuperset(columns) and f"{name}[3]" not in known:
            return {quantity: log.series(column) for quantity, column in zip(QUANTITIES, columns, strict=True)}
    return {}


def accuracy_curves(stages: Sequence[AccuracyStage], apart: bool = False) -> Chart:
    """Draw the accuracies against the iteration: thin lines for training batches, points for validation images.

    Args:
        stages: one or more.
        apart: whether they are trainings of their own, that all begin at 0; or stages that follow one another.
    """
    from matplotlib.figure import Figure

    shown = [q for q in QUANTITIES if any(q in stage.training or q in stage.validation for stage in stages)]
    several = len(stages) > 1
    figure = Figure(figsize=(7.2, 0.6 + 2.0 * len(shown)), layout="constrained")
    panels = figure.subplots(len(shown), sharex=True, squeeze=False)[:, 0]
    for axes, quantity in zip(panels, shown, strict=True):
        start = 0
        for number, stage in enumerate(stages):
            colour, last = COLOURS[number % len(COLOURS)], start
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
        axes.set_ylabel(QUANTITIES[quantity], fontsize=9)
        plain(axes, "both")
    panels[-1].set_xlabel("iteration")
    pairs = (pair for axes in panels for pair in zip(*axes.get_legend_handles_labels(), strict=True))
    lines = {label: line for line, label in pairs}
    place = {"loc": "outside upper center", "ncols": min(len(lines), 3)}
    figure.legend(lines.values(), lines.keys(), **place, frameon=False, fontsize=9)
    return chart(figure)


_STYLES = {
    "training": {"linewidth": 0.9, "alpha": 0.6},
    "validation": {"linewidth": 1.8, "markersize": 3.5},
}
