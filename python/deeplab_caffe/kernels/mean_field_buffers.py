"""The compiled loops that fill the buffers of mean field with energies and lattices, in the form of `pixel_rows`."""

from __future__ import annotations

import numpy as np

from .kernel_cache import inlined, kernel
from .vector import LANES, add, exp_cut, item, load, load16, multiply, store, sum_of

PADDING = np.float32(-1e30)  # lower than any class's logit with messages
_WIDE_BLOCK = 256
_ZERO = np.float32(0)


@kernel
def least_excess(unary):
    """(C,): the smallest difference of each class's energy from its pixel's lowest, in `unary` (C, N)."""
    classes, count = unary.shape
    smallest = np.full((classes, _WIDE_BLOCK), np.inf, np.float32)  # side by side, so that this becomes vector code
    lowest = np.empty(_WIDE_BLOCK, np.float32)
    for begin in range(0, count, _WIDE_BLOCK):
        size = min(_WIDE_BLOCK, count - begin)
        find_lowest(unary, begin, size, lowest)
        for c in range(classes):
            energies, row = unary[c, begin : begin + size], smallest[c]
            for i in range(size):
                row[i] = min(row[i], energies[i] - lowest[i])
    least = np.empty(classes, np.float32)
    for c in range(classes):
        least[c] = smallest[c].min()
    return least


@inlined
def find_lowest(unary, begin, size, lowest):
    """lowest[:size] = the least energy of each of `size` pixels of `unary` (C, N) from `begin` on."""
    lowest[:] = np.float32(np.inf)
    for c in range(unary.shape[0]):
        energies = unary[c, begin : begin + size]
        for i in range(size):
            lowest[i] = min(lowest[i], energies[i])


@kernel
def fill_logits(unary, kept, stride, logits):
    """Rows of -unary, shifted so that each pixel's largest is 0, of the `kept` classes of `unary` (C, N)."""
    count = unary.shape[1]
    lowest = np.empty(_WIDE_BLOCK, np.float32)
    for begin in range(0, count, _WIDE_BLOCK):
        size = min(_WIDE_BLOCK, count - begin)
        find_lowest(unary, begin, size, lowest)
        for c in range(stride):
            energies = unary[kept[min(c, kept.size - 1)], begin : begin + size]
            for i in range(size):
                logit = lowest[i] - energies[i] if c < kept.size else PADDING
                logits[(begin + i) * stride + c] = logit


@kernel
def fill_rest(unary, dropped, rest):
    """rest (N,): the sum of exp(-unary), shifted as in `fill_logits`, of the `dropped` classes of `unary` (C, N)."""
    lowest, excess, sums = room(), room(), room()
    for begin in range(0, rest.size, _WIDE_BLOCK):
        size = min(_WIDE_BLOCK, rest.size - begin)
        find_lowest(unary, begin, size, lowest)
        _sum_dropped(unary, dropped, begin, size, lowest, excess, sums)
        rest[begin : begin + size] = sums[:size]


@inlined
def room():
    """Zeros for the pixels of a block."""
    return np.zeros(_WIDE_BLOCK, np.float32)


@inlined
def _sum_dropped(unary, dropped, begin, size, lowest, excess, sums):
    sums[:] = _ZERO
    for c in dropped:
        energies = unary[c, begin : begin + size]
        for i in range(size):
            excess[i] = lowest[i] - energies[i]
        for lane in range(0, size, 16):
            store(sums, lane, add(load16(sums, lane), exp_cut(load16(excess, lane))))


@kernel
def divide_shares(unary, dropped, shares, maps):
    """Divide `shares` (N,) among the dropped classes by their probabilities by `unary` (C, N), into `maps` (C, N)."""
    lowest, excess, sums = room(), room(), room()
    for begin in range(0, shares.size, _WIDE_BLOCK):
        size = min(_WIDE_BLOCK, shares.size - begin)
        find_lowest(unary, begin, size, lowest)
        _sum_dropped(unary, dropped, begin, size, lowest, excess, sums)
        for i in range(size):
            share = max(shares[begin + i], _ZERO)
            sums[i] = share / sums[i] if sums[i] > 0 else _ZERO
        for c in dropped:
            energies, beliefs = unary[c, begin : begin + size], maps[c, begin : begin + size]
            for i in range(size):
                excess[i] = lowest[i] - energies[i]
            for lane in range(0, size, 16):
                store(excess, lane, exp_cut(load16(excess, lane)))
            for i in range(size):
                beliefs[i] = excess[i] * sums[i]


@kernel
def merge_rows(parts, rows, kept, merged, stride, logarithms, target):
    """Rows of `stride` values: those of the `kept` lanes, then the sum of the lanes where `merged` (lanes,) is 1.

    logarithms: the rows hold logits, so their exponentials are summed; below -20 they are 0.
    """
    width = len(parts) * LANES
    mask = load(parts, merged, 0)
    for row in range(rows.size // width):
        values, first = load(parts, rows, row * width), row * stride
        for k in range(kept.size):
            target[first + k] = item(rows, row * width + kept[k])
        if logarithms:
            total = sum_of(multiply(exp_cut(values), mask))
            target[first + kept.size] = np.log(total) if total > 0 else PADDING
        else:
            target[first + kept.size] = sum_of(multiply(values, mask))


@kernel
def raised(mass, power):
    """mass ** power (N,), for the powers -1, -1/2 and 0."""
    scale = np.ones(mass.size, np.float32)
    for pixel in range(mass.size if power else 0):
        total = mass[pixel] + np.float32(1e-20)
        root = np.sqrt(total) if power == -0.5 else total
        scale[pixel] = np.float32(1) / root
    return scale
