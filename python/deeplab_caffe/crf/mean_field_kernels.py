"""The compiled loops of one mean field iteration: a fused pass over the pixels, and the blur between two of them.

Values are flat float32 arrays of rows, one row of `stride` classes per pixel or vertex (a multiple of 8 lanes).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .vector import (
    add,
    broadcast,
    exp_cut,
    fma,
    item,
    load,
    maximum,
    maximum_of,
    multiply,
    prefetch,
    store,
    subtract,
    sum_of,
)

PADDING = np.float32(-1e4)
IMPOSSIBLE = np.float32(-1e6)
_HALF = np.float32(0.5)
_BLOCK = 256
_AHEAD = 8  # vertices are asked for this many pixels, or steps of a run, before they are needed


@njit(cache=True, nogil=True)
def fill_logits(unary, stride, logits):
    """Rows of -unary, shifted so that each pixel's largest is 0, from `unary` (C, N); the padding never gets belief."""
    classes, count = unary.shape
    lowest = np.empty(_BLOCK, np.float32)
    for begin in range(0, count, _BLOCK):
        size = min(_BLOCK, count - begin)
        lowest[:] = np.float32(np.inf)
        for c in range(classes):
            energies = unary[c, begin : begin + size]
            for i in range(size):
                lowest[i] = min(lowest[i], energies[i])
        for c in range(stride):
            energies = unary[min(c, classes - 1), begin : begin + size]
            for i in range(size):
                logit = max(lowest[i] - energies[i], IMPOSSIBLE) if c < classes else PADDING
                logits[(begin + i) * stride + c] = logit


@njit(cache=True, nogil=True)
def fill_maps(rows, stride, maps):
    """Write rows of beliefs into `maps` (C, N)."""
    classes, count = maps.shape
    for begin in range(0, count, _BLOCK):
        for c in range(classes):
            for pixel in range(begin, min(begin + _BLOCK, count)):
                maps[c, pixel] = rows[pixel * stride + c]


@njit(cache=True, nogil=True)
def fill_labels(rows, stride, classes, labels):
    """The class of the largest belief of each row, the first of equals, into `labels` (N,)."""
    for pixel in range(labels.size):
        best, largest = 0, rows[pixel * stride]
        for c in range(1, classes):
            value = rows[pixel * stride + c]
            if value > largest:
                best, largest = c, value
        labels[pixel] = best


@njit(nogil=True, forceinline=True)
def softmax_row(row, stride):
    """Replace a row of logits by its softmax."""
    top = load(row, 0)
    for lane in range(8, stride, 8):
        top = maximum(top, load(row, lane))
    top = broadcast(maximum_of(top))
    total = broadcast(np.float32(0))
    for lane in range(0, stride, 8):
        belief = exp_cut(subtract(load(row, lane), top))
        total = add(total, belief)
        store(row, lane, belief)
    factor = broadcast(np.float32(1) / sum_of(total))
    for lane in range(0, stride, 8):
        store(row, lane, multiply(load(row, lane), factor))


@njit(cache=True, nogil=True)
def pass_pixels(logits, stride, offsets, splat_weights, slice_weights, values, splatted, beliefs):
    """One pass: slice the messages from `values`, add the logits, softmax, then splat into `splatted`.

    offsets, splat_weights, slice_weights: flat (N, K), the vertices of all terms side by side and their weights.
    An empty `values` means no messages yet. An empty `splatted` means the last pass, which writes `beliefs`.
    """
    row = np.empty(stride, np.float32)
    count = logits.size // stride
    columns = offsets.size // count
    for pixel in range(count):
        ahead = min(pixel + _AHEAD, count - 1) * columns
        for column in range(ahead, ahead + columns):
            vertex = np.int64(item(offsets, column)) * stride
            if values.size:
                prefetch(values, vertex)
                prefetch(values, vertex + stride - 1)
            if splatted.size:
                prefetch(splatted, vertex)
                prefetch(splatted, vertex + stride - 1)
        slice_row(logits, pixel * stride, offsets, slice_weights, pixel * columns, columns, values, row)
        softmax_row(row, stride)
        if splatted.size:
            splat_row(row, offsets, splat_weights, pixel * columns, columns, splatted)
        else:
            for lane in range(0, stride, 8):
                store(beliefs, pixel * stride + lane, load(row, lane))


