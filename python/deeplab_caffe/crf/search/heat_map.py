"""A picture of a search: mean IoU over sigma_alpha and sigma_beta, one panel per w1."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Normalize
from matplotlib.figure import Figure, SubFigure

from deeplab_caffe.errors import InputError
from deeplab_caffe.files import replacing

from .result import Row, SearchResult

Panel = tuple[float, list[Row]]

_COLOURS = "viridis"
_CELL_WIDTH, _CELL_HEIGHT = 0.5, 0.27  # inches
_TITLES = {"coarse": "Coarse grid", "fine": "Fine grid, around the best of the coarse one"}


def heat_map(result: SearchResult, path: str | os.PathLike[str]) -> None:
    """Write a PNG: the coarse round above, the fine round below, a panel per w1, the best framed.

    Cells hold the mean IoU in percent; each round has its own colours, because the fine one differs by little.
    Raises InputError for a result without settings.
    """
    rounds = {name: panels for name in _TITLES if (panels := _panels(name, result))}
    if not rounds:
        raise InputError("CRF search: the result has no settings to draw")
    figure = _figure(list(rounds.values()), result)
    heights = [_height(panels) for panels in rounds.values()]
    parts = figure.subfigures(len(rounds), 1, height_ratios=heights, squeeze=False)[:, 0]
    for part, (name, panels) in zip(parts, rounds.items(), strict=True):
        part.suptitle(_TITLES[name], fontsize=10.5, color="0.3")
        _draw_round(part, panels, result, digits=1 if name == "coarse" else 2)
    with replacing(path) as temporary:
        FigureCanvasAgg(figure).print_png(temporary)


def _panels(name: str, result: SearchResult) -> list[Panel]:
    """The rows of each w1. The fine round skipped the settings that the coarse one scored: they are filled in here."""
    rows = [row for row in result.rows if row.round == name]
    alphas, betas = _axes_of(rows)
    shown = [row for row in result.rows if row.sigma_alpha in alphas and row.sigma_beta in betas]
    return [(w1, [row for row in shown if row.w1 == w1]) for w1 in sorted({row.w1 for row in rows})]


def _axes_of(rows: Sequence[Row]) -> tuple[list[float], list[float]]:
    return sorted({row.sigma_alpha for row in rows}), sorted({row.sigma_beta for row in rows})


def _height(panels: Sequence[Panel]) -> float:
    return _CELL_HEIGHT * max(len(_axes_of(rows)[0]) for _, rows in panels) + 1.1


def _figure(rounds: Sequence[Sequence[Panel]], result: SearchResult) -> Figure:
    widths = (sum(_CELL_WIDTH * len(_axes_of(rows)[1]) + 0.35 for _, rows in panels) for panels in rounds)
    size = (max(max(widths) + 1.4, 7.0), sum(map(_height, rounds)) + 0.5)
    figure = Figure(figsize=size, dpi=120, layout="constrained")
    best, gain = result.best, 100 * (result.best_mean_iou - result.baseline_mean_iou)
    figure.suptitle(
        f"Best {100 * result.best_mean_iou:.2f} % at $w_1$ = {best.w1:g}, $\\sigma_\\alpha$ = {best.sigma_alpha:g}, "
        f"$\\sigma_\\beta$ = {best.sigma_beta:g}; without CRF {100 * result.baseline_mean_iou:.2f} % ({gain:+.2f})",
        fontsize=11.5,
    )
    return figure


def _draw_round(part: SubFigure, panels: Sequence[Panel], result: SearchResult, digits: int) -> None:
    values = [100 * row.mean_iou for _, rows in panels for row in rows]
    colours = Normalize(np.nanmin(values), max(np.nanmax(values), np.nanmin(values) + 1e-3))
    axes = part.subplots(1, len(panels), squeeze=False)[0]
    for axis, (w1, rows) in zip(axes, panels, strict=True):
        _draw(axis, rows, colours, digits)
        axis.set_title(f"$w_1$ = {w1:g}", fontsize=10)
        if w1 == result.best.w1:
            _mark(axis, rows, result)
    axes[0].set_ylabel("$\\sigma_\\alpha$ (pixels)", fontsize=9)
    bar = part.colorbar(axes[0].images[0], ax=list(axes), pad=0.012, aspect=24)
    bar.set_label("mean IoU (%)", fontsize=9)
    bar.ax.tick_params(labelsize=8)


def _draw(axis: Axes, rows: Sequence[Row], colours: Normalize, digits: int) -> None:
    alphas, betas = _axes_of(rows)
    grid = np.full((len(alphas), len(betas)), np.nan)
    for row in rows:
        grid[alphas.index(row.sigma_alpha), betas.index(row.sigma_beta)] = 100 * row.mean_iou
    axis.imshow(grid, cmap=_COLOURS, norm=colours, origin="lower", aspect="auto")
    for (y, x), value in np.ndenumerate(grid):
        if np.isfinite(value):
            shade = "black" if colours(value) > 0.6 else "white"
            axis.text(x, y, f"{value:.{digits}f}", ha="center", va="center", fontsize=7.5, color=shade)
    axis.set_xticks(range(len(betas)), [f"{value:g}" for value in betas], fontsize=8)
    axis.set_yticks(range(len(alphas)), [f"{value:g}" for value in alphas], fontsize=8)
    axis.tick_params(length=2)
    axis.set_xlabel("$\\sigma_\\beta$ (levels)", fontsize=9)


def _mark(axis: Axes, rows: Sequence[Row], result: SearchResult) -> None:
    """A red frame with a white rim around the best cell, if this panel has it."""
    (alphas, betas), best = _axes_of(rows), result.best
    if best.sigma_alpha not in alphas or best.sigma_beta not in betas:
        return
    xs = np.array([-0.5, 0.5, 0.5, -0.5, -0.5]) + betas.index(best.sigma_beta)
    ys = np.array([-0.5, -0.5, 0.5, 0.5, -0.5]) + alphas.index(best.sigma_alpha)
    (line,) = axis.plot(xs, ys, color="#d62728", linewidth=2, clip_on=False, zorder=5)
    line.set_path_effects([patheffects.Stroke(linewidth=4, foreground="white"), patheffects.Normal()])
