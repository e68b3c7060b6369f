"""The compiled passes of mean field: from values to beliefs and back, and to probabilities or labels in the end.

`pixel_rows` describes the form of the values and of the arguments.
"""

from __future__ import annotations

import numpy as np

from .kernel_cache import inlined, kernel
from .pixel_rows import BLOCK, room, slice_block, splat_block
from .vector import (
    LANES,
    exp_cut,
    filled,
    first_of,
    inverse,
    item,
    load,
    load16,
    maximum_of,
    multiply,
    store,
    subtract,
    sum_of,
)


@inlined
def _softmax_block(parts, group, begin, size, bounded, rest, rows):
    """Replace logits by their softmax; `bounded` ones have a largest from 0 to 80 in each group and are not shifted."""
    groups, width = len(parts) // len(group), len(group) * LANES
    behind = size * len(parts) * LANES + LANES  # an incomplete last vector reaches into the room behind the block
    if not bounded:
        _shift(parts, group, begin, size, rest, behind, rows)
    for lane in range(0, size * len(parts) * LANES, 2 * LANES):
        store(rows, lane, exp_cut(load16(rows, lane)))
    for i in range(size * groups):
        belief = load(group, rows, i * width)
        whole = sum_of(belief)
        if rest.size:
            whole += item(rest, begin + i // groups) if bounded else item(rows, behind + i)
        store(rows, i * width, multiply(belief, filled(belief, inverse(whole))))


@inlined
def _shift(parts, group, begin, size, rest, behind, rows):
    """Subtract each group's largest logit; `rest` with the same shift is written from `behind` on."""
    groups, width = len(parts) // len(group), len(group) * LANES
    for i in range(size * groups):
        logit = load(group, rows, i * width)
        highest = maximum_of(logit)
        store(rows, i * width, subtract(logit, filled(logit, highest)))
        if rest.size:
            rows[behind + i] = item(rest, begin + i // groups) * np.exp(-highest)


@kernel
def step(parts, group, corners, bounded, logits, rest, places, weights, taken, strength, given, values, splatted):
    """One pass: slice the messages from `values` (None: none yet), add the logits, softmax, splat into `splatted`.

    logits: a row of one group's width for each pixel; rest (N,) or empty: what the dropped classes add to
    each sum.
    places, weights (N * columns,): each pixel's vertices, term by term. taken, given (N * terms,): factors after and
    before filtering, `given` may be None; strength (terms * lanes,): the terms' weights.
    """
    count = logits.size // (len(group) * LANES)
    rows = room(parts)
    for begin in range(0, count, BLOCK):
        size = min(BLOCK, count - begin)
        slice_block(parts, group, corners, logits, places, weights, taken, strength, values, begin, size, rows)
        _softmax_block(parts, group, begin, size, bounded, rest, rows)
        splat_block(parts, corners, places, weights, given, splatted, begin, size, rows)


@kernel
def write_maps(
    parts, group, corners, bounded, logits, rest, places, weights, taken, strength, values, number, kept, maps, shares
):
    """The last pass: beliefs of the group of that number into the `kept` rows of `maps` (C, N).

    `shares` (N,), unless empty, becomes the total belief of the classes that are not kept.
    """
    count = logits.size // (len(group) * LANES)
    rows = room(parts)
    for begin in range(0, count, BLOCK):
        size = min(BLOCK, count - begin)
        slice_block(parts, group, corners, logits, places, weights, taken, strength, values, begin, size, rows)
        _softmax_block(parts, group, begin, size, bounded, rest, rows)
        own = rows[number * len(group) * LANES :]
        for k in range(kept.size):
            beliefs = maps[kept[k]]
            for i in range(size):
                beliefs[begin + i] = own[i * len(parts) * LANES + k]
        if shares.size:
            for i in range(size):
                first = i * len(parts) * LANES
                shares[begin + i] = np.float32(1) - own[first : first + kept.size].sum()


@kernel
def write_labels(parts, group, corners, logits, places, weights, taken, strength, values, kept, labels):
    """The last pass: the class of the largest belief, the first of equals, into `labels` (groups, N)."""
    count, groups = logits.size // (len(group) * LANES), len(parts) // len(group)
    rows = room(parts)
    for begin in range(0, count, BLOCK):
        size = min(BLOCK, count - begin)
        slice_block(parts, group, corners, logits, places, weights, taken, strength, values, begin, size, rows)
        for i in range(size):
            for number in range(groups):
                logit = load(group, rows, (i * groups + number) * len(group) * LANES)
                best = min(first_of(logit, maximum_of(logit)), kept.size - 1)
                labels[number, begin + i] = kept[best]


@kernel
def splat_maps(parts, corners, maps, places, weights, given, splatted):
    """Splat `maps` (C, N) as they are."""
    stride = len(parts) * LANES
    classes, count = maps.shape
    rows = room(parts)
    for begin in range(0, count, BLOCK):
        size = min(BLOCK, count - begin)
        for c in range(stride):
            for i in range(size):
                rows[i * stride + c] = maps[c, begin + i] if c < classes else np.float32(0)
        splat_block(parts, corners, places, weights, given, splatted, begin, size, rows)


@kernel
def slice_maps(parts, corners, places, weights, taken, strength, values, maps):
    """Slice `values` into `maps` (C, N)."""
    stride = len(parts) * LANES
    classes, count = maps.shape
    nothing = np.zeros(count * stride, np.float32)
    rows = room(parts)
    for begin in range(0, count, BLOCK):
        size = min(BLOCK, count - begin)
        slice_block(parts, parts, corners, nothing, places, weights, taken, strength, values, begin, size, rows)
        for c in range(classes):
            for i in range(size):
                maps[c, begin + i] = rows[i * stride + c]
