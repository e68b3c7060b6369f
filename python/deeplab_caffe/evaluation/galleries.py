"""Rows of pictures for the report: attention to scales, learnt edges, the CRF's beliefs over its iterations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .figures import Rgb, heat

#: scores are drawn up to this percentile of their size, so that a few extreme pixels do not hide the others
_PERCENTILE = 99


@dataclass(frozen=True, eq=False)
class Gallery:
    """Pictures of one kind, a row for each image.

    Attributes:
        key: file name of the gallery's PNG, without suffix.
        title: heading.
        text: what the pictures show and what their colours mean.
        rows: (name of the row, its pictures); a picture is (heading, (H, W, 3) RGB).
        headings: of the columns in the PNG; empty: those of the first row.
    """

    key: str
    title: str
    text: str
    rows: Sequence[tuple[str, Sequence[tuple[str, Rgb]]]]
    headings: Sequence[str] = ()


def attention_gallery(images: Iterable[tuple[str, Rgb, NDArray[np.floating]]], scales: Sequence[str]) -> Gallery:
    """The weight of each scale at each pixel.

    Args:
        images: (name, (H, W, 3) RGB, weights (S, H, W), whose sum over S is 1).
        scales: S names, such as "1/2".

    Source: Attention to Scale (arXiv 1511.03339), section 3.2.
    """
    rows = [
        (name, [("image", image), *((f"scale {s}", heat(w, 0, 1)) for s, w in zip(scales, weights, strict=True))])
        for name, image, weights in images
    ]
    text = (
        "How much the scores of each scale of the image count at each pixel; the weights of the scales sum to 1. "
        "Dark: 0, bright: 1."
    )
    return Gallery("attention", "Attention to scale", text, rows)


def edge_gallery(images: Sequence[tuple[str, Rgb, NDArray[np.floating], Rgb]], learnt: bool) -> Gallery:
    """The edges that stop the domain transform.

    Args:
        images: (name, (H, W, 3) RGB, edges (H, W), 0 or more, (H, W, 3) RGB of the filtered result).
        learnt: whether a net made them, or they are gradients of the image.

    Source: Domain Transform (arXiv 1511.03328).
    """
    low, high = _range([edges for _, _, edges, _ in images])
    rows = [
        (name, [("image", image), ("edges", heat(edges, low, high, "gray_r")), ("result", result)])
        for name, image, edges, result in images
    ]
    made = "EdgeNet learnt them together with the scores" if learnt else "They are the gradients of the image"
    colours = f"White: at most {low:.3g}, black: at least {high:.3g}."
    text = f"Where the domain transform stops spreading scores. {made}. {colours}"
    return Gallery("edges", "Edges", text, rows)


def _range(maps: Sequence[NDArray[np.floating]]) -> tuple[float, float]:
    """The common range of maps without their extremes; never empty."""
    values = np.concatenate([edges[::2, ::2].ravel() for edges in maps])
    low, high = np.percentile(values, [100 - _PERCENTILE, _PERCENTILE])
    return float(low), float(max(high, low + 1e-6))


@dataclass(frozen=True, eq=False)
class ClassBeliefs:
    """The CRF's beliefs in one class on one image.

    Attributes:
        name: of the image.
        class_name: of the class.
        image: (H, W, 3) RGB.
        labels: (H, W, 3) RGB, the final labels in colours.
        iterations: T numbers of mean field iterations; 0: before the CRF.
        beliefs: T maps (H, W), the softmax output of the class.
        margins: T maps (H, W), the score of the class minus the highest score of the others.
    """

    name: str
    class_name: str
    image: Rgb
    labels: Rgb
    iterations: Sequence[int]
    beliefs: Sequence[NDArray[np.floating]]
    margins: Sequence[NDArray[np.floating]]


def belief_gallery(images: Sequence[ClassBeliefs]) -> Gallery:
    """Scores (first row of each image) and beliefs (second row) before and after mean field iterations.

    Source: DeepLab v2, Fig. 5.
    """
    rows: list[tuple[str, Sequence[tuple[str, Rgb]]]] = []
    for each in images:
        most = max(float(np.percentile(np.abs(margin), _PERCENTILE)) for margin in each.margins) or 1.0
        when = [_after(count) for count in each.iterations]
        scores = [(f"score {w}", heat(m, -most, most, "RdBu_r")) for w, m in zip(when, each.margins, strict=True)]
        beliefs = [(f"belief {w}", heat(b, 0, 1)) for w, b in zip(when, each.beliefs, strict=True)]
        rows.append((f"{each.name}: {each.class_name}", [("image", each.image), *scores]))
        rows.append((f"{each.name}: {each.class_name}", [("result", each.labels), *beliefs]))
    text = (
        "The largest object class of an image. Scores: the score of the class minus the highest score of the other "
        "classes; red where the class wins, blue where it loses. Beliefs: its probability, the output of the softmax; "
        "dark: 0, bright: 1."
    )
    headings = ["", *map(_after, images[0].iterations)] if images else []
    return Gallery("beliefs", "The CRF's beliefs over its iterations", text, rows, headings)


def _after(count: int) -> str:
    return "before the CRF" if count == 0 else f"after {count} iteration{'s' * (count != 1)}"
