"""Pictures of scores: the confusion matrix, curves of trimaps, and the trimap of an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .comparison import Difference
from .confusion import Matrix
from .figures import AFTER, BEFORE, Rgb, colour_labels, side_by_side
from .plot_style import INK, Chart, chart, drawable, plain
from .trimap import BandScore, Trimap

COLOURS = ("#1d5fa8", "#c2571a", "#3f7d3c", "#8a4f9e", "#b8283c", "#5c6670", "#00808a", "#a07a12")
#: up to so many classes a cell of the confusion matrix has its number in it
_NUMBERED = 25
_PANELS = {"mean_iou": "mean IoU, %", "pixel_accuracy": "pixel accuracy, %", "mean_accuracy": "mean class accuracy, %"}
#: widths of the bands in the papers' picture (v2, Fig. 10a)
SHOWN_WIDTHS = (2, 10)


def confusion_picture(matrix: Matrix, class_names: Sequence[str]) -> Chart:
    """Draw a confusion matrix, each row in percent of its class's pixels.

    Args:
        matrix: (C, C), ground truth in rows.
        class_names: C names.
    """
    from matplotlib.figure import Figure

    count, names = len(class_names), list(map(drawable, class_names))
    truth = matrix.sum(1, keepdims=True)
    share = np.divide(100.0 * matrix, truth, out=np.full(matrix.shape, np.nan), where=truth > 0)
    numbered = count <= _NUMBERED
    side = 2.6 + (0.42 if numbered else 0.17) * count
    figure = Figure(figsize=(side + 0.6, side if numbered else side - 1.5), layout="constrained")
    axes = figure.add_subplot()
    drawn = axes.imshow(share, cmap="Blues", vmin=0, vmax=100, interpolation="none")
    size = 8 if numbered else 7
    axes.set_xticks(range(count), names, rotation=90, fontsize=size)
    axes.set_yticks(range(count), names, fontsize=size)
    axes.set(xlabel="predicted as", ylabel="class in the label")
    if numbered:
        for row, column in np.argwhere(share >= 0.5):
            value = share[row, column]
            axes.text(
                column, row, f"{value:.0f}", ha="center", va="center", fontsize=7, color="white" if value > 55 else INK
            )
    bar = figure.colorbar(drawn, ax=axes, shrink=0.7)
    bar.set_label("% of the class's pixels", fontsize=8)
    bar.ax.tick_params(labelsize=8)
    return chart(figure)


def score_histogram(before: Sequence[float], after: Sequence[float] | None = None) -> Chart:
    """Draw how many images have which mean IoU.

    Args:
        before: fractions, NaN for images without a score.
        after: the same after the CRF, or None.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(7.2, 2.6), layout="constrained")
    axes = figure.add_subplot()
    series = [(before, "before CRF", BEFORE), (after, "after CRF", AFTER)] if after else [(before, "", AFTER)]
    values = [100 * np.array([v for v in each if v == v]) for each, _, _ in series]
    edges = [5.0 * k for k in range(21)]
    axes.hist(values, edges, color=[colour for *_, colour in series], label=[label for _, label, _ in series])
    axes.set(xlim=(0, 100), xlabel="mean IoU of an image, percent", ylabel="images")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    if after:
        axes.legend(frameon=False, fontsize=9)
    plain(axes, "y")
    return chart(figure)


def trimap_curves(curves: Mapping[str, Sequence[BandScore]], note: str = "") -> Chart:
    """Draw scores against the width of the band, one colour for each result (v2, Fig. 10b and c).

    Args:
        curves: {name of a result: its scores, by width}.
        note: what the bands are, below the curves.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.2, 3.7), layout="constrained")
    for axes, (key, title) in zip(figure.subplots(1, len(_PANELS)), _PANELS.items(), strict=True):
        for number, (name, scores) in enumerate(curves.items()):
            values = [100 * getattr(score, key) for score in scores]
            style = {"marker": "o", "markersize": 3} if len(scores) < 12 else {}
            colour = COLOURS[number % len(COLOURS)]
            axes.plot([s.width for s in scores], values, color=colour, linewidth=1.7, label=drawable(name), **style)
        axes.set(xlabel="width of the band, pixels", title=title)
        axes.title.set_fontsize(10)
        plain(axes, "both")
    if len(curves) > 1:
        figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=4, frameon=False, fontsize=9)
    if note:
        figure.supxlabel(drawable(note), fontsize=6.5, color="#5a6572", wrap=True)
    return chart(figure)


def difference_chart(class_names: Sequence[str], differences: Sequence[Difference]) -> Chart:
    """Draw the difference of each class's IoU to a reference with its interval, and of the mean in the last row.

    Args:
        class_names: C names.
        differences: one or more, a colour each.
    """
    from matplotlib.figure import Figure

    rows, several = [*class_names, "mean IoU"], len(differences)
    figure = Figure(figsize=(7.2, 0.9 + (0.18 + 0.12 * several) * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    for number, difference in enumerate(differences):
        y = np.arange(len(rows)) + (number - (several - 1) / 2) * 0.6 / several
        values = 100 * np.append(difference.classes, difference.mean_iou)
        colour = COLOURS[number % len(COLOURS)]
        if difference.intervals is not None:
            low, high = 100 * difference.intervals.T
            axes.hlines(y, low, high, color=colour, linewidth=2.2, alpha=0.45)
        axes.plot(values, y, "o", color=colour, markersize=5, label=drawable(difference.name))
    axes.axvline(0, color=INK, linewidth=0.9)
    axes.axhline(len(class_names) - 0.5, color="#d5dae0", linewidth=0.8)
    axes.set(ylim=(len(rows) - 0.4, -0.6), xlabel="difference of the IoU, percentage points")
    axes.set_yticks(range(len(rows)), list(map(drawable, rows)))
    if several > 1:
        figure.legend(loc="outside upper right", ncols=3, frameon=False, fontsize=9)
    plain(axes, "x")
    return chart(figure)


def trimap_picture(
    image: Rgb | None,
    label: NDArray[np.integer[Any]],
    palette: Rgb,
    ignore_label: int | None,
    trimap: Trimap,
    widths: Sequence[int] = SHOWN_WIDTHS,
) -> bytes:
    """Draw an image, its label, and what lies in bands of some widths (v2, Fig. 10a).

    Inside a band the label's colours are shown, outside of it the image, paler; the ignore label is white.

    Args:
        image: (H, W, 3) RGB, or None.
        label: (H, W).
        palette: (K, 3) RGB.
        ignore_label: its value, or None.
        trimap: where bands begin.
        widths: of the bands shown.

    Returns:
        A PNG file.
    """
    distance = trimap.distance(label, ignore_label)
    coloured = colour_labels(label, palette, ignore_label)
    below = np.full_like(coloured, 190) if image is None else image // 3 + 130
    cells = [coloured] if image is None else [image, coloured]
    headings = ["label"] if image is None else ["image", "label"]
    for width in widths:
        band = np.where(((distance >= 1) & (distance <= width))[..., None], coloured, below)
        band[np.asarray(label) == (-1 if ignore_label is None else ignore_label)] = 255
        cells.append(np.asarray(band, np.uint8))
        headings.append(f"trimap, {width} pixels")
    return side_by_side([cells], headings, cell_height=300)
