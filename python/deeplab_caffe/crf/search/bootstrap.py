"""How sure the gain is: the search's images drawn again and again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .journal import Matrix

RESAMPLES = 2000


def gain_interval(before: list[Matrix], after: list[Matrix], share: float = 0.95) -> tuple[float, float] | None:
    """The interval that holds `share` of the gains in mean IoU (fractions) over resampled images; None for one image.

    `before`, `after`: the (C, C) confusion matrices of each image. Images are drawn with replacement, the same for
    both (paired percentile bootstrap, Efron 1979), by a fixed seed.
    """
    count = len(before)
    if count < 2:
        return None
    drawn = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), RESAMPLES).astype(np.float64)
    gains = mean_ious(drawn, after) - mean_ious(drawn, before)
    low, high = np.nanquantile(gains, [(1 - share) / 2, (1 + share) / 2])
    return float(low), float(high)


def mean_ious(drawn: NDArray[np.float64], matrices: list[Matrix]) -> NDArray[np.float64]:
    """Mean IoU (R,) of each row of `drawn` (R, images), how often each image counts; `matrices` are theirs, (C, C).

    The mean is over the classes that occur in the labels drawn.
    """
    hits = drawn @ np.array([np.diag(matrix) for matrix in matrices], np.float64)
    truth = drawn @ np.array([matrix.sum(1) for matrix in matrices], np.float64)
    found = drawn @ np.array([matrix.sum(0) for matrix in matrices], np.float64)
    union = truth + found - hits
    iou = np.divide(hits, union, out=np.zeros_like(hits), where=union > 0)
    return (iou * (truth > 0)).sum(1) / np.maximum((truth > 0).sum(1), 1)
