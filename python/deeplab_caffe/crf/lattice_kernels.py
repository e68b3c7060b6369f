"""The compiled loops that build a lattice. No fast-math: a rounded coordinate decides which vertex is meant."""

from __future__ import annotations

import numpy as np
from numba import njit

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_ROUND = np.float32(12582912.0)  # 1.5 * 2^23: adding and subtracting it rounds a float32 to the nearest even integer


@njit(nogil=True, forceinline=True)
def _slot_of(key, slots):
    """The slot where a key's search begins."""
    mixed = np.uint64(key) * _GOLDEN
    return np.int64((mixed ^ (mixed >> np.uint64(29))) >> np.uint64(20)) & (slots.size - 1)


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
    """
    count, dims = features.shape
    corners = dims + 1
    inverse = np.float32(1) / np.float32(corners)
    elevated, base, rank = np.empty(corners, np.float32), np.empty(corners, np.float32), np.empty(corners, np.int64)
    barycentric = np.empty(dims + 2, np.float32)
    coordinate_of_rank = np.empty(corners, np.int64)
    last = np.full(corners, -1, np.int64)
    last_key = np.zeros(corners, np.int64)
    all_strides = strides.sum()
    size = counter[0]
    for pixel in range(begin, count):
        if size + corners > keys.size:
            counter[0] = size
            return pixel
        _elevate(features[pixel], scale, elevated)
        _find_simplex(elevated, inverse, base, rank)
        _weigh(elevated, base, rank, inverse, barycentric)
        key = np.int64(0)
        for i in range(corners):
            key += np.int64(base[i]) * strides[i]
            coordinate_of_rank[rank[i]] = i
        for corner in range(corners):
            if last[corner] >= 0 and last_key[corner] == key:
                vertex = last[corner]
            else:
                slot = _slot_of(key, slots)
                vertex = np.int64(slots[slot])
                while vertex >= 0 and keys[vertex] != key:
                    slot = (slot + 1) & (slots.size - 1)
                    vertex = np.int64(slots[slot])
                if vertex < 0:
                    vertex = size
                    slots[slot] = vertex
                    keys[vertex] = key
                    size += 1
                last[corner] = vertex
                last_key[corner] = key
            offsets[pixel, corner] = vertex
            weights[pixel, corner] = barycentric[corner]
            # The next corner lies one further on every axis, and d + 1 back on the one whose turn it is.
            key += all_strides - corners * strides[coordinate_of_rank[dims - corner]]
    counter[0] = size
    return count


@njit(nogil=True, forceinline=True)
def _elevate(feature, scale, elevated):
    """Rotate d features into the plane of d + 1 coordinates that sum to 0."""
    total = np.float32(0)
    for j in range(feature.size, 0, -1):
        scaled = feature[j - 1] * scale[j - 1]
        elevated[j] = total - np.float32(j) * scaled
        total += scaled
    elevated[0] = total


@njit(nogil=True, forceinline=True)
def _find_simplex(elevated, inverse, base, rank):
    """The nearest vertex whose coordinates divide by d + 1, and the order of the coordinates' remainders."""
    corners = elevated.size
    total = np.int64(0)
    for i in range(corners):
        rounded = (inverse * elevated[i] + _ROUND) - _ROUND
        base[i] = rounded * np.float32(corners)
        total += np.int64(rounded)
        rank[i] = 0
    for i in range(corners - 1):
        rest = elevated[i] - base[i]
        for j in range(i + 1, corners):
            if rest < elevated[j] - base[j]:
                rank[i] += 1
            else:
                rank[j] += 1
    for i in range(corners):
        rank[i] += total
        if rank[i] < 0:
            rank[i] += corners
            base[i] += np.float32(corners)
        elif rank[i] >= corners:
            rank[i] -= corners
            base[i] -= np.float32(corners)


@njit(nogil=True, forceinline=True)
def _weigh(elevated, base, rank, inverse, barycentric):
    """The barycentric weights of the simplex's corners, from the sorted remainders."""
    corners = elevated.size
    barycentric[:] = np.float32(0)
    for i in range(corners):
        rest = (elevated[i] - base[i]) * inverse
        place = corners - 1 - rank[i]
        barycentric[place] += rest
        barycentric[place + 1] -= rest
    barycentric[0] += np.float32(1) + barycentric[corners]


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
