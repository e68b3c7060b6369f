"""The compiled loops that build a lattice. No fast-math: a rounded coordinate decides which vertex is meant."""

from __future__ import annotations

import numpy as np

from .kernel_cache import inlined, kernel
from .vector import LANES, index_at, item, prefetch

EMPTY = np.int64(-(2**63))  # the key of a slot without a vertex
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
BLOCK = 128  # pixels that are placed together
_AHEAD = 6  # slots are prefetched this many pixels ahead
_ROUND = np.float32(12582912.0)  # 1.5 * 2^23: adding and subtracting it rounds a float32 to the nearest even integer


@inlined
def _first_slot(key, slots):
    """The first of so many slots to try for `key`.

    It is linear in the key: keys that differ by one step are in slots that differ by one shift, so looking up all
    neighbours of vertices in the order of their slots reads memory in order.
    """
    high = (np.uint64(key) * _GOLDEN) >> np.uint64(32)
    return np.int64((high * np.uint64(slots)) >> np.uint64(32))


@inlined
def _find(key, slot, slot_keys):
    """The slot that holds `key`, or the empty slot where it belongs; the search begins at `slot`."""
    last = slot_keys.size - 1
    while item(slot_keys, slot) != key and item(slot_keys, slot) != EMPTY:
        slot = (slot + 1) & last
    return slot


@kernel
def spread_of(features):
    """(d,): the largest minus the smallest value of each feature (N, d), the origin included."""
    low, high = np.zeros(features.shape[1], np.float32), np.zeros(features.shape[1], np.float32)
    for pixel in range(features.shape[0]):
        for j in range(low.size):
            low[j] = min(low[j], features[pixel, j])
            high[j] = max(high[j], features[pixel, j])
    return high - low


@kernel
def fill_levels(image, sigma, features):
    """Write image (H, W, bands) over `sigma` (bands,) behind the two positions of features (H, W, 2 + bands)."""
    height, width, bands = image.shape
    for y in range(height):
        for x in range(width):
            for band in range(bands):
                features[y, x, 2 + band] = np.float32(image[y, x, band]) / sigma[band]


@kernel
def in_order(slot_keys, slots, count):
    """The keys and vertices (M,) of all `count` vertices, in the order of their slots."""
    keys, vertices = np.empty(count + 1, np.int64), np.empty(count + 1, np.int32)
    found = np.int64(0)
    for slot in range(slots.size):  # no branch, which could not be predicted
        keys[found], vertices[found] = slot_keys[slot], slots[slot]
        found += np.int64(slots[slot] >= 0)
    return keys[:count], vertices[:count]


@kernel
def fill_slots(keys, vertices, slot_keys, slots):
    """Enter `keys` (M,), which differ, and their vertices into empty slots."""
    for i in range(keys.size):
        slot = _find(keys[i], _first_slot(keys[i], slot_keys.size), slot_keys)
        slot_keys[slot], slots[slot] = keys[i], vertices[i]


