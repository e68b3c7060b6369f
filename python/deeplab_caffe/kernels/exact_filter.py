"""The compiled loop of the exact Gaussian filter."""

from __future__ import annotations

import numpy as np

from .kernel_cache import inlined, kernel
from .vector import CUT, exp_cut, filled, fma, item, load, load16, multiply, store, subtract

_FARTHEST = np.float32(-2 * CUT)  # squared distance, in standard deviations, from which on weights are 0
_HALF, _ZERO = np.float32(-0.5), np.float32(0)
_ONE_PART, _THREE_PARTS = (0,), (0, 0, 0)


@kernel
def filter_blocks(features, low, high, given, stride, block, taken):
    """taken += the Gaussian of all distances times given; flat rows of `stride` values, one for each pixel.

    features (d, N), N whole blocks; low and high (d, blocks) bound each block, so that far pairs of blocks are skipped.
    """
    blocks = low.shape[1]
    flat = features.ravel()
    kernel = np.empty(block * block + 16, np.float32)
    for one in range(blocks):
        for other in range(blocks):
            if _distance(low, high, one, other) < _FARTHEST:
                _weigh(flat, features.shape[0], features.shape[1], one * block, other * block, block, kernel)
                _multiply(kernel, given, taken, stride, one * block, other * block, block)


@inlined
def _distance(low, high, one, other):
    """The smallest squared distance between two blocks."""
    total = _ZERO
    for j in range(low.shape[0]):
        gap = max(low[j, one] - high[j, other], low[j, other] - high[j, one], _ZERO)
        total += gap * gap
    return total


@inlined
def _weigh(features, dims, count, one, other, block, kernel):
    """kernel (block, block): the Gaussian of every distance between two blocks."""
    for i in range(block):
        for lane in range(0, block, 16):
            total = filled(load16(features, other + lane), _ZERO)
            for j in range(dims):
                row = j * count
                gap = subtract(load16(features, row + other + lane), filled(total, item(features, row + one + i)))
                total = fma(gap, gap, total)
            store(kernel, i * block + lane, exp_cut(multiply(total, filled(total, _HALF))))


@inlined
def _multiply(kernel, given, taken, stride, one, other, block):
    """Add the kernel times the rows of block `other` to those of block `one`."""
    wide = stride - stride % 24
    for i in range(block):
        for lane in range(0, wide, 24):
            total = load(_THREE_PARTS, taken, (one + i) * stride + lane)
            for j in range(block):
                weight = filled(total, item(kernel, i * block + j))
                total = fma(weight, load(_THREE_PARTS, given, (other + j) * stride + lane), total)
            store(taken, (one + i) * stride + lane, total)
        for lane in range(wide, stride, 8):
            total = load(_ONE_PART, taken, (one + i) * stride + lane)
            for j in range(block):
                weight = filled(total, item(kernel, i * block + j))
                total = fma(weight, load(_ONE_PART, given, (other + j) * stride + lane), total)
            store(taken, (one + i) * stride + lane, total)
