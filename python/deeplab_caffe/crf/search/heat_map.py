"""The heat map of a search: mean IoU over w1 and sigma_alpha, one panel per sigma_beta."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...errors import InputError
from ...files import replacing
from ...lazy import imported_on_use
from .result import ScoredSetting, SearchResult

if TYPE_CHECKING:
    from matplotlib import colors as mpl_colors
    from matplotlib import figure as mpl_figure
    from matplotlib import patheffects
    from matplotlib.axes import Axes
    from matplotlib.backends import backend_agg
else:
    mpl_colors = imported_on_use("matplotlib.colors")
    mpl_figure = imported_on_use("matplotlib.figure")
    patheffects = imported_on_use("matplotlib.patheffects")
    backend_agg = imported_on_use("matplotlib.backends.backend_agg")

Panel = tuple[float, list[ScoredSetting]]

_COLOURS, _RED = "viridis", "#d62728"
_CELL_WIDTH, _CELL_HEIGHT = 0.5, 0.27  # inches
_TITLES = {
    "screen": "Coarse grid, screened by cheaper inference",
    "coarse": "Coarse grid",
    "fine": "Fine grid, around the best of the coarse one",
}


def heat_map(result: SearchResult, path: str | os.PathLike[str]) -> None:
    """Write `search_figure` as a PNG. Raises InputError for a result without settings."""
    figure = search_figure(result)
    with replacing(path) as temporary:
        backend_agg.FigureCanvasAgg(figure).print_png(temporary)


def search_figure(result: SearchResult) -> mpl_figure.Figure:
    """The coarse round above, the fine round below, a panel per sigma_beta, the best in a frame.

    What was scored beyond the coarse ranges stands with the coarse round, whose grid then has gaps. Cells show
    the mean IoU in percent. Each round has its own colour scale, because values of the fine round differ by little; a
    red line on the scale marks the mean IoU without CRF. Raises InputError for a result without settings.
    """
    rounds = {name: panels for name in _TITLES if (panels := _panels(name, result))}
    if "screen" in rounds and not any(row.round == "wider" for row in result.rows):
        rounds.pop("coarse", None)  # only a few settings of the coarse grid were scored in full
    if not rounds:
        raise InputError("CRF search: the result has no settings to draw")
    figure = _figure(list(rounds.values()), result)
    heights = [_height(panels) for panels in rounds.values()]
    parts = figure.subfigures(len(rounds), 1, height_ratios=heights, squeeze=False)[:, 0]
    for part, (name, panels) in zip(parts, rounds.items(), strict=True):
        part.suptitle(_TITLES[name], fontsize=10.5, color="0.3")
        _draw_round(part, panels, result)
    return figure


def _panels(name: str, result: SearchResult) -> list[Panel]:
    """The settings of each sigma_beta. The fine round skips settings of the coarse round; they are added here."""
    rounds = ("coarse", "wider") if name == "coarse" else (name,)
    rows = [row for row in result.rows if row.round in rounds]
    alphas, weights = _axes_of(rows)
    known = rows if name == "screen" else [row for row in result.rows if row.round != "screen"]
    shown = [row for row in known if row.sigma_alpha in alphas and row.w1 in weights]
    return [(beta, [r for r in shown if r.sigma_beta == beta]) for beta in sorted({row.sigma_beta for row in rows})]


def _axes_of(rows: Sequence[ScoredSetting]) -> tuple[list[float], list[float]]:
    """The values of sigma_alpha and of w1."""
    return sorted({row.sigma_alpha for row in rows}), sorted({row.w1 for row in rows})


def _height(panels: Sequence[Panel]) -> float:
    return _CELL_HEIGHT * max(len(_axes_of(rows)[0]) for _, rows in panels) + 1.1


def _figure(rounds: Sequence[Sequence[Panel]], result: SearchResult) -> mpl_figure.Figure:
    widths = (sum(_CELL_WIDTH * len(_axes_of(rows)[1]) + 0.35 for _, rows in panels) for panels in rounds)
    size = (max(max(widths) + 1.4, 7.0), sum(map(_height, rounds)) + 0.5)
    figure = mpl_figure.Figure(figsize=size, dpi=120, layout="constrained")
    best, gain = result.best, 100 * (result.best_mean_iou - result.baseline_mean_iou)
    figure.suptitle(
        f"Best {100 * result.best_mean_iou:.2f} % at $w_1$ = {best.w1:g}, $\\sigma_\\alpha$ = {best.sigma_alpha:g}, "
        f"$\\sigma_\\beta$ = {best.sigma_beta:g}; without CRF {100 * result.baseline_mean_iou:.2f} % ({gain:+.2f})",
        fontsize=11.5,
    )
    return figure


def _draw_round(part: mpl_figure.SubFigure, panels: Sequence[Panel], result: SearchResult) -> None:
    values = [100 * row.mean_iou for _, rows in panels for row in rows]
    colours = mpl_colors.Normalize(np.nanmin(values), max(np.nanmax(values), np.nanmin(values) + 1e-3))
    axes = part.subplots(1, len(panels), squeeze=False)[0]
    for axis, (beta, rows) in zip(axes, panels, strict=True):
        _draw(axis, rows, colours)
        axis.set_title(f"$\\sigma_\\beta$ = {beta:g} levels", fontsize=10)
        if beta == result.best.sigma_beta:
            _mark(axis, rows, result)
    axes[0].set_ylabel("$\\sigma_\\alpha$ (pixels)", fontsize=9)
    bar = part.colorbar(axes[0].images[0], ax=list(axes), pad=0.012, aspect=24)
    bar.set_label("mean IoU (%)", fontsize=9)
    bar.ax.tick_params(labelsize=8)
    _mark_baseline(bar.ax, colours, 100 * result.baseline_mean_iou)


def _mark_baseline(scale: Axes, colours: mpl_colors.Normalize, baseline: float) -> None:
    """A red line on the colour scale at the mean IoU without CRF, if it is on the scale."""
    if colours(baseline) == np.clip(colours(baseline), 0, 1):
        scale.axhline(baseline, color=_RED, linewidth=2)
        note = scale.text(0.5, 1.02, "without\nCRF", fontsize=7, color=_RED, ha="center", transform=scale.transAxes)
        note.set_in_layout(False)


def _draw(axis: Axes, rows: Sequence[ScoredSetting], colours: mpl_colors.Normalize) -> None:
    alphas, weights = _axes_of(rows)
    grid = np.full((len(alphas), len(weights)), np.nan)
    for row in rows:
        grid[alphas.index(row.sigma_alpha), weights.index(row.w1)] = 100 * row.mean_iou
    axis.imshow(grid, cmap=_COLOURS, norm=colours, origin="lower", aspect="auto")
    for (y, x), value in np.ndenumerate(grid):
        if np.isfinite(value):
            shade = "black" if colours(value) > 0.6 else "white"
            axis.text(x, y, f"{value:.2f}", ha="center", va="center", fontsize=7.5, color=shade)
    axis.set_xticks(range(len(weights)), [f"{value:g}" for value in weights], fontsize=8)
    axis.set_yticks(range(len(alphas)), [f"{value:g}" for value in alphas], fontsize=8)
    axis.tick_params(length=2)
    axis.set_xlabel("$w_1$", fontsize=9)


def _mark(axis: Axes, rows: Sequence[ScoredSetting], result: SearchResult) -> None:
    """A red frame with a white rim around the best cell, if it is in this panel."""
    (alphas, weights), best = _axes_of(rows), result.best
    if best.sigma_alpha not in alphas or best.w1 not in weights:
        return
    xs = np.array([-0.5, 0.5, 0.5, -0.5, -0.5]) + weights.index(best.w1)
    ys = np.array([-0.5, -0.5, 0.5, 0.5, -0.5]) + alphas.index(best.sigma_alpha)
    (line,) = axis.plot(xs, ys, color=_RED, linewidth=2, clip_on=False, zorder=5)
    line.set_path_effects([patheffects.Stroke(linewidth=4, foreground="white"), patheffects.Normal()])
