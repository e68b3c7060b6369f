"""The compiled loops that build a lattice. No fast-math: a rounded coordinate decides which vertex is meant."""

from __future__ import annotations

import numpy as np
from numba import njit

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_BLOCK = 128
_ROUND = np.float32(12582912.0)  # 1.5 * 2^23: adding and subtracting it rounds a float32 to the nearest even integer


@njit(nogil=True, forceinline=True)
def _slot_of(key, slots):
    """The slot where a key's search begins."""
    mixed = np.uint64(key) * _GOLDEN
    return np.int64((mixed ^ (mixed >> np.uint64(29))) >> np.uint64(20)) & (slots.size - 1)


@njit(cache=True, nogil=True)
def spread_of(features):
    """(d,): the largest minus the smallest value of each feature (N, d), the origin included."""
    low, high = np.zeros(features.shape[1], np.float32), np.zeros(features.shape[1], np.float32)
    for pixel in range(features.shape[0]):
        for j in range(low.size):
            low[j] = min(low[j], features[pixel, j])
            high[j] = max(high[j], features[pixel, j])
    return high - low


@njit(cache=True, nogil=True)
def fill_slots(keys, slots):
    """Enter all `keys` (M,), which differ, into empty `slots`."""
    for vertex in range(keys.size):
        slot = _slot_of(keys[vertex], slots)
        while slots[slot] >= 0:
            slot = (slot + 1) & (slots.size - 1)
        slots[slot] = vertex


@njit(cache=True, nogil=True)
def place_pixels(features, scale, strides, begin, offsets, weights, keys, slots, counter):
    """Find every pixel's simplex from `begin` on; return the pixel that has no more room in `keys`, or N.

    features (N, d), scale (d,), strides (d + 1,); fills offsets and weights (N, d + 1), keys, slots and counter.
    Pixels are worked on in blocks, with the pixel as the innermost loop, so that the arithmetic becomes vector code.
    """
    count, dims = features.shape
    corners = dims + 1
    elevated = np.empty((corners, _BLOCK), np.float32)
    base, rest = np.empty_like(elevated), np.empty_like(elevated)
    rank = np.empty((corners, _BLOCK), np.int32)
    simplex_keys = np.empty((corners, _BLOCK), np.int64)
    last_key, last = np.zeros(corners, np.int64), np.full(corners, -1, np.int64)
    for start in range(begin, count, _BLOCK):
        if counter[0] + corners * _BLOCK > keys.size:
            return start
        size = min(_BLOCK, count - start)
        _elevate(features, start, size, scale, elevated)
        _find_simplex(elevated, size, base, rank, rest)
        _weigh(rest, rank, start, size, weights)
        _make_keys(base, rank, strides, size, simplex_keys)
        _look_up(simplex_keys, start, size, offsets, keys, slots, counter, last_key, last)
    return count


@njit(nogil=True, forceinline=True)
def _elevate(features, start, size, scale, elevated):
    """Rotate d features into the plane of d + 1 coordinates that sum to 0."""
    dims = scale.size
    total = elevated[0]
    total[:size] = np.float32(0)
    for j in range(dims, 0, -1):
        factor, place, row = scale[j - 1], np.float32(j), elevated[j]
        for i in range(size):
            scaled = features[start + i, j - 1] * factor
            row[i] = total[i] - place * scaled
            total[i] += scaled


@njit(nogil=True, forceinline=True)
def _find_simplex(elevated, size, base, rank, rest):
    """The nearest vertex whose coordinates divide by d + 1; the remainders (over d + 1) and their descending order."""
    corners = elevated.shape[0]
    inverse, whole = np.float32(1) / np.float32(corners), np.float32(corners)
    total = np.zeros(size, np.int32)
    for j in range(corners):
        from_, to, left, order = elevated[j], base[j], rest[j], rank[j]
        for i in range(size):
            rounded = (inverse * from_[i] + _ROUND) - _ROUND
            to[i] = rounded * whole
            left[i] = from_[i] - to[i]
            total[i] += np.int32(rounded)
            order[i] = 0
    for j in range(corners - 1):
        for k in range(j + 1, corners):
            first, second, rank_first, rank_second = rest[j], rest[k], rank[j], rank[k]
            for i in range(size):
                behind = np.int32(first[i] < second[i])
                rank_first[i] += behind
                rank_second[i] += np.int32(1) - behind
    for j in range(corners):
        from_, to, left, order = elevated[j], base[j], rest[j], rank[j]
        for i in range(size):
            place = order[i] + total[i]
            turn = np.int32(place < 0) - np.int32(place >= corners)
            order[i] = place + turn * np.int32(corners)
            to[i] += np.float32(turn) * whole
            left[i] = (from_[i] - to[i]) * inverse


