"""A picture of what the labels of a data set hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .plot_style import INK, figure_bytes, plain

if TYPE_CHECKING:  # matplotlib is imported where it is used, because importing it is slow
    from matplotlib.axes import Axes
    from matplotlib.patches import Rectangle

_SHADES = ("#1d5fa8", "#9db2c9", "#c58b2a", "#8a8f98")


def class_figure(
    class_names: Sequence[str],
    palette: NDArray[np.uint8],
    shares: Mapping[str, Sequence[float]],
    images: Mapping[str, Sequence[float]],
) -> bytes:
    """Draw how often each class occurs, as horizontal bars.

    Args:
        class_names: C names.
        palette: (C or more, 3) RGB, drawn beside the names.
        shares: list → share of the pixels of each class, 0..1.
        images: list → share of the images that have each class, 0..1.

    Returns:
        A PNG file.
    """
    from matplotlib.figure import Figure

    count, lists = len(class_names), list(shares)[: len(_SHADES)]
    figure = Figure(figsize=(10, 1.2 + (0.16 + 0.1 * len(lists)) * count), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    thick = 0.76 / max(len(lists), 1)
    for axes, series, words in ((left, shares, "pixels"), (right, images, "images")):
        for number, name in enumerate(lists):
            place = np.arange(count) + (number - (len(lists) - 1) / 2) * thick
            percent = 100 * np.asarray(series[name], float)
            label = name if axes is left else None
            axes.barh(place, percent, thick, color=_SHADES[number], label=label)
            for at, value in zip(place, percent, strict=True):
                axes.text(value, at, f" {value:.3g}" if value else " none", va="center", fontsize=7, color=INK)
        axes.set(xlabel=f"percent of the {words}", ylim=(count - 0.4, -0.6))
        plain(axes, "x")
        axes.set_xlim(0, axes.get_xlim()[1] * 1.08)
    left.set_yticks(np.arange(count), class_names)
    left.tick_params(axis="y", length=0, pad=14)
    for row, colour in enumerate(palette[:count]):
        left.add_artist(_swatch(left, row, colour))
    figure.legend(loc="outside upper right", ncols=len(_SHADES), frameon=False, fontsize=9)
    return figure_bytes(figure)


def _swatch(axes: Axes, row: int, colour: NDArray[np.uint8]) -> Rectangle:
    from matplotlib.patches import Rectangle

    across = axes.get_yaxis_transform()  # x from 0 to 1 over the axes, y in data
    return Rectangle(
        (-0.022, row - 0.3), 0.014, 0.6, transform=across, clip_on=False, facecolor=colour / 255, edgecolor="#888888",
        linewidth=0.4,
    )  # fmt: skip
