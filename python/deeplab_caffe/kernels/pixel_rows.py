"""The compiled loops between pixels and vertices, on blocks of pixels, and along the vertices.

Values are flat float32 arrays of rows, one for each pixel or vertex. A row has as many vectors of eight lanes as the
tuple `parts` has values; numba compiles the loops for each such type, with all sizes known. A row holds one or more
groups, inferences with different weights side by side, each with as many vectors as the tuple `group`. `corners` has a
tuple for each term of the model, with a value for each corner of its simplices. A vertex is referred to by the place of
its row's first value, uint32, so that the loops need no multiplication.
"""

from __future__ import annotations

import numpy as np
from numba.extending import overload

from .kernel_cache import INLINED, inlined, kernel
from .vector import LANES, add, filled, fma, item, load, load_repeated, multiply, place, prefetch, store

BLOCK = 32  # pixels whose rows stay in the first-level cache between slice, softmax and splat
PIXELS_AHEAD = 8  # vertices are prefetched this many pixels ahead; the places are padded by as many
STEPS_AHEAD = 24  # the same for steps of a chain
_MOST_PARTS, _USUAL_PARTS = 4, 3  # more vectors, with their operands, do not fit into the registers
_ONE_PART = (0,)
_ZERO, _HALF = np.float32(0), np.float32(0.5)


def _at_once(parts):
    """As `parts`, for the lanes of a row that the loops process at once."""


@overload(_at_once)
def _compile_at_once(parts):
    some = (0,) * (len(parts) if len(parts) <= _MOST_PARTS else _USUAL_PARTS)
    return lambda parts: some


def _columns(corners):
    """How many vertices a pixel has, in all terms."""


@overload(_columns)
def _compile_columns(corners):
    columns = sum(len(term) for term in corners)
    return lambda corners: columns


def _messages(total, parts, stride, lane, corners, first, factor, places, weights, factors, strength, values):
    """total + strength * factor * the weighted sum of the vertices' values, for each term.

    first: the first column of the pixel; factor: its first factor; lane: where the strength of the first term begins.
    """


@overload(_messages, jit_options=INLINED)
def _compile_messages(total, parts, stride, lane, corners, first, factor, places, weights, factors, strength, values):
    if not len(corners):
        return lambda total, parts, stride, lane, corners, first, factor, places, weights, factors, strength, values: (
            total
        )
    count = len(corners[0])

    def add_term(total, parts, stride, lane, corners, first, factor, places, weights, factors, strength, values):
        message = filled(total, _ZERO)
        for column in range(first, first + count):
            row = load(parts, values, place(places, column) + lane % stride)
            message = fma(filled(row, item(weights, column)), row, message)
        strong = multiply(load(parts, strength, lane), filled(message, item(factors, factor)))
        return _messages(
            *(fma(strong, message, total), parts, stride, lane + stride, corners[1:], first + count, factor + 1),
            *(places, weights, factors, strength, values),
        )

    return add_term


def _scatter(belief, parts, lane, corners, columns, first, factor, places, weights, factors, values):
    """Add the belief, times the term's factor and the weights, to the vertices' values, for each term."""


@overload(_scatter, jit_options=INLINED)
def _compile_scatter(belief, parts, lane, corners, columns, first, factor, places, weights, factors, values):
    if not len(corners):
        return lambda belief, parts, lane, corners, columns, first, factor, places, weights, factors, values: None
    count, far = len(corners[0]), len(parts) > 1

    def add_term(belief, parts, lane, corners, columns, first, factor, places, weights, factors, values):
        given = belief if factors is None else multiply(belief, filled(belief, item(factors, factor)))
        for column in range(first, first + count):
            if far:
                coming = place(places, column + PIXELS_AHEAD * columns) + lane
                prefetch(values, coming)
                prefetch(values, coming + len(parts) * LANES - 1)
            vertex = place(places, column) + lane
            store(values, vertex, fma(filled(given, item(weights, column)), given, load(parts, values, vertex)))
        _scatter(belief, parts, lane, corners[1:], columns, first + count, factor + 1, places, weights, factors, values)

    return add_term


