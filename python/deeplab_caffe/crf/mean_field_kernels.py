"""The compiled loops of one mean field iteration: a fused pass over the pixels, and the blur between two of them.

Values are flat float32 arrays of rows, one row of `stride` classes per pixel or vertex (a multiple of 8 lanes). What
points at a vertex is the place of its row's first value, uint32, so that the loops need not multiply.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .vector import (
    add,
    exp_cut,
    filled,
    fma,
    inverse,
    item,
    load8,
    load16,
    load24,
    maximum_of,
    multiply,
    place,
    prefetch,
    store,
    subtract,
    sum_of,
)

COMMON_COLUMNS = 9  # the vertices of a pixel with a term over position and one over position and colour
BLOCK = 32  # pixels whose rows stay in the first cache between slice, softmax and splat
PIXELS_AHEAD = 8  # vertices are asked for this many pixels before they are needed; so many follow the last
STEPS_AHEAD = 24  # the same for steps of a chain
_ZERO, _HALF = np.float32(0), np.float32(0.5)


def _row_loops(load, width):
    """The loops over the pixels of a block and over a chain, for rows of one width."""

    @njit(nogil=True, forceinline=True)
    def slice_rows(logits, stride, lane, places, weights, begin, size, columns, values, rows):
        for i in range(size):
            total = load(logits, (begin + i) * stride + lane)
            for column in range((begin + i) * columns, (begin + i + 1) * columns):
                weight = filled(total, item(weights, column))
                total = fma(weight, load(values, place(places, column) + lane), total)
            store(rows, i * stride + lane, total)

    @njit(nogil=True, forceinline=True)
    def splat_rows(rows, stride, lane, places, weights, begin, size, columns, values):
        for i in range(size):
            belief = load(rows, i * stride + lane)
            for column in range((begin + i) * columns, (begin + i + 1) * columns):
                if width > 8:
                    coming = place(places, column + PIXELS_AHEAD * columns) + lane
                    prefetch(values, coming)
                    prefetch(values, coming + width - 1)
                vertex = place(places, column) + lane
                store(values, vertex, fma(filled(belief, item(weights, column)), belief, load(values, vertex)))

    @njit(nogil=True, forceinline=True)
    def blur_chains(values, stride, lane, chains):
        nothing = place(chains, 0)
        here = nothing
        before = filled(load(values, here + lane), _ZERO)
        value = before
        half = filled(before, _HALF)
        for i in range(chains.size - 1 - STEPS_AHEAD):
            coming = place(chains, i + STEPS_AHEAD) + lane
            prefetch(values, coming)
            if width > 8:
                prefetch(values, coming + width - 1)
            there = place(chains, i + 1)
            after = load(values, there + lane)
            # The row of `nothing` must stay 0: what would be written there goes to the row behind it.
            target = here if here != nothing else nothing + stride
            store(values, target + lane, fma(half, add(before, after), value))
            before, value, here = value, after, there

    return slice_rows, splat_rows, blur_chains


slice8, splat8, blur8 = _row_loops(load8, 8)
slice24, splat24, blur24 = _row_loops(load24, 24)


@njit(nogil=True, forceinline=True)
def slice_block(logits, stride, places, weights, begin, size, columns, values, rows):
    """rows = logits + the weighted vertices' values."""
    if not values.size:
        rows[: size * stride] = logits[begin * stride : (begin + size) * stride]
        return
    wide = stride - stride % 24
    for lane in range(0, wide, 24):
        slice24(logits, stride, lane, places, weights, begin, size, columns, values, rows)
    for lane in range(wide, stride, 8):
        slice8(logits, stride, lane, places, weights, begin, size, columns, values, rows)


@njit(nogil=True, forceinline=True)
def splat_block(rows, stride, places, weights, begin, size, columns, values):
    """Add the weighted rows to their vertices' values."""
    wide = stride - stride % 24
    for lane in range(0, wide, 24):
        splat24(rows, stride, lane, places, weights, begin, size, columns, values)
    for lane in range(wide, stride, 8):
        splat8(rows, stride, lane, places, weights, begin, size, columns, values)


@njit(nogil=True, forceinline=True)
def softmax_block(rows, stride, begin, size, bounded, rest):
    """Replace rows of logits by their softmax; `bounded` logits have a largest from 0 to 80 and are not shifted."""
    if not bounded:
        shift_rows(rows, stride, begin, size, rest)
    for lane in range(0, size * stride, 16):  # where a vector is left over, it falls into the room behind the block
        store(rows, lane, exp_cut(load16(rows, lane)))
    for i in range(size):
        start = i * stride
        total = load8(rows, start)
        for lane in range(start + 8, start + stride, 8):
            total = add(total, load8(rows, lane))
        whole = sum_of(total)
        if rest.size:
            whole += rest[begin + i] if bounded else rows[size * stride + 8 + i]
        factor = filled(total, inverse(whole))
        for lane in range(start, start + stride, 8):
            store(rows, lane, multiply(load8(rows, lane), factor))


