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
    larger,
    load,
    load16,
    load_repeated,
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


@inlined
def _messages_of(parts, group, begin, size, logits, rows, messages):
    """messages = rows of logits and messages, without the logits."""
    stride = len(parts) * LANES
    for i in range(size):
        logit = load_repeated(parts, group, logits, (begin + i) * len(group) * LANES)
        store(messages, i * stride, subtract(load(parts, rows, i * stride), logit))


@inlined
def _note_effects(parts, size, rows, messages, effects):
    """effects (lanes,) = the largest product of belief and message so far."""
    stride = len(parts) * LANES
    largest = load(parts, effects, 0)
    for i in range(size):
        largest = larger(largest, multiply(load(parts, rows, i * stride), load(parts, messages, i * stride)))
    store(effects, 0, largest)


@kernel
def step(
    parts, group, corners, bounded, logits, rest, simplices, reached, taken, strength, given, values, splatted,
    effects,
):  # fmt: skip
    """One pass: slice the messages from `values` (None: none yet), add the logits, softmax, splat into `splatted`.

    logits: a row of one group's width for each pixel; rest (N,) or empty: what the dropped classes add to
    each sum.
    Of each term: simplices and `reached`, as `Lattice` has them; taken, given (N,), factors after and before filtering,
    `given` may be None; strength (lanes,), its weights.
    effects (lanes,): raised to each lane's largest product of a belief and the message in it; may be None.
    """
    count = logits.size // (len(group) * LANES)
    rows = room(parts)
    messages = rows if effects is None else room(parts)
    for begin in range(0, count, BLOCK):
        size = min(BLOCK, count - begin)
        slice_block(parts, group, corners, logits, simplices, taken, strength, values, begin, size, rows)
        if effects is not None:
            _messages_of(parts, group, begin, size, logits, rows, messages)
        _softmax_block(parts, group, begin, size, bounded, rest, rows)
        if effects is not None:
            _note_effects(parts, size, rows, messages, effects)
        splat_block(parts, corners, count, simplices, reached, given, splatted, begin, size, rows)


@kernel
def last_effect(parts, corners, logits, simplices, taken, strength, values, lane, limit):
    """The largest product of belief and message in one lane of one inference in the last pass.

    Only pixels whose message is above `limit` are looked at, since a belief is at most 1; 0 if there are none.
    """
    stride = len(parts) * LANES
    count = logits.size // stride
    rows = room(parts)
    largest = np.float32(0)
    for begin in range(0, count, BLOCK):
        size = min(BLOCK, count - begin)
        slice_block(parts, parts, corners, logits, simplices, taken, strength, values, begin, size, rows)
        for i in range(size):
            message = rows[i * stride + lane] - logits[(begin + i) * stride + lane]
            if message > limit:
                logit = load(parts, rows, i * stride)
                beliefs = exp_cut(subtract(logit, filled(logit, maximum_of(logit))))
                whole = sum_of(beliefs)
                store(rows, i * stride, beliefs)
                largest = max(largest, message * rows[i * stride + lane] / whole)
    return largest


@kernel
def write_maps(
    parts, group, corners, bounded, logits, rest, simplices, taken, strength, values, number, kept, maps, shares
):
    """The last pass: beliefs of the group of that number into the `kept` rows of `maps` (C, N).

    `shares` (N,), unless empty, becomes the total belief of the classes that are not kept: what is missing to 1, or
    where there is no `rest` the belief of the lane behind the kept classes.
    """
    count = logits.size // (len(group) * LANES)
    rows = room(parts)
    for begin in range(0, count, BLOCK):
        size = min(BLOCK, count - begin)
        slice_block(parts, group, corners, logits, simplices, taken, strength, values, begin, size, rows)
        _softmax_block(parts, group, begin, size, bounded, rest, rows)
        own = rows[number * len(group) * LANES :]
        for k in range(kept.size):
            beliefs = maps[kept[k]]
            for i in range(size):
                beliefs[begin + i] = own[i * len(parts) * LANES + k]
        if shares.size:
            for i in range(size):
                first = i * len(parts) * LANES
                missing = np.float32(1) - own[first : first + kept.size].sum()
                shares[begin + i] = missing if rest.size else own[first + kept.size]


@kernel
def write_labels(parts, group, corners, logits, simplices, taken, strength, values, kept, labels):
    """The last pass: the class of the largest belief, the first of equals, into `labels` (groups, N)."""
    count, groups = logits.size // (len(group) * LANES), len(parts) // len(group)
    rows = room(parts)
    for begin in range(0, count, BLOCK):
        size = min(BLOCK, count - begin)
        slice_block(parts, group, corners, logits, simplices, taken, strength, values, begin, size, rows)
        for i in range(size):
            for number in range(groups):
                logit = load(group, rows, (i * groups + number) * len(group) * LANES)
                best = min(first_of(logit, maximum_of(logit)), kept.size - 1)
                labels[number, begin + i] = kept[best]


@kernel
def splat_maps(parts, corners, maps, simplices, reached, given, splatted):
    """Splat `maps` (C, N) as they are."""
    stride = len(parts) * LANES
    classes, count = maps.shape
    rows = room(parts)
    for begin in range(0, count, BLOCK):
        size = min(BLOCK, count - begin)
        for c in range(stride):
            for i in range(size):
                rows[i * stride + c] = maps[c, begin + i] if c < classes else np.float32(0)
        splat_block(parts, corners, count, simplices, reached, given, splatted, begin, size, rows)


@kernel
def slice_maps(parts, corners, simplices, taken, strength, values, maps):
    """Slice `values` into `maps` (C, N)."""
    stride = len(parts) * LANES
    classes, count = maps.shape
    nothing = np.zeros(count * stride, np.float32)
    rows = room(parts)
    for begin in range(0, count, BLOCK):
        size = min(BLOCK, count - begin)
        slice_block(parts, parts, corners, nothing, simplices, taken, strength, values, begin, size, rows)
        for c in range(classes):
            for i in range(size):
                maps[c, begin + i] = rows[i * stride + c]