@njit(nogil=True, forceinline=True)
def slice_row(logits, start, offsets, weights, first, columns, values, row):
    """row = logits[start:] + the sum of the weighted vertices; three vectors at a time, then one at a time."""
    stride = row.size
    columns = columns if values.size else 0
    lane = 0
    while lane + 24 <= stride:
        sum0 = load(logits, start + lane)
        sum1 = load(logits, start + lane + 8)
        sum2 = load(logits, start + lane + 16)
        for column in range(first, first + columns):
            weight = broadcast(item(weights, column))
            vertex = np.int64(item(offsets, column)) * stride + lane
            sum0 = fma(weight, load(values, vertex), sum0)
            sum1 = fma(weight, load(values, vertex + 8), sum1)
            sum2 = fma(weight, load(values, vertex + 16), sum2)
        store(row, lane, sum0)
        store(row, lane + 8, sum1)
        store(row, lane + 16, sum2)
        lane += 24
    while lane < stride:
        total = load(logits, start + lane)
        for column in range(first, first + columns):
            vertex = np.int64(item(offsets, column)) * stride + lane
            total = fma(broadcast(item(weights, column)), load(values, vertex), total)
        store(row, lane, total)
        lane += 8


@njit(nogil=True, forceinline=True)
def splat_row(row, offsets, weights, first, columns, values):
    """Add the weighted row to its vertices; three vectors at a time, then one at a time."""
    stride = row.size
    lane = 0
    while lane + 24 <= stride:
        belief0, belief1, belief2 = load(row, lane), load(row, lane + 8), load(row, lane + 16)
        for column in range(first, first + columns):
            weight = broadcast(item(weights, column))
            vertex = np.int64(item(offsets, column)) * stride + lane
            store(values, vertex, fma(weight, belief0, load(values, vertex)))
            store(values, vertex + 8, fma(weight, belief1, load(values, vertex + 8)))
            store(values, vertex + 16, fma(weight, belief2, load(values, vertex + 16)))
        lane += 24
    while lane < stride:
        belief = load(row, lane)
        for column in range(first, first + columns):
            vertex = np.int64(item(offsets, column)) * stride + lane
            store(values, vertex, fma(broadcast(item(weights, column)), belief, load(values, vertex)))
        lane += 8


@njit(cache=True, nogil=True)
def blur(values, stride, first, runs, starts):
    """Blur one lattice's vertices, which begin at row `first`, in place: v + (v before + v after) / 2, per direction.

    Each row of neighbours is walked once; the old value of the vertex before is kept aside. A vertex without
    neighbours keeps its value and is not touched.
    """
    half = broadcast(_HALF)
    nothing = broadcast(np.float32(0))
    previous = np.empty(stride, np.float32)
    for direction in range(starts.size - 1):
        end = starts[direction + 1]
        for i in range(starts[direction], end):
            coming = np.int64(runs[min(i + _AHEAD, end - 1)])
            coming = (first + max(coming, ~coming)) * stride
            prefetch(values, coming)
            prefetch(values, coming + stride - 1)
            vertex = np.int64(runs[i])
            if vertex < 0:
                vertex = ~vertex
                for lane in range(0, stride, 8):
                    store(previous, lane, nothing)
            here = (first + vertex) * stride
            following = np.int64(runs[i + 1]) if i + 1 < end else np.int64(-1)
            there = (first + following) * stride
            for lane in range(0, stride, 8):
                value = load(values, here + lane)
                sides = load(previous, lane)
                if following >= 0:
                    sides = add(sides, load(values, there + lane))
                store(previous, lane, value)
                store(values, here + lane, fma(half, sides, value))