@njit(nogil=True, forceinline=True)
def shift_rows(rows, stride, begin, size, rest):
    """Subtract each row's largest; behind the block, where a vector may be left over, stands what `rest` becomes."""
    for i in range(size):
        start = i * stride
        highest = maximum_of(load8(rows, start))
        for lane in range(start + 8, start + stride, 8):
            highest = max(highest, maximum_of(load8(rows, lane)))
        top = filled(load8(rows, start), highest)
        for lane in range(start, start + stride, 8):
            store(rows, lane, subtract(load8(rows, lane), top))
        if rest.size:
            rows[size * stride + 8 + i] = rest[begin + i] * np.exp(-highest)


@njit(nogil=True, forceinline=True)
def believe(logits, rest, stride, bounded, columns, places, taken, values, begin, size, rows):
    """rows = the beliefs of a block: the softmax of logits and messages."""
    slice_block(logits, stride, places, taken, begin, size, columns, values, rows)
    softmax_block(rows, stride, begin, size, bounded, rest)


@njit(nogil=True, forceinline=True)
def room(stride):
    """The rows of one block, 64-byte aligned, and room behind them."""
    space = np.empty(BLOCK * (stride + 1) + 24, np.float32)
    return space[(-(space.ctypes.data >> 2)) & 15 :]


@njit(cache=True, nogil=True)
def step(logits, rest, stride, bounded, columns, places, taken, given, values, splatted):
    """One pass: slice the messages from `values` (empty: none yet), add the logits, softmax, splat into `splatted`."""
    if columns == COMMON_COLUMNS:  # known when compiled, so that the loops over a pixel's vertices are unrolled
        _step(logits, rest, stride, bounded, COMMON_COLUMNS, places, taken, given, values, splatted)
    else:
        _step(logits, rest, stride, bounded, columns, places, taken, given, values, splatted)


@njit(nogil=True, forceinline=True)
def _step(logits, rest, stride, bounded, columns, places, taken, given, values, splatted):
    count = logits.size // stride
    rows = room(stride)
    for begin in range(0, count, BLOCK):
        size = min(BLOCK, count - begin)
        believe(logits, rest, stride, bounded, columns, places, taken, values, begin, size, rows)
        splat_block(rows, stride, places, given, begin, size, columns, splatted)


@njit(cache=True, nogil=True)
def write_maps(logits, rest, stride, bounded, columns, places, taken, values, kept, maps, shares):
    """The last pass: beliefs into the `kept` rows of `maps` (C, N).

    `shares` (N,), unless empty, becomes the part of all belief that belongs to the classes that are not kept.
    """
    count = logits.size // stride
    rows = room(stride)
    for begin in range(0, count, BLOCK):
        size = min(BLOCK, count - begin)
        believe(logits, rest, stride, bounded, columns, places, taken, values, begin, size, rows)
        for k in range(kept.size):
            beliefs = maps[kept[k]]
            for i in range(size):
                beliefs[begin + i] = rows[i * stride + k]
        if shares.size:
            for i in range(size):
                shares[begin + i] = np.float32(1) - rows[i * stride : i * stride + kept.size].sum()


@njit(cache=True, nogil=True)
def write_labels(logits, rest, stride, bounded, columns, places, taken, values, kept, labels):
    """The last pass: the class of the largest belief, the first of equals, into `labels` (N,)."""
    count = logits.size // stride
    rows = room(stride)
    for begin in range(0, count, BLOCK):
        size = min(BLOCK, count - begin)
        believe(logits, rest, stride, bounded, columns, places, taken, values, begin, size, rows)
        for i in range(size):
            best, largest = 0, rows[i * stride]
            for k in range(1, kept.size):
                value = rows[i * stride + k]
                best = k if value > largest else best
                largest = max(value, largest)
            labels[begin + i] = kept[best]


@njit(cache=True, nogil=True)
def blur(values, stride, chains):
    """Blur all terms' vertices in place: v + (v before + v after) / 2, one direction after the other.

    `chains`: rows of neighbouring vertices, the place of a row that is 0 before each and after the last, there
    1 + STEPS_AHEAD times. Every row of neighbours is walked once and old values are kept aside; a vertex without
    neighbours is not touched.
    """
    wide = stride - stride % 24
    for lane in range(0, wide, 24):
        blur24(values, stride, lane, chains)
    for lane in range(wide, stride, 8):
        blur8(values, stride, lane, chains)


@njit(cache=True, nogil=True)
def splat_maps(maps, stride, columns, places, given, splatted):
    """Splat `maps` (C, N) as they are."""
    classes, count = maps.shape
    rows = room(stride)
    for begin in range(0, count, BLOCK):
        size = min(BLOCK, count - begin)
        for c in range(stride):
            for i in range(size):
                rows[i * stride + c] = maps[c, begin + i] if c < classes else _ZERO
        splat_block(rows, stride, places, given, begin, size, columns, splatted)


@njit(cache=True, nogil=True)
def slice_maps(stride, columns, places, taken, values, maps):
    """Slice `values` into `maps` (C, N)."""
    classes, count = maps.shape
    nothing = np.zeros(BLOCK * stride, np.float32)
    rows = room(stride)
    for begin in range(0, count, BLOCK):
        size = min(BLOCK, count - begin)
        first = begin * columns
        last = (begin + size) * columns
        slice_block(nothing, stride, places[first:last], taken[first:last], 0, size, columns, values, rows)
        for c in range(classes):
            for i in range(size):
                maps[c, begin + i] = rows[i * stride + c]
