"""The compiled loops between pixels and vertices, on blocks of pixels, and along the vertices.

Values are flat float32 arrays of rows, one for each pixel or vertex. A row has as many vectors of eight lanes as the
tuple `parts` has values; numba compiles the loops for each such type, with all sizes known. A row holds one or more
groups, inferences with different weights side by side, each with as many vectors as the tuple `group`. `corners` has a
tuple for each term of the model, with a value for each corner of its simplices. `simplices`, `reached`,
`values` and what else belongs to the terms are tuples with a flat array for each of them, as `Lattice` holds it. A
vertex is referred to by its place, eight times its number, so that finding a row of one vector needs no multiplication.
"""

from __future__ import annotations

import numpy as np
from numba import types
from numba.extending import overload

from .kernel_cache import INLINED, inlined, kernel
from .lattice_construction import BLOCK as PLACED
from .vector import LANES, add, filled, fma, index_at, item, load, load_repeated, multiply, prefetch, store

BLOCK = 32  # pixels whose rows stay in the first-level cache between slice, softmax and splat
PIXELS_AHEAD = 8  # vertices are prefetched this many pixels ahead
STEPS_AHEAD = 24  # the same for steps of a chain; chains are padded by as many
_MOST_PARTS, _USUAL_PARTS = 4, 3  # more vectors, with their operands, do not fit into the registers
_ONE_PART = (0,)
_ZERO, _HALF = np.float32(0), np.float32(0.5)


def _at_once(parts):
    """As `parts`, for the lanes of a row that the loops process at once."""


@overload(_at_once)
def _compile_at_once(parts):
    some = (0,) * (len(parts) if len(parts) <= _MOST_PARTS else _USUAL_PARTS)
    return lambda parts: some


def _messages(total, parts, stride, lane, corners, pixel, simplices, factors, strength, values):
    """total + strength * factor * the weighted sum of the vertices' values, for each term."""


