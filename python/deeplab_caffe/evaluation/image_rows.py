"""Images with labels and results as a page shows them: side by side, or two at a time over the photo."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..words import for_people
from . import figures, pages
from .figures import Rgb

Labels = NDArray[np.integer[Any]]


@dataclass(frozen=True, eq=False)
class Example:
    """One image with its results.

    Attributes:
        name: id of the image.
        image: (H, W, 3) RGB.
        label: (H, W) ground truth; None if there is none.
        prediction: (H, W) labels without the CRF.
        crf: (H, W) labels with the CRF; None if it is not used.
        text: what is said of it, such as its scores.
        group: the heading under which it stands, or "".
    """

    name: str
    image: Rgb
    label: Labels | None
    prediction: Labels
    crf: Labels | None = None
    text: str = ""
    group: str = ""

    @property
    def layers(self) -> list[tuple[str, Labels]]:
        """The label and the results that there are, with their headings."""
        named = [("label", self.label), ("prediction", self.prediction), ("after CRF", self.crf)]
        return [(heading, labels) for heading, labels in named if labels is not None]


class Style(NamedTuple):
    """How the pictures of a page are drawn.

    Attributes:
        palette: (K, 3) RGB.
        ignore_label: label of pixels that are not scored, or None.
        width, height: pictures are not larger, in pixels.
    """

    palette: Rgb
    ignore_label: int | None
    width: int
    height: int


def page_row(
    name: str,
    text: str,
    image: Rgb | None,
    layers: Iterable[tuple[str, Labels]],
    style: Style,
    others: Iterable[tuple[str, Rgb]] = (),
) -> dict[str, Any]:
    """An image as the template `image_rows.html` takes it.

    Args:
        name: its id.
        text: what is said of it.
        image: (H, W, 3) RGB, or None.
        layers: (heading, (H, W) labels) of what can be compared: the label and the results.
        style: how it is drawn.
        others: (heading, (H, W, 3) RGB) of pictures that stand beside these.
    """
    cells = [] if image is None else [_cell("photo", "photo", _photo(image, style))]
    cells += [_cell(heading, "labels", _coloured(labels, style)) for heading, labels in layers]
    cells += [_cell(heading, "other", pages.picture_uri(picture)) for heading, picture in others]
    return {"name": for_people(name), "text": text, "cells": cells}


def _cell(heading: str, kind: str, uri: str) -> dict[str, str]:
    return {"heading": heading, "kind": kind, "uri": uri}


def _photo(image: Rgb, style: Style) -> str:
    return pages.photo_uri(figures.reduced(image, style.width, style.height))


def _coloured(labels: Labels, style: Style) -> str:
    small = figures.reduced_labels(labels, style.width, style.height)
    return pages.png_uri(figures.see_through(figures.colour_labels(small, style.palette, style.ignore_label)))


def choices(rows: Sequence[dict[str, Any]]) -> list[str]:
    """What can be compared on a page: the headings of photos and labels, in order; none if nothing can be."""
    found = dict.fromkeys(cell["heading"] for row in rows for cell in row["cells"] if cell["kind"] != "other")
    return list(found) if len(found) > 1 else []


def grouped(rows: Sequence[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Rows under the headings that they have, in order: [{"heading", "rows"}]."""
    groups = groupby(rows, key=lambda row: row[0])
    return [{"heading": heading, "rows": [row for _, row in each]} for heading, each in groups]
