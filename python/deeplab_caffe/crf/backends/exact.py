"""Mean field with the exact Gaussian kernels, by brute force: the reference for the lattice's error.

All pairs of pixels with a weight above e^-20 = 2e-9 contribute. A photograph takes half a minute to some minutes, so
use it for small images and measurements.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...arrays import Float32
from ...kernels.exact_filter import filter_blocks
from ...kernels.vector import LANES
from ..lanes import aligned
from ..lattice import term_features
from ..pairwise import POWERS
from ..params import CRFParameters, GaussianTerm
from .base import BackendOptions, Pair, labels_of

_BLOCK = 128


def infer(pairs: Sequence[Pair], parameters: CRFParameters, options: BackendOptions) -> list[NDArray]:
    """Labels (H, W) or probabilities (C, H, W) for each pair of image and unary."""
    beliefs = (_infer(image, unary, parameters) for image, unary in pairs)
    return [labels_of(q) if options.labels else q for q in beliefs]


def _infer(image: NDArray, unary: Float32, parameters: CRFParameters) -> Float32:
    shape = unary.shape
    kernels = [(term.weight, _kernel(term, image)) for term in parameters.terms()]
    before, after = POWERS[parameters.normalization]
    flat = unary.reshape(shape[0], -1)
    ones = np.ones((1, flat.shape[1]), np.float32)
    weighted = [(w, kernel, kernel.filtered(ones)) for w, kernel in kernels]
    q = _softmax(-flat)
    for _ in range(parameters.iterations):
        logits = -flat
        for weight, kernel, mass in weighted:
            logits += np.float32(weight) * kernel.filtered(q * mass**before) * mass**after
        q = _softmax(logits)
    return q.reshape(shape)


def _kernel(term: GaussianTerm, image: NDArray) -> PositionKernel | FeatureKernel:
    if term.sigma_colour is None:
        return PositionKernel(image.shape[0], image.shape[1], term.sigma_xy)
    return FeatureKernel(term_features(term, image))


class PositionKernel:
    """The Gaussian over position, which is one over rows times one over columns."""

    def __init__(self, height: int, width: int, sigma: float) -> None:
        self._down, self._across = _gaussian(height, sigma), _gaussian(width, sigma)

    def filtered(self, values: Float32) -> Float32:
        """Each pixel's sum over all pixels of kernel times value, (C, N)."""
        maps = values.reshape(len(values), len(self._down), len(self._across))
        return np.matmul(np.matmul(self._down, maps, dtype=np.float32), self._across).reshape(values.shape)


class FeatureKernel:
    """The Gaussian over `features` (N, d), in standard deviations."""

    def __init__(self, features: Float32) -> None:
        self._order = near_blocks(features, _BLOCK)
        blocks = -(-len(features) // _BLOCK)
        self._features = np.full((features.shape[1], blocks * _BLOCK), np.float32(1e18))
        self._features[:, : len(features)] = features[self._order].T
        split = self._features.reshape(features.shape[1], blocks, _BLOCK)
        split[:, -1, len(features) - blocks * _BLOCK + _BLOCK :] = split[:, -1, :1]
        self._low, self._high = split.min(axis=2), split.max(axis=2)

    def filtered(self, values: Float32) -> Float32:
        """Each pixel's sum over all pixels of kernel times value, (C, N)."""
        classes, count = values.shape
        stride = -(-classes // LANES) * LANES
        length = self._features.shape[1] * stride
        given, taken = aligned(length), aligned(length)
        given.fill(0)
        taken.fill(0)
        given.reshape(-1, stride)[:count, :classes] = values[:, self._order].T
        filter_blocks(self._features, self._low, self._high, given, stride, _BLOCK, taken)
        filtered = np.empty_like(values)
        filtered[:, self._order] = taken.reshape(-1, stride)[:count, :classes].T
        return filtered


def near_blocks(features: Float32, size: int) -> NDArray[np.intp]:
    """An order of `features` (N, d) in which each block of `size` is compact: halved along the widest axis."""
    pending: list[NDArray[np.intp]] = [np.arange(len(features))]
    order: list[NDArray[np.intp]] = []
    while pending:
        part = pending.pop()
        if len(part) <= size:
            order.append(part)
            continue
        axis = int(np.ptp(features[part], axis=0).argmax())
        middle = -(-len(part) // (2 * size)) * size  # whole blocks to the left
        split = np.argpartition(features[part, axis], middle - 1)
        pending += [part[split[middle:]], part[split[:middle]]]
    return np.concatenate(order)


def _gaussian(length: int, sigma: float) -> Float32:
    place = np.arange(length)
    return np.exp(-0.5 * ((place - place[:, None]) / sigma) ** 2).astype(np.float32)


def _softmax(logits: Float32) -> Float32:
    logits = np.exp(logits - logits.max(axis=0))
    return logits / logits.sum(axis=0)
