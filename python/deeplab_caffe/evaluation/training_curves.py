"""Curves of trainings, as files in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..formats.accuracies import ACCURACIES
from .plot_style import INK, Chart, chart, drawable, fewer_points, figure_bytes, logarithmic, of_iterations, plain
from .train_log import TrainLog

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = ("#1d5fa8", "#c2571a", "#3f7d3c", "#8a4f9e", "#b8283c", "#5c6670", "#00808a", "#a07a12")
_TICK = "{x:g}"  # 0.01 or 5e-05, not an exponent above the axis, where it is overlooked

#: name of a table without its stage → how its accuracies are drawn
_ACCURACY_STYLES: dict[str, dict[str, Any]] = {
    "train": {"label": "training, each displayed batch", "color": _COLOURS[0], "linewidth": 0.9, "alpha": 0.5},
    "validation": {"label": "held-out images", "color": _COLOURS[1], "linewidth": 1.8, "marker": "o", "markersize": 4},
}


@dataclass(frozen=True)
class TrainingStage:
    """One stage of a training.

    Attributes:
        name: of the stage.
        iteration: (n,) iterations.
        loss: (n,) loss at these iterations.
        lr: (n,) learning rates; (0,) if unknown.
    """

    name: str
    iteration: NDArray[np.integer[Any]]
    loss: NDArray[np.floating[Any]]
    lr: NDArray[np.floating[Any]]


def loss_curve(stages: Sequence[TrainingStage], apart: bool = False) -> Chart:
    """Draw the loss, raw and smoothed, and the learning rate.

    Args:
        stages: one or more.
        apart: whether they are trainings of their own, that all begin at 0; or stages that follow one another.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 3.9), layout="constrained")
    upper, lower = figure.subplots(2, sharex=True, height_ratios=(3, 1))
    start = 0
    for number, stage in enumerate(stages):
        colour = _COLOURS[number % len(_COLOURS)]
        at = start + np.asarray(stage.iteration)
        good = np.isfinite(stage.loss) & (np.asarray(stage.loss) > 0)
        upper.plot(*fewer_points(at, np.where(good, stage.loss, np.nan)), color=colour, alpha=0.25, linewidth=0.8)
        smoothed = smooth(np.asarray(stage.loss)[good])
        upper.plot(*fewer_points(at[good], smoothed), color=colour, linewidth=1.8, label=drawable(stage.name))
        if len(stage.lr) == len(at):
            lower.plot(*fewer_points(at, stage.lr), color=colour, linewidth=1.4)
        start = 0 if apart else int(at.max(initial=start))
        if number + 1 < len(stages) and not apart:
            for axes in (upper, lower):
                axes.axvline(start, color=INK, linewidth=0.8, linestyle=":")
    _scale(upper, [stage.loss for stage in stages])
    upper.set_ylabel("loss")
    of_iterations(lower)
    lower.set_ylabel("lr")
    lower.yaxis.set_major_formatter(_TICK)
    upper.legend(frameon=False, fontsize=9)
    for axes in (upper, lower):
        plain(axes, "both")
    return chart(figure)


def log_curves(runs: Sequence[tuple[str, TrainLog]]) -> bytes:
    """Draw everything that logs display against the iteration, one panel for each quantity, one colour for each run.

    Training and test outputs of the same name share a panel: training lines are thin, test lines have points.

    Args:
        runs: (name, log) of each run.

    Returns:
        A PNG file.

    Raises:
        InputError: no log displays any value.
    """
    from matplotlib.figure import Figure

    panels = _panels(log for _, log in runs)
    if not panels:
        raise InputError("nothing to plot: the logs contain no values")
    heights = [0.6 if title == "lr" else 1 for title in panels]
    figure = Figure(figsize=(8, 0.8 + 2.4 * sum(heights)), layout="constrained")
    all_axes = figure.subplots(len(panels), sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (title, columns) in zip(all_axes, panels.items(), strict=True):
        _panel(axes, title, columns, runs)
    of_iterations(all_axes[-1], "batch" if list(panels) == ["batch"] else "iteration")
    return figure_bytes(figure)


def smooth(values: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Geometric moving average over about a fifteenth of the curve: (n,) positive values → (n,)."""
    if len(values) < 3:
        return np.asarray(values, np.float64)
    width = max(3, len(values) // 15)
    kernel = np.ones(width)
    logs = np.log(values)
    weight = np.convolve(np.ones(len(logs)), kernel, "same")
    return np.exp(np.convolve(logs, kernel, "same") / weight)


def _panels(logs: Iterable[TrainLog]) -> dict[str, list[str]]:
    """The columns of each panel; loss comes first, lr last."""
    panels: dict[str, list[str]] = {}
    for name in sorted({name for log in logs for name in log.columns}):
        panels.setdefault(_quantity(name), []).append(name)
    order = sorted(panels, key=lambda title: (title == "lr", not title.startswith("loss"), title))
    return {title: panels[title] for title in order}


def _quantity(column: str) -> str:
    """The quantity of a column: `label_count` for train/label_count[1], `mean IoU` for train/accuracy[mean_iou]."""
    top, _, value = column.rpartition("/")[2].partition("[")
    name = ACCURACIES.get(value.rstrip("]"))
    return top if name is None else name if top == "accuracy" else f"{top}: {name}"


def _panel(axes: Axes, title: str, columns: Sequence[str], runs: Sequence[tuple[str, TrainLog]]) -> None:
    shown = []
    for number, (run, log) in enumerate(runs):
        for place, column in enumerate(columns):
            iteration, values = log.series(column)
            if not len(values):
                continue
            shown.append(values)
            colour = _COLOURS[(number if len(runs) > 1 else place) % len(_COLOURS)]
            words = [run] * (len(runs) > 1) + [column] * (len(columns) > 1)
            style = _style(column, place if len(runs) > 1 else 0, len(values))
            axes.plot(iteration, values, color=colour, label=" ".join(words), **style)
    axes.margins(x=0.02)
    axes.set_ylabel(title)
    if title == "lr":
        axes.yaxis.set_major_formatter(_TICK)
    elif "loss" in title:
        _scale(axes, shown)
    if len(runs) > 1 or len(columns) > 1:
        axes.legend(frameon=False, fontsize=8, ncols=1 + (len(shown) > 4))
    plain(axes, "both")


def _style(column: str, place: int, points: int) -> dict[str, Any]:
    """The line style of a column: test values get points; `place` selects the dashes of columns of one colour."""
    if column.startswith("train/"):
        return {"linewidth": 0.9, "alpha": 0.5}
    dashes = ("-", "--", ":", "-.")[place % 4]
    few = column.startswith("test") or points < 3
    return {"linewidth": 1.6, "linestyle": dashes, "marker": "o" if few else "", "markersize": 3.5}


def _scale(axes: Axes, values: Sequence[NDArray[np.floating[Any]]]) -> None:
    """Use a logarithmic scale if all values are positive and the largest is at least twice the smallest."""
    every = np.concatenate([np.asarray(v, np.float64) for v in values]) if values else np.zeros(0)
    every = every[np.isfinite(every)]
    if every.size and every.min() > 0 and every.max() >= 2 * every.min():
        logarithmic(axes, every.min(), every.max())
