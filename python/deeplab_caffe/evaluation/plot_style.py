"""The style of figures, and their PNG files."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # matplotlib is imported where it is used, because importing it is slow
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, FAINT = "#22272e", "#d5dae0"
#: size of the tick labels, in points
TICK_SIZE = 9


def plain(axes: Axes, grid: Any) -> None:
    """Remove the frame, draw a faint grid ("x", "y" or "both"), and give all tick labels one size."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis=grid, color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", labelsize=TICK_SIZE, colors=INK)
    axes.yaxis.get_offset_text().set(fontsize=TICK_SIZE, color=INK)


def logarithmic(axes: Axes, low: float, high: float) -> None:
    """Make the y axis logarithmic for values from `low` to `high`, with labels such as 0.5, 1, 2.

    matplotlib's default labels are powers of ten, with products in a smaller size between them.
    """
    from matplotlib import ticker

    axes.set_yscale("log")
    decades = ticker.LogLocator(subs=(1, 2, 5) if high / low < 1000 else (1,))
    axes.yaxis.set_major_locator(decades if high / low >= 4 else ticker.MaxNLocator(5))
    axes.yaxis.set_major_formatter(ticker.FuncFormatter(lambda value, place: f"{value:g}"))
    axes.yaxis.set_minor_locator(ticker.NullLocator())


def figure_bytes(figure: Figure) -> bytes:
    """A figure as a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150, metadata={"Software": None})
    return buffer.getvalue()
