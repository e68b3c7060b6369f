"""The permutohedral lattice (Adams, Baek, Davis 2010): Gaussian filtering over many dimensions, in numpy.

A pixel's features lie in a simplex of d + 1 lattice vertices. Filtering is splat (pixels to vertices, with barycentric
weights), blur (along each of d + 1 directions with weights 1/2, 1, 1/2) and slice (vertices back to pixels).
"""

from __future__ import absolute_import, division

import math

import numpy as np


class Lattice(object):
    """The filter over N pixels with features (N, d), float32, in units of standard deviations."""

    def __init__(self, features):
        count, dims = features.shape
        if count % 4:
            # DeepLab's program works on four pixels at a time and fills up the last group with points at the origin.
            # Their vertices hold nothing, but values pass through them in the blur.
            features = np.concatenate([features, np.zeros((1, dims), np.float32)])
        elevated = _elevated(features)
        base, rank, rest = _simplex(elevated)
        keys = _keys(base, rank, _strides(elevated))
        vertices, offsets = np.unique(keys, return_inverse=True)
        #: (d + 1, N): the vertices of each pixel's simplex, and their weights
        self.offsets = offsets.reshape(keys.shape)[:, :count]
        self.weights = _barycentric(rank, rest)[:, :count]
        self.size = len(vertices)
        self.neighbours = [_neighbours(vertices, step) for step in self._steps(_strides(elevated))]
        self.alpha = np.float32(1 / (1 + 2.0**-dims))
        #: (N,): 1 / what filtering a constant 1 gives
        self.norm = 1 / (self.filtered(np.ones((1, count), np.float32))[0] + np.float32(1e-20))

    @staticmethod
    def _steps(strides):
        """How a key changes from a vertex to the next one along each direction."""
        return [strides.sum() - len(strides) * stride for stride in strides]

    def filtered(self, maps):
        """Maps (C, N) filtered, without normalization."""
        values = np.zeros((len(maps), self.size + 1), np.float32)  # the last column: no vertex
        places = self.offsets.ravel()
        for channel, one in enumerate(maps):
            values[channel, :-1] = np.bincount(places, (self.weights * one).ravel(), self.size)
        for before, after in self.neighbours:
            half = np.float32(0.5)
            values[:, :-1] = values[:, :-1] + half * (values[:, before] + values[:, after])
        result = np.empty(maps.shape, np.float32)
        for channel, one in enumerate(values):
            result[channel] = self.alpha * (self.weights * one[self.offsets]).sum(axis=0)
        return result


def _elevated(features):
    """(d + 1, N): features rotated into the plane of d + 1 coordinates that sum to 0, scaled to deviation 1."""
    count, dims = features.shape
    deviation = float(np.float32(math.sqrt(2.0 / 3) * (dims + 1)))
    elevated = np.empty((dims + 1, count), np.float32)
    total = np.zeros(count, np.float32)
    for j in range(dims, 0, -1):
        scaled = features[:, j - 1] * np.float32(deviation / math.sqrt((j + 1) * j))
        elevated[j] = total - np.float32(j) * scaled
        total = total + scaled
    elevated[0] = total
    return elevated


def _simplex(elevated):
    """The nearest vertex whose coordinates divide by d + 1; the remainders' descending order; they, over d + 1."""
    corners = len(elevated)
    inverse = np.float32(1) / np.float32(corners)
    rounded = np.rint(inverse * elevated)
    rest = elevated - rounded * np.float32(corners)
    rank = np.zeros(elevated.shape, np.int64)
    for j in range(corners - 1):
        for k in range(j + 1, corners):
            behind = rest[j] < rest[k]
            rank[j] += behind
            rank[k] += ~behind
    rank += rounded.sum(axis=0).astype(np.int64)
    turn = (rank < 0).astype(np.int64) - (rank >= corners)
    base = rounded.astype(np.int64) * corners + turn * corners
    return base, rank + turn * corners, (elevated - base.astype(np.float32)) * inverse


def _barycentric(rank, rest):
    """(d + 1, N): the weights of the simplex's corners, differences of successive remainders in their order."""
    corners, count = rank.shape
    weights, pixels = np.zeros((corners + 1, count), np.float32), np.arange(count)
    for place, value in zip(corners - 1 - rank, rest):
        weights[place, pixels] += value
        weights[place + 1, pixels] -= value
    weights[0] += 1 + weights[corners]
    return weights[:corners]


def _strides(elevated):
    """(d + 1,): factors that turn a vertex's coordinates into one number, unique where 64 bits hold their ranges.

    Else random odd factors: two of a million vertices then share a number with a chance below 1e-6.
    """
    corners = len(elevated)
    ranges = [int(row.max() - row.min()) + 4 * corners for row in elevated[:-1]]
    strides, product = [], 1
    for size in ranges:
        strides.append(product)
        product *= size
    if product >= 2**62:
        strides = np.random.RandomState(0).randint(1, 2**31 - 1, (corners - 1, 2)).astype(np.int64)
        strides = (strides[:, 0] << 31) ^ strides[:, 1] | 1
    return np.append(np.array(strides, np.int64), np.int64(0))


def _keys(base, rank, strides):
    """(d + 1, N): the numbers of the simplex's corners; each lies one further on every axis, d + 1 back on one."""
    corners = len(base)
    keys = np.empty(base.shape, np.int64)
    keys[0] = (base * strides[:, None]).sum(axis=0)
    axis_of = np.argsort(rank, axis=0)
    for corner in range(1, corners):
        keys[corner] = keys[corner - 1] + strides.sum() - corners * strides[axis_of[corners - corner]]
    return keys


def _neighbours(vertices, step):
    """The places of the vertices before and after each one, the number of vertices where there is none."""
    places = []
    for wanted in (vertices - step, vertices + step):
        found = np.minimum(np.searchsorted(vertices, wanted), len(vertices) - 1)
        places.append(np.where(vertices[found] == wanted, found, len(vertices)))
    return places
