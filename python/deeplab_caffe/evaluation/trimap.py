"""Trimaps: scores within a narrow band around the objects' boundaries (DeepLab v2, section 4.1.1 and Fig. 10)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..arrays import NDArray
from ..errors import InputError
from ..lazy import imported_on_use
from .confusion import Matrix, Scores

if TYPE_CHECKING:
    import cv2
    import numpy as np
else:
    cv2 = imported_on_use("cv2")
    np = imported_on_use("numpy")

#: where bands begin → what a table says of them
SOURCES = {
    "ignore": (
        "the band of width w is the mask of the ignore label dilated with a square of 2w+1 pixels, without the mask"
    ),
    "boundaries": (
        "the band of width w is made of the label's own boundaries, not of an ignored border: the pixels from which a "
        "square of 2w+1 pixels reaches another label (8-neighbours; the ignore label counts as one)"
    ),
}
_MOST_WIDTHS, _WIDEST = 100, 10_000
_RANGE = re.compile(r"(\d+):(?:(\d+):)?(\d+)")


@dataclass(frozen=True)
class Trimap:
    """Which bands to score.

    Attributes:
        widths: of the bands in pixels, ascending.
        source: "ignore" or "boundaries", see `SOURCES`.

    Raises:
        InputError: no widths or too many, a width below 1 or too large, or an unknown source.

    Example:
        >>> Trimap.parse("1:40").widths[-1], Trimap.parse("2,10", "boundaries").widths
        (40, (2, 10))
    """

    widths: tuple[int, ...]
    source: str = "ignore"

    def __post_init__(self) -> None:
        widths = tuple(sorted({int(width) for width in self.widths}))
        if not 1 <= len(widths) <= _MOST_WIDTHS or widths[0] < 1 or widths[-1] > _WIDEST:
            got = f"{len(widths)} from {widths[0]} to {widths[-1]}" if widths else "none"
            raise InputError(f"trimap: expected 1 to {_MOST_WIDTHS} widths of 1 to {_WIDEST} pixels but got {got}")
        if self.source not in SOURCES:
            raise InputError(f"trimap: unknown source '{self.source}'; expected {' or '.join(SOURCES)}")
        object.__setattr__(self, "widths", widths)

    @classmethod
    def parse(cls, text: str, source: str = "ignore") -> Trimap:
        """The bands of a text: "1:40", "1:2:39" (start:step:stop) or "2,10"; InputError if it is none of these."""
        if match := _RANGE.fullmatch(text.strip()):
            start, step, stop = int(match[1]), int(match[2] or 1), int(match[3])
            if step and start <= stop and (stop - start) // step < _MOST_WIDTHS:
                return cls(tuple(range(start, stop + 1, step)), source)
        elif re.fullmatch(r"\s*\d{1,9}\s*(,\s*\d{1,9}\s*)*", text):
            return cls(tuple(int(part) for part in text.split(",")), source)
        raise InputError(
            f"trimap: got '{text}'; expected the widths of bands in pixels, as start:stop, start:step:stop or a,b,c, "
            f"at most {_MOST_WIDTHS} of them, such as 1:40"
        )

    def distance(self, label: NDArray[np.integer[Any]], ignore_label: int | None) -> NDArray[np.float32]:
        """The width of the narrowest band that holds each pixel, (H, W); 0 in none, very large without a border.

        One exact chessboard distance transform: a pixel is at most w from the mask if the square of 2w+1 pixels around
        it reaches the mask.
        """
        return border_distance(label, ignore_label, self.source)

    def groups(self, label: NDArray[np.integer[Any]], ignore_label: int | None) -> NDArray[np.uint8]:
        """The number of the narrowest band of `widths` that holds each pixel, (H, W); len(widths) outside of all."""
        last = self.widths[-1]
        number = np.searchsorted(self.widths, np.arange(last + 2)).astype(np.uint8)
        number[0] = len(self.widths)
        distance = np.minimum(self.distance(label, ignore_label), last + 1)
        return np.asarray(number[distance.astype(np.int32)], np.uint8)

    def note(self) -> str:
        """One sentence on what the bands are."""
        return SOURCES[self.source]


def border_distance(
    label: NDArray[np.integer[Any]], ignore_label: int | None, source: str = "ignore"
) -> NDArray[np.float32]:
    """Chessboard distances (H, W) in pixels from the border of a label; see `SOURCES`.

    Args:
        label: (H, W).
        ignore_label: value of the border; None: none has it.
        source: "ignore": from the pixels of the ignore label, which are at 0. "boundaries": 1 for pixels with another
            label among their 8 neighbours, 2 for those beside them, and so on.

    Returns:
        Distances; a label without a border has very large ones.

    Example:
        >>> border_distance(np.array([[1, 1, 255, 0, 0, 0]]), 255)
        array([[2., 1., 0., 1., 2., 3.]], dtype=float32)
        >>> border_distance(np.array([[1, 1, 0, 0, 0]]), 255, "boundaries")
        array([[2., 1., 1., 2., 3.]], dtype=float32)
    """
    label = np.ascontiguousarray(label, np.uint8)
    if source == "ignore":
        apart = (label != (-1 if ignore_label is None else ignore_label)).astype(np.uint8)
        return _chessboard(apart)
    even = cv2.morphologyEx(label, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) == 0
    return _chessboard(even.astype(np.uint8)) + 1


def _chessboard(apart: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The distance of each pixel to the nearest 0; exact in OpenCV, as single steps cost 1 in all eight directions."""
    return np.asarray(cv2.distanceTransform(apart, cv2.DIST_C, 3), np.float32)


@dataclass(frozen=True)
class BandScore:
    """Scores within one band: width in pixels, fractions 0..1, NaN if no pixel lies in it; pixels: how many do."""

    width: int
    mean_iou: float
    pixel_accuracy: float
    mean_accuracy: float
    pixels: int


def band_scores(widths: Sequence[int], matrices: Matrix) -> list[BandScore]:
    """The scores of bands.

    Args:
        widths: W widths.
        matrices: (W, C, C) confusion matrices of the bands, each with the narrower ones in it.
    """
    scores = []
    for width, matrix in zip(widths, matrices, strict=True):
        each = Scores.from_matrix(matrix)
        scores.append(BandScore(width, each.mean_iou, each.pixel_accuracy, each.mean_accuracy, int(matrix.sum())))
    return scores
