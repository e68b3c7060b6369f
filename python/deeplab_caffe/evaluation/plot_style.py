"""How figures look, and their bytes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # matplotlib is imported where it is used: it takes longer than the rest of the package
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, FAINT = "#22272e", "#d5dae0"
#: size of the numbers at the axes, in points
TICK_SIZE = 9


def plain(axes: Axes, grid: Any) -> None:
    """No frame, a faint grid in direction `grid`, and all numbers of one size."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis=grid, color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", labelsize=TICK_SIZE, colors=INK)
    axes.yaxis.get_offset_text().set(fontsize=TICK_SIZE, color=INK)


def logarithmic(axes: Axes, low: float, high: float) -> None:
    """A logarithmic y axis for values from `low` to `high`, with plain numbers: 0.5, 1, 2, not powers of ten.

    matplotlib would write those between the powers in another size, and as products.
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