@njit(nogil=True, forceinline=True)
def _weigh(rest, rank, start, size, weights):
    """The barycentric weights of the simplex's corners: differences of successive remainders in their order."""
    corners = rest.shape[0]
    for i in range(size):
        row = weights[start + i]
        row[:] = np.float32(0)
        behind = np.float32(0)
        for j in range(corners):
            place, value = corners - 1 - rank[j, i], rest[j, i]
            row[place] += value
            if place + 1 < corners:
                row[place + 1] -= value
            else:
                behind = value
        row[0] += np.float32(1) - behind


@njit(nogil=True, forceinline=True)
def _make_keys(base, rank, strides, size, simplex_keys):
    """The keys of the simplex's corners: each lies one further on every axis, and d + 1 back on the one in turn."""
    corners = base.shape[0]
    simplex_keys[0] = 0
    for j in range(corners):
        row, to, stride = simplex_keys[0], base[j], strides[j]
        for i in range(size):
            row[i] += np.int64(to[i]) * stride
    step = strides.sum()
    for corner in range(1, corners):
        row, previous, turn = simplex_keys[corner], simplex_keys[corner - 1], corners - corner
        for i in range(size):
            row[i] = previous[i] + step
        for j in range(corners):
            order, back = rank[j], corners * strides[j]
            for i in range(size):
                row[i] -= back if order[i] == turn else np.int64(0)


@njit(nogil=True, forceinline=True)
def _look_up(simplex_keys, start, size, offsets, keys, slots, counter, last_key, last):
    """Find or enter the vertices of one block; often a corner is that of the pixel before."""
    corners = simplex_keys.shape[0]
    used = counter[0]
    for i in range(size):
        for corner in range(corners):
            key = simplex_keys[corner, i]
            vertex = last[corner]
            if vertex < 0 or last_key[corner] != key:
                slot = _slot_of(key, slots)
                vertex = np.int64(slots[slot])
                while vertex >= 0 and keys[vertex] != key:
                    slot = (slot + 1) & (slots.size - 1)
                    vertex = np.int64(slots[slot])
                if vertex < 0:
                    vertex = used
                    slots[slot] = vertex
                    keys[vertex] = key
                    used += 1
                last_key[corner], last[corner] = key, vertex
            offsets[start + i, corner] = vertex
    counter[0] = used


@njit(cache=True, nogil=True)
def find_neighbours(keys, strides, slots):
    """(d + 1, M, 2): for each direction the vertices before and after, -1 for none. One look-up finds a pair."""
    corners = strides.size
    neighbours = np.full((corners, keys.size, 2), -1, np.int32)
    for direction in range(corners):
        step = strides.sum() - corners * strides[direction]
        for vertex in range(keys.size):
            key = keys[vertex] + step
            slot = _slot_of(key, slots)
            other = slots[slot]
            while other >= 0 and keys[other] != key:
                slot = (slot + 1) & (slots.size - 1)
                other = slots[slot]
            if other >= 0:
                neighbours[direction, vertex, 1] = other
                neighbours[direction, other, 0] = vertex
    return neighbours


@njit(cache=True, nogil=True)
def find_runs(neighbours):
    """Rows of at least two neighbouring vertices, direction by direction; see Lattice.runs."""
    corners, size = neighbours.shape[:2]
    runs = np.empty(corners * size, np.int32)
    starts = np.zeros(corners + 1, np.int64)
    end = 0
    for direction in range(corners):
        for first in range(size):
            if neighbours[direction, first, 0] >= 0 or neighbours[direction, first, 1] < 0:
                continue
            runs[end] = ~first
            end += 1
            vertex = neighbours[direction, first, 1]
            while vertex >= 0:
                runs[end] = vertex
                end += 1
                vertex = neighbours[direction, vertex, 1]
        starts[direction + 1] = end
    return runs[:end].copy(), starts


@njit(cache=True, nogil=True)
def filter_ones(offsets, weights, neighbours):
    """(N,): the lattice's answer to a constant 1."""
    count, corners = offsets.shape
    values = np.zeros(neighbours.shape[1], np.float32)
    for pixel in range(count):
        for corner in range(corners):
            values[offsets[pixel, corner]] += weights[pixel, corner]
    blurred = np.empty_like(values)
    for direction in range(corners):
        for vertex in range(values.size):
            total = np.float32(0)
            for side in range(2):
                other = neighbours[direction, vertex, side]
                if other >= 0:
                    total += values[other]
            blurred[vertex] = values[vertex] + np.float32(0.5) * total
        values, blurred = blurred, values
    alpha = np.float32(1 / (1 + 2.0 ** -(corners - 1)))
    mass = np.empty(count, np.float32)
    for pixel in range(count):
        total = np.float32(0)
        for corner in range(corners):
            total += weights[pixel, corner] * values[offsets[pixel, corner]]
        mass[pixel] = alpha * total
    return mass