@inlined
def _slice_lanes(
    parts, stride, lane, group, corners, logits, places, weights, factors, strength, values, begin, size, rows
):
    columns, terms = _columns(corners), len(corners)
    for i in range(size):
        pixel = begin + i
        logit = load_repeated(parts, group, logits, pixel * len(group) * LANES + lane)
        total = _messages(
            *(logit, parts, stride, lane, corners, pixel * columns, pixel * terms),
            *(places, weights, factors, strength, values),
        )
        store(rows, i * stride + lane, total)


@inlined
def _splat_lanes(parts, stride, lane, corners, places, weights, factors, values, begin, size, rows):
    columns, terms = _columns(corners), len(corners)
    for i in range(size):
        pixel = begin + i
        belief = load(parts, rows, i * stride + lane)
        _scatter(
            *(belief, parts, lane, corners, columns, pixel * columns, pixel * terms, places, weights, factors, values)
        )


@inlined
def slice_block(parts, group, corners, logits, places, weights, factors, strength, values, begin, size, rows):
    """rows = logits, the same for each group, + each term's messages; for `size` pixels from `begin` on.

    Without values there are no messages.
    """
    stride, some = len(parts) * LANES, _at_once(parts)
    if values is None:
        for i in range(size):
            store(rows, i * stride, load_repeated(parts, group, logits, (begin + i) * len(group) * LANES))
        return
    whole = stride - stride % (len(some) * LANES)
    messages = (places, weights, factors, strength, values)
    for lane in range(0, whole, len(some) * LANES):
        _slice_lanes(some, stride, lane, group, corners, logits, *messages, begin, size, rows)
    for lane in range(whole, stride, LANES):
        _slice_lanes(_ONE_PART, stride, lane, group, corners, logits, *messages, begin, size, rows)


@inlined
def splat_block(parts, corners, places, weights, factors, values, begin, size, rows):
    """Add the rows, times each term's weights and factor, to the vertices' values."""
    stride, some = len(parts) * LANES, _at_once(parts)
    whole = stride - stride % (len(some) * LANES)
    for lane in range(0, whole, len(some) * LANES):
        _splat_lanes(some, stride, lane, corners, places, weights, factors, values, begin, size, rows)
    for lane in range(whole, stride, LANES):
        _splat_lanes(_ONE_PART, stride, lane, corners, places, weights, factors, values, begin, size, rows)


@inlined
def room(parts):
    """The rows of one block, aligned to 64 bytes, with spare room behind them."""
    space = np.empty(BLOCK * len(parts) * (LANES + 1) + 3 * LANES, np.float32)
    return space[(-(space.ctypes.data >> 2)) & 15 :]


@inlined
def _blur_lanes(parts, stride, lane, values, chains):
    nothing = place(chains, 0)
    here = nothing
    before = filled(load(parts, values, here + lane), _ZERO)
    value = before
    half = filled(before, _HALF)
    for i in range(chains.size - 1 - STEPS_AHEAD):
        coming = place(chains, i + STEPS_AHEAD) + lane
        prefetch(values, coming)
        if len(parts) > 1:
            prefetch(values, coming + len(parts) * LANES - 1)
        there = place(chains, i + 1)
        after = load(parts, values, there + lane)
        # The row at `nothing` must stay 0: its value is written to the row behind it.
        target = here if here != nothing else nothing + stride
        store(values, target + lane, fma(half, add(before, after), value))
        before, value, here = value, after, there


@kernel
def blur(parts, values, chains):
    """Blur all terms' vertices in place: v + (v before + v after) / 2, one direction after the other.

    `chains`: rows of neighbouring vertices, separated by the place `nothing` of a row that is 0; after the last row it
    stands 1 + STEPS_AHEAD times. Each row of neighbours is visited once, keeping the old values; a vertex without
    neighbours does not change.
    """
    stride, some = len(parts) * LANES, _at_once(parts)
    whole = stride - stride % (len(some) * LANES)
    for lane in range(0, whole, len(some) * LANES):
        _blur_lanes(some, stride, lane, values, chains)
    for lane in range(whole, stride, LANES):
        _blur_lanes(_ONE_PART, stride, lane, values, chains)
