"""The functions of pydensecrf's `utils` module: energies and features as flat arrays for `densecrf`.

Energies are (classes, variables), features (d, variables) in standard deviations, all float32.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...arrays import Float32
from ...errors import InputError


def unary_from_labels(labels: ArrayLike, n_labels: int, gt_prob: float, zero_unsure: bool = True) -> Float32:
    """Energies of labels that are right with probability `gt_prob`; the rest is shared by the other classes.

    With `zero_unsure` label 0 means "any class" and class c has label c + 1. Raises InputError for labels out of range.
    """
    if not 0 < gt_prob < 1:
        raise InputError(f"unary_from_labels: gt_prob is {gt_prob}, wanted more than 0 and less than 1")
    if n_labels < 2:
        raise InputError(f"unary_from_labels: n_labels is {n_labels}, wanted at least 2")
    flat = np.asarray(labels).ravel()
    if flat.dtype.kind not in "iu":
        raise InputError(f"unary_from_labels: the labels have type {flat.dtype}, wanted whole numbers")
    most = n_labels if zero_unsure else n_labels - 1
    if flat.size and not 0 <= flat.min() <= flat.max() <= most:
        raise InputError(f"unary_from_labels: labels from {flat.min()} to {flat.max()}, wanted 0 to {most}")
    energies = np.full((n_labels, flat.size), -math.log((1 - gt_prob) / (n_labels - 1)), np.float32)
    classes = flat.astype(np.intp) - (1 if zero_unsure else 0)
    sure = np.flatnonzero(classes >= 0)
    energies[classes[sure], sure] = -math.log(gt_prob)
    energies[:, classes < 0] = math.log(n_labels)
    return energies


def compute_unary(labels: ArrayLike, M: int, GT_PROB: float = 0.5) -> Float32:
    """The old name of `unary_from_labels`."""
    return unary_from_labels(labels, M, GT_PROB)


def unary_from_softmax(sm: ArrayLike, scale: float | None = None, clip: float | None = 1e-5) -> Float32:
    """-log of probabilities `sm` (classes, ...), mixed with the uniform distribution and clipped from below.

    `scale`: the share of `sm` in the mix, 1 or None for all. `clip`: the lower bound; None for none. As in pydensecrf,
    what interpolation leaves a little outside of 0..1 is clipped, and sums other than 1 are a warning only, because
    mean field normalises them. Raises InputError for what cannot be probabilities: scores, class indices, one channel.
    """
    sm = np.asarray(sm)
    if sm.ndim < 2 or len(sm) < 2 or not sm.size:
        raise InputError(
            f"unary_from_softmax: the probabilities have shape {sm.shape}, wanted (classes, ...) with two classes or "
            "more; for the probability p of class 1 of two, stack 1 - p and p"
        )
    sm = _probabilities(sm, clip)
    if scale is not None:
        if not 0 < scale <= 1:
            raise InputError(f"unary_from_softmax: scale is {scale}, wanted more than 0 and at most 1")
        sm = scale * sm + (1 - scale) / len(sm)
    if clip is not None:
        sm = np.clip(sm, clip, 1.0)
    with np.errstate(divide="ignore"):  # an impossible class has infinite energy
        return -np.log(sm).reshape(len(sm), -1).astype(np.float32)


_OVERSHOOT = 0.25  # of cubic and Lanczos interpolation beyond 0 and 1


def _probabilities(sm: NDArray, clip: float | None) -> NDArray:
    """Probabilities as pydensecrf takes them. Raises InputError for values that are none."""
    if sm.dtype.kind not in "biuf":
        raise InputError(f"unary_from_softmax: the probabilities have type {sm.dtype}, wanted numbers")
    if not np.isfinite(sm).all():
        bad = np.argwhere(~np.isfinite(sm))[0]
        raise InputError(f"unary_from_softmax: the probabilities hold {sm[tuple(bad)]} at {tuple(bad.tolist())}")
    beyond = 1e-6 if clip is None else _OVERSHOOT
    if sm.min() < -beyond or sm.max() > 1 + _OVERSHOOT:
        raise InputError(
            f"unary_from_softmax: values from {sm.min():.4g} to {sm.max():.4g}, wanted probabilities, 0 to 1; scores "
            "need a softmax first, class indices unary_from_labels"
        )
    total = sm.sum(axis=0, dtype=np.float64)
    if np.abs(total - 1).max() > 0.05:
        warnings.warn(
            f"unary_from_softmax: probabilities of a pixel sum to {total.min():.3g}..{total.max():.3g}, expected 1; "
            "they are used in proportion",
            stacklevel=3,
        )
    return np.maximum(sm, 0) if clip is None else sm


def softmax_to_unary(sm: ArrayLike, GT_PROB: float = 1) -> Float32:
    """The old name of `unary_from_softmax`, without a lower bound."""
    return unary_from_softmax(sm, None if GT_PROB == 1 else GT_PROB, clip=None)


def create_pairwise_gaussian(sdims: Sequence[float], shape: Sequence[int]) -> Float32:
    """Features of position in an array of `shape`, one for each axis, over their deviations `sdims`."""
    if len(sdims) != len(shape):
        raise InputError(f"create_pairwise_gaussian: {len(sdims)} deviations for {len(shape)} axes")
    position = np.indices(shape, dtype=np.float32)
    position /= _deviations("create_pairwise_gaussian: sdims", sdims, len(shape)).reshape(-1, *[1] * len(shape))
    return position.reshape(len(shape), -1)


def create_pairwise_bilateral(
    sdims: Sequence[float], schan: float | Sequence[float], img: ArrayLike, chdim: int = -1
) -> Float32:
    """Features of position, then of the channels of `img` over `schan`; `chdim` is their axis, -1 for none.

    As in pydensecrf, axes and channels beyond the deviations given are in units of 1.
    """
    image = np.asarray(img, np.float32)
    channels = image[None] if chdim == -1 else np.moveaxis(image, chdim, 0)
    axes = channels.shape[1:]
    across = _deviations("create_pairwise_bilateral: sdims", sdims, len(axes))
    position = create_pairwise_gaussian(across.tolist(), axes)
    colour = _deviations("create_pairwise_bilateral: schan", schan, len(channels))
    return np.concatenate([position, channels.reshape(len(channels), -1) / colour[:, None]])


def _deviations(what: str, given: ArrayLike, count: int) -> Float32:
    """`count` standard deviations: one number for all, or numbers, followed by 1."""
    values = np.asarray(given, np.float32)
    if values.ndim > 1 or values.size > count:
        raise InputError(f"{what} has {values.size} deviations, wanted at most {count}")
    if not (np.isfinite(values) & (values != 0)).all():
        raise InputError(f"{what} is {given!r}, wanted standard deviations other than 0")
    if values.ndim == 0:
        return np.full(count, values, np.float32)
    return np.concatenate([values, np.ones(count - values.size, np.float32)])