@kernel
def place_pixels(features, scale, strides, begin, simplices, places, reached, slot_keys, slots, counter):
    """Find every pixel's simplex from `begin` on; return the pixel for which the slots are too few, or N.

    features (N, d), scale (d,), strides (d + 1,); fills simplices, a flat view of `Lattice.simplices`, and places, the
    same memory as int32; `reached` (the number of vertices after each block of pixels), slots and counter.
    Pixels are worked on in blocks, with the pixel as the innermost loop, so that the arithmetic becomes vector code.
    """
    count, dims = features.shape
    corners = dims + 1
    elevated = np.empty((corners, BLOCK), np.float32)
    base, rest = np.empty_like(elevated), np.empty_like(elevated)
    rank = np.empty((corners, BLOCK), np.int32)
    ordered = np.empty((corners + 1, BLOCK), np.float32)
    simplex_keys = np.empty((corners, BLOCK), np.int64)
    first_slots = np.empty_like(simplex_keys)
    for start in range(begin, count, BLOCK):
        if 2 * (counter[0] + corners * BLOCK) > slots.size:
            return start
        size = min(BLOCK, count - start)
        _elevate(features, start, size, scale, elevated)
        _find_simplex(elevated, size, base, rank, rest)
        _weigh(rest, rank, start, size, ordered, simplices)
        _make_keys(base, rank, strides, size, simplex_keys)
        _look_up(simplex_keys, start, size, places, slot_keys, slots, counter, first_slots)
        reached[start // BLOCK] = counter[0]
    return count


@inlined
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


@inlined
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


@inlined
def _weigh(rest, rank, start, size, ordered, simplices):
    """The barycentric weights of the simplex's corners: differences of successive remainders in their order."""
    corners = rest.shape[0]
    for place in range(corners):
        row = ordered[place]
        row[:size] = np.float32(0)
        for j in range(corners):
            order, value = rank[j], rest[j]
            for i in range(size):
                row[i] += value[i] if order[i] == corners - 1 - place else np.float32(0)
    before, first = ordered[corners - 1], ordered[corners]
    for i in range(size):
        first[i] = ordered[0, i] + (np.float32(1) - before[i])
    for place in range(corners - 1, 0, -1):
        row, previous = ordered[place], ordered[place - 1]
        for i in range(size):
            row[i] -= previous[i]
    for i in range(size):
        behind = (2 * (start + i) + 1) * corners
        simplices[behind] = first[i]
        for position in range(1, corners):
            simplices[behind + position] = ordered[position, i]


@inlined
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


@inlined
def _look_up(simplex_keys, start, size, places, slot_keys, slots, counter, first_slots):
    """Find or enter the vertices of one block; comparing with the corners of the pixel before would cost more."""
    corners = simplex_keys.shape[0]
    for corner in range(corners):
        for i in range(size):
            first_slots[corner, i] = _first_slot(simplex_keys[corner, i], slots.size)
    used = counter[0]
    for i in range(size):
        coming = min(i + _AHEAD, size - 1)
        for corner in range(corners):
            prefetch(slot_keys, first_slots[corner, coming])
            prefetch(slots, first_slots[corner, coming])
        for corner in range(corners):
            key = simplex_keys[corner, i]
            slot = _find(key, first_slots[corner, i], slot_keys)
            vertex = item(slots, slot)
            if vertex < 0:
                vertex = used
                slots[slot], slot_keys[slot] = vertex, key
                used += 1
            places[2 * (start + i) * corners + corner] = vertex * LANES
    counter[0] = used


@kernel
def find_following(keys, vertices, strides, slot_keys, slots):
    """(d + 1, M): for each direction the vertex after each vertex, -1 for none; and (d + 1, M) whether one is before.

    keys and vertices (M,) come in the order of their slots.
    """
    corners, count = strides.size, keys.size
    following = np.empty((corners, count), np.int32)
    preceded = np.zeros((corners, count + 1), np.bool_)
    for direction in range(corners):
        step = strides.sum() - corners * strides[direction]
        after, before = following[direction], preceded[direction]
        for i in range(count):
            key = keys[i] + step
            other = item(slots, _find(key, _first_slot(key, slot_keys.size), slot_keys))
            after[vertices[i]] = other
            before[other + 1] = True  # -1, no vertex, sets the first value, which is cut off
    return following, preceded[:, 1:]


@kernel
def find_chains(following, preceded, padding):
    """Rows of at least two neighbouring vertices, direction by direction; see Lattice.chains. `padding`: at the end."""
    corners, size = following.shape
    chains = np.empty(corners * (size + size // 2) + 1 + padding, np.int32)
    starts = np.zeros(corners + 1, np.int64)
    firsts = np.empty(size + 1, np.int32)
    end = 0
    for direction in range(corners):
        after, before = following[direction], preceded[direction]
        found = np.int64(0)
        for vertex in range(size):  # no branch, which could not be predicted
            firsts[found] = vertex
            found += np.int64(after[vertex] >= 0) & np.int64(not before[vertex])
        for vertex in firsts[:found]:
            chains[end] = size * LANES
            end += 1
            while vertex >= 0:
                chains[end] = vertex * LANES
                end += 1
                vertex = after[vertex]
        starts[direction + 1] = end
    chains[end : end + 1 + padding] = size * LANES
    return chains[: end + 1 + padding].copy(), starts


@kernel
def find_neighbours(chains, starts, size):
    """(d + 1, M, 2): for each direction the vertices before and after, -1 for none."""
    neighbours = np.full((starts.size - 1, size, 2), -1, np.int32)
    for direction in range(starts.size - 1):
        for i in range(starts[direction] + 1, starts[direction + 1]):
            before, vertex = chains[i - 1] // LANES, chains[i] // LANES
            if before < size and vertex < size:
                neighbours[direction, before, 1] = vertex
                neighbours[direction, vertex, 0] = before
    return neighbours


@kernel
def filter_ones(simplices, corners, chains, size):
    """(N,): the lattice's answer to a constant 1; simplices: flat."""
    count = simplices.size // (2 * corners)
    values = np.zeros(size + 2, np.float32)  # behind the vertices one that stays 0, and one that is never read
    for pixel in range(count):
        for corner in range(corners):
            at = 2 * pixel * corners + corner
            values[index_at(simplices, at) // LANES] += item(simplices, at + corners)
    here, before, value = size, np.float32(0), np.float32(0)
    for i in range(1, chains.size):
        there = np.int64(chains[i] // LANES)
        after = values[there]
        values[here if here < size else size + 1] = value + np.float32(0.5) * (before + after)
        before, value, here = value, after, there
    alpha = np.float32(1 / (1 + 2.0 ** -(corners - 1)))
    mass = np.empty(count, np.float32)
    for pixel in range(count):
        total = np.float32(0)
        for corner in range(corners):
            at = 2 * pixel * corners + corner
            total += item(simplices, at + corners) * values[index_at(simplices, at) // LANES]
        mass[pixel] = alpha * total
    return mass
