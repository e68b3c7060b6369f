"""The paired bootstrap over images (Efron 1979): how much a difference of scores depends on which images there are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .confusion import Matrix, class_ious, mean_iou

RESAMPLES = 2000
_BLOCK = 200


def gain_interval(before: Sequence[Matrix], after: Sequence[Matrix], share: float = 0.95) -> tuple[float, float] | None:
    """The interval with `share` of the gains in mean IoU (fractions) over resampled images; None for one image.

    Images are drawn with replacement, the same for both (paired percentile bootstrap, Efron 1979), with a fixed seed.

    Args:
        before, after: the (C, C) confusion matrices of each image, in the same order.
        share: of the resamples that lie in the interval, 0..1.
    """
    intervals = gain_intervals(pixel_counts(before), pixel_counts(after), share)
    return None if intervals is None else (float(intervals[-1, 0]), float(intervals[-1, 1]))


def gain_intervals(
    before: NDArray[np.int64], after: NDArray[np.int64], share: float = 0.95, seed: int = 0
) -> NDArray[np.float64] | None:
    """The same for the IoU of each class, and in the last row for their mean: (C + 1, 2); None for one image.

    Args:
        before, after: (N, 3, C), as `pixel_counts` makes them.
        share: of the resamples that an interval holds.
        seed: of the draw.

    Returns:
        Lower and upper ends; NaN for a class that no resample has in both.
    """
    count, _, classes = before.shape
    if count < 2:
        return None
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), RESAMPLES).astype(np.float64)
    gains = np.empty((RESAMPLES, classes + 1))
    for start in range(0, RESAMPLES, _BLOCK):
        part = slice(start, start + _BLOCK)
        first, second = (drawn_ious(drawn[part], counts) for counts in (before, after))
        gains[part, :-1], gains[part, -1] = second - first, mean_iou(second) - mean_iou(first)
    ends = np.full((classes + 1, 2), np.nan)
    known = ~np.isnan(gains).all(0)
    ends[known] = np.nanquantile(gains[:, known], [(1 - share) / 2, (1 + share) / 2], axis=0).T
    return ends


def drawn_ious(drawn: NDArray[np.float64], counts: ArrayLike) -> NDArray[np.float64]:
    """IoU (R, C) of each class for each row of `drawn` (R, N); counts: (N, 3, C), as `pixel_counts` makes them."""
    hits, truth, found = np.asarray(counts, np.float64).transpose(1, 0, 2)
    return class_ious(drawn @ hits, drawn @ truth, drawn @ found)


def pixel_counts(matrices: Sequence[Matrix] | Matrix) -> NDArray[np.int64]:
    """What scores need of confusion matrices (N, C, C): pixels right, in the label, and predicted, (N, 3, C)."""
    stack = np.asarray(matrices)
    return np.stack([np.diagonal(stack, axis1=1, axis2=2), stack.sum(2), stack.sum(1)], axis=1)
