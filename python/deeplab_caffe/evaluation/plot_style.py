"""The style of figures, and their files: PNG and SVG."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..words import for_people

if TYPE_CHECKING:  # matplotlib is imported where it is used, because importing it is slow
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, FAINT = "#22272e", "#d5dae0"
#: size of the tick labels, in points
TICK_SIZE = 9
#: a curve has at most so many points, more than a screen has columns
_MOST_POINTS = 1600


class Chart(NamedTuple):
    """A figure as two files: PNG for documents that take nothing else, SVG for pages, which stays sharp."""

    png: bytes
    svg: bytes


def plain(axes: Axes, grid: Any) -> None:
    """Remove the frame, draw a faint grid ("x", "y" or "both"), and give all tick labels one size."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis=grid, color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", labelsize=TICK_SIZE, colors=INK)
    axes.yaxis.get_offset_text().set(fontsize=TICK_SIZE, color=INK)


def of_iterations(axes: Axes, name: str = "iteration") -> None:
    """Make the x axis one of iterations: whole numbers."""
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel(name)
    axes.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 2.5, 5, 10], integer=True))


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


def svg_bytes(figure: Figure) -> bytes:
    """A figure as an SVG file with its text as text; the same figure gives the same bytes."""
    import matplotlib

    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "deeplab", "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def chart(figure: Figure) -> Chart:
    """A figure as both files."""
    return Chart(figure_bytes(figure), svg_bytes(figure))


def drawable(text: str) -> str:
    """Text that matplotlib takes as it is: a dollar begins a formula, and a leading underscore hides a label."""
    text = for_people(text).replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text


def fewer_points(x: NDArray[Any], y: NDArray[Any], most: int = _MOST_POINTS) -> tuple[NDArray[Any], NDArray[Any]]:
    """A curve (n,) with at most `most` points, which looks the same: the lowest and highest of each stretch are kept.

    Example:
        >>> fewer_points(np.arange(8), np.array([0, 9, 1, 1, 1, 1, -9, 1]), 4)
        (array([0, 1, 4, 6]), array([ 0,  9,  1, -9]))
    """
    if len(x) <= most:
        return x, y
    keep = [place for part in np.array_split(np.arange(len(x)), most // 2) for place in _ends(part, y[part])]
    return x[keep], y[keep]


def _ends(places: NDArray[np.int64], values: NDArray[Any]) -> list[int]:
    """The places of the lowest and the highest value, in order; NaN counts as neither unless all are."""
    if np.isnan(values).all():
        return [int(places[0])]
    return sorted({int(places[np.nanargmin(values)]), int(places[np.nanargmax(values)])})
