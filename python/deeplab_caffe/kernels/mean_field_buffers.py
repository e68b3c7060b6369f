"""The compiled loops that fill the buffers of mean field with energies and lattices, in the form of `pixel_rows`."""

from __future__ import annotations

import numpy as np

from .kernel_cache import inlined, kernel
from .vector import add, exp_cut, load16, store

PADDING = np.float32(-1e30)  # lower than any class's logit with messages
_WIDE_BLOCK = 256
_ZERO = np.float32(0)


@kernel
def least_excess(unary):
    """(C,): the smallest difference of each class's energy from its pixel's lowest, in `unary` (C, N)."""
    classes, count = unary.shape
    least = np.full(classes, np.inf, np.float32)
    lowest = np.empty(_WIDE_BLOCK, np.float32)
    for begin in range(0, count, _WIDE_BLOCK):
        size = min(_WIDE_BLOCK, count - begin)
        find_lowest(unary, begin, size, lowest)
        for c in range(classes):
            energies, smallest = unary[c, begin : begin + size], least[c]
            for i in range(size):
                smallest = min(smallest, energies[i] - lowest[i])
            least[c] = smallest
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
    lowest = np.empty(_WIDE_BLOCK, np.float32)
    excess = np.zeros(_WIDE_BLOCK, np.float32)
    sums = np.empty(_WIDE_BLOCK, np.float32)
    for begin in range(0, rest.size, _WIDE_BLOCK):
        size = min(_WIDE_BLOCK, rest.size - begin)
        find_lowest(unary, begin, size, lowest)
        sums[:] = _ZERO
        for c in dropped:
            energies = unary[c, begin : begin + size]
            for i in range(size):
                excess[i] = lowest[i] - energies[i]
            for lane in range(0, size, 16):
                store(sums, lane, add(load16(sums, lane), exp_cut(load16(excess, lane))))
        rest[begin : begin + size] = sums[:size]


@kernel
def lay_out(offsets, weights, first, stride, column, places, all_weights):
    """Enter one term's vertices and weights (N, d + 1) into columns `column` and on of those of all terms (N, K)."""
    for pixel in range(offsets.shape[0]):
        for corner in range(offsets.shape[1]):
            places[pixel, column + corner] = (first + offsets[pixel, corner]) * stride
            all_weights[pixel, column + corner] = weights[pixel, corner]


@kernel
def lay_chains(runs, first, stride, nothing, chains, end):
    """Append one term's rows of neighbours to `chains`, the place `nothing` before each; return the new end."""
    for i in range(runs.size):
        vertex = np.int64(runs[i])
        if vertex < 0:
            chains[end] = nothing
            end += 1
            vertex = ~vertex
        chains[end] = (first + vertex) * stride
        end += 1
    return end


@kernel
def raise_mass(mass, power, scale):
    """scale = mass ** power (N,), for the powers -1, -1/2 and 0."""
    for pixel in range(mass.size):
        total = mass[pixel] + np.float32(1e-20)
        root = np.sqrt(total) if power == -0.5 else total
        scale[pixel] = np.float32(1) / root if power else np.float32(1)