@overload(_messages, jit_options=INLINED)
def _compile_messages(total, parts, stride, lane, corners, pixel, simplices, factors, strength, values):
    if not len(corners):
        return lambda total, parts, stride, lane, corners, pixel, simplices, factors, strength, values: total
    count = len(corners[0])

    def add_term(total, parts, stride, lane, corners, pixel, simplices, factors, strength, values):
        message = filled(total, _ZERO)
        first = 2 * pixel * count
        for corner in range(first, first + count):
            row = load(parts, values[0], index_at(simplices[0], corner) * (stride // LANES) + lane)
            message = fma(filled(row, item(simplices[0], corner + count)), row, message)
        strong = multiply(load(parts, strength[0], lane), filled(message, item(factors[0], pixel)))
        return _messages(
            *(fma(strong, message, total), parts, stride, lane, corners[1:], pixel),
            *(simplices[1:], factors[1:], strength[1:], values[1:]),
        )

    return add_term


def _scatter(belief, parts, stride, lane, corners, pixel, last, simplices, factors, values):
    """Add the belief, times the term's factor and the weights, to the vertices' values, for each term."""


@overload(_scatter, jit_options=INLINED)
def _compile_scatter(belief, parts, stride, lane, corners, pixel, last, simplices, factors, values):
    if not len(corners):
        return lambda belief, parts, stride, lane, corners, pixel, last, simplices, factors, values: None
    count, far = len(corners[0]), len(parts) > 1

    def add_term(belief, parts, stride, lane, corners, pixel, last, simplices, factors, values):
        given = belief if factors is None else multiply(belief, filled(belief, item(factors[0], pixel)))
        first, ahead = 2 * pixel * count, 2 * min(PIXELS_AHEAD, last - pixel) * count
        for corner in range(first, first + count):
            if far:
                coming = index_at(simplices[0], corner + ahead) * (stride // LANES) + lane
                prefetch(values[0], coming)
                prefetch(values[0], coming + len(parts) * LANES - 1)
            vertex = index_at(simplices[0], corner) * (stride // LANES) + lane
            row = load(parts, values[0], vertex)
            store(values[0], vertex, fma(filled(given, item(simplices[0], corner + count)), given, row))
        _scatter(
            *(belief, parts, stride, lane, corners[1:], pixel, last),
            *(simplices[1:], _others(factors), values[1:]),
        )

    return add_term


def _others(factors):
    """The factors of all terms but the first; None of None."""


@overload(_others, jit_options=INLINED)
def _compile_others(factors):
    if isinstance(factors, types.NoneType):
        return lambda factors: None
    return lambda factors: factors[1:]


def _clear(stride, begin, end, reached, values):
    """Set the vertices to 0 that pixels from `begin` to `end` touch first; after the last pixel all that remain."""


@overload(_clear, jit_options=INLINED)
def _compile_clear(stride, begin, end, reached, values):
    if not len(reached):
        return lambda stride, begin, end, reached, values: None

    def clear_term(stride, begin, end, reached, values):
        first, last = begin // PLACED, end // PLACED
        start = item(reached[0], first - 1) * stride if first else 0
        stop = item(reached[0], last - 1) * stride if last < reached[0].size else values[0].size
        values[0][start:stop] = _ZERO
        _clear(stride, begin, end, reached[1:], values[1:])

    return clear_term


@inlined
def _slice_lanes(
    parts, stride, lane, group, corners, logits, simplices, factors, strength, values, begin, size, rows
):
    for i in range(size):
        pixel = begin + i
        logit = load_repeated(parts, group, logits, pixel * len(group) * LANES + lane)
        total = _messages(
            *(logit, parts, stride, lane, corners, pixel, simplices, factors, strength, values)
        )
        store(rows, i * stride + lane, total)


@inlined
def _splat_lanes(parts, stride, lane, corners, last, simplices, factors, values, begin, size, rows):
    for i in range(size):
        belief = load(parts, rows, i * stride + lane)
        _scatter(belief, parts, stride, lane, corners, begin + i, last, simplices, factors, values)


@inlined
def slice_block(parts, group, corners, logits, simplices, factors, strength, values, begin, size, rows):
    """rows = logits, the same for each group, + each term's messages; for `size` pixels from `begin` on.

    Without values there are no messages.
    """
    stride, some = len(parts) * LANES, _at_once(parts)
    if values is None:
        for i in range(size):
            store(rows, i * stride, load_repeated(parts, group, logits, (begin + i) * len(group) * LANES))
        return
    whole = stride - stride % (len(some) * LANES)
    messages = (simplices, factors, strength, values)
    for lane in range(0, whole, len(some) * LANES):
        _slice_lanes(some, stride, lane, group, corners, logits, *messages, begin, size, rows)
    for lane in range(whole, stride, LANES):
        _slice_lanes(_ONE_PART, stride, lane, group, corners, logits, *messages, begin, size, rows)


@inlined
def splat_block(parts, corners, count, simplices, reached, factors, values, begin, size, rows):
    """Add the rows, times each term's weights and factor, to the vertices' values; `count`: of all pixels.

    Blocks come in order. Vertices are set to 0 shortly before the first pixel that touches them.
    """
    stride, some = len(parts) * LANES, _at_once(parts)
    if begin % PLACED == 0:
        _clear(stride, begin, begin + PLACED, reached, values)
    whole = stride - stride % (len(some) * LANES)
    for lane in range(0, whole, len(some) * LANES):
        _splat_lanes(some, stride, lane, corners, count - 1, simplices, factors, values, begin, size, rows)
    for lane in range(whole, stride, LANES):
        _splat_lanes(_ONE_PART, stride, lane, corners, count - 1, simplices, factors, values, begin, size, rows)


@inlined
def room(parts):
    """The rows of one block, aligned to 64 bytes, with spare room behind them."""
    space = np.empty(BLOCK * len(parts) * (LANES + 1) + 3 * LANES, np.float32)
    return space[(-(space.ctypes.data >> 2)) & 15 :]


@inlined
def _blur_lanes(parts, stride, lane, values, chains):
    nothing = index_at(chains, 0) * (stride // LANES)
    here = nothing
    before = filled(load(parts, values, here + lane), _ZERO)
    value = before
    half = filled(before, _HALF)
    for i in range(chains.size - 1 - STEPS_AHEAD):
        coming = index_at(chains, i + STEPS_AHEAD) * (stride // LANES) + lane
        prefetch(values, coming)
        if len(parts) > 1:
            prefetch(values, coming + len(parts) * LANES - 1)
        there = index_at(chains, i + 1) * (stride // LANES)
        after = load(parts, values, there + lane)
        # The row at `nothing` must stay 0: its value is written to the row behind it.
        target = here if here != nothing else nothing + stride
        store(values, target + lane, fma(half, add(before, after), value))
        before, value, here = value, after, there


@kernel
def blur(parts, values, chains):
    """Blur one term's vertices in place: v + (v before + v after) / 2, one direction after the other.

    `chains` as in `Lattice`; the row of the number M is 0, the one behind it is never read. Each row of neighbours is
    visited once, keeping the old values; a vertex without neighbours does not change.
    """
    stride, some = len(parts) * LANES, _at_once(parts)
    whole = stride - stride % (len(some) * LANES)
    for lane in range(0, whole, len(some) * LANES):
        _blur_lanes(some, stride, lane, values, chains)
    for lane in range(whole, stride, LANES):
        _blur_lanes(_ONE_PART, stride, lane, values, chains)
