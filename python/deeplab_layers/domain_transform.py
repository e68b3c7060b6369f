"""The domain transform of DeepLab v2, an edge-preserving recursive filter: DomainTransform(ForwardOnly)."""

from __future__ import absolute_import, division

import math

import numpy as np

from .layer import PythonLayer, integers, shape_of

#: the four passes of an iteration: the axis that the recursion runs along, and whether from its end
PASSES = ((3, False), (3, True), (2, False), (2, True))


class _DomainTransform(PythonLayer):
    """Parameters, shapes and weights of both layers. spatial_sigma is in pixels."""

    PARAMS = {
        "num_iter": (int, 3),
        "spatial_sigma": (float, 50.0),
        "range_sigma": (float, 5.0),
        "min_weight": (float, 0.0),
    }
    BOTTOMS = (3, 3)
    CLIPS = True

    def prepare(self, bottom, top):
        if self.p.num_iter < 1:
            self.refuse("num_iter is %d, expected 1 or more" % self.p.num_iter)
        for name in ("spatial_sigma", "range_sigma"):
            if not getattr(self.p, name) > 0:
                self.refuse("%s is %g, expected a positive number" % (name, getattr(self.p, name)))
        if not self.p.min_weight >= 0:
            self.refuse("min_weight is %g, expected 0 or more" % self.p.min_weight)
        self.ratio = self.p.spatial_sigma / self.p.range_sigma

    def reshape(self, bottom, top):
        feature, edge, dims = self.shape4(bottom[0], "feature"), shape_of(bottom[1]), shape_of(bottom[2])
        if edge != (feature[0], 1) + feature[2:]:
            self.refuse("feature %s and reference %s; expected (N, C, H, W) and (N, 1, H, W)" % (feature, edge))
        if dims[:1] != feature[:1] or np.prod(dims[1:], dtype=int) < 2:
            self.refuse("dims %s for %d items; expected height and width, (N, 1, 1, 2)" % (dims, feature[0]))
        top[0].reshape(*feature)

    def decay(self, i):
        """sqrt(2) / sigma_i of iteration i."""
        k = self.p.num_iter
        sigma = self.p.spatial_sigma * math.sqrt(3) * 2 ** (k - (i + 1)) / math.sqrt(4**k - 1)
        return math.sqrt(2) / sigma

    def inside(self, bottom):
        """(N, 1, H, W): which pixels lie in their item's effective height and width."""
        shape = shape_of(bottom[0])
        sizes = integers(bottom[2]).reshape(shape[0], -1)[:, :2]
        for item, (h, w) in enumerate(sizes):
            if not (0 < h <= shape[2] and 0 < w <= shape[3]):
                self.refuse(
                    "item %d is %d x %d (height x width) by its dims, expected 1 x 1 to %d x %d, the size of the map"
                    % (item, h, w, shape[2], shape[3])
                )
        rows = np.arange(shape[2]) < sizes[:, :1]
        columns = np.arange(shape[3]) < sizes[:, 1:]
        return (rows[:, :, None] & columns[:, None, :])[:, None]

    def weights(self, edge, inside, i):
        """(N, 1, H, W): how much of its neighbour a pixel takes in iteration i; 0 outside the effective window."""
        weights = np.exp(-np.float32(self.decay(i)) * (1 + edge * np.float32(self.ratio)))
        if self.CLIPS:
            weights = np.clip(weights, self.p.min_weight, 1)
        return np.where(inside, weights, np.float32(0))

    def run(self, bottom, keep):
        """The filtered feature; `keep` gets every intermediate map, 4 num_iter + 1 of them."""
        edge, inside, y = bottom[1].data, self.inside(bottom), np.array(bottom[0].data)
        keep.append(y)
        for i in range(self.p.num_iter):
            weights = self.weights(edge, inside, i)
            for axis, from_end in PASSES:
                y = _forward_pass(y, weights, axis, from_end)
                keep.append(y)
        return y


class DomainTransform(_DomainTransform):
    """Edge-preserving filter: feature (N, C, H, W), edge strength (N, 1, H, W), dims (N, 1, 1, 2) of height and width.

    In each of num_iter iterations every pixel takes from its left, right, upper and lower neighbour in turn, with
    weight exp(-(sqrt(2) / sigma_i) (1 + edge spatial_sigma / range_sigma)) clipped to [min_weight, 1]. Pixels beyond
    an item's height and width are copied. The gradient ignores the clipping, and both diffs are written even if only
    one was asked for.
    """

    def forward(self, bottom, top):
        self.kept = []
        top[0].data[...] = self.run(bottom, self.kept)

    def backward(self, top, propagate_down, bottom):
        if propagate_down[2]:
            self.refuse("its dims have no gradient; state propagate_down: false for the third bottom")
        if not (propagate_down[0] or propagate_down[1]):
            return
        edge, inside, d = bottom[1].data, self.inside(bottom), np.array(top[0].diff)
        d_edge = np.zeros_like(edge)
        for i in reversed(range(self.p.num_iter)):
            weights = self.weights(edge, inside, i)
            d_weights = np.zeros_like(weights)
            for k in reversed(range(len(PASSES))):
                before, after = self.kept[4 * i + k : 4 * i + k + 2]
                d = _backward_pass(d, before, after, weights, d_weights, *PASSES[k])
            d_edge += d_weights * weights * np.float32(-self.decay(i) * self.ratio)
        bottom[0].diff[...] = d
        bottom[1].diff[...] = d_edge


class DomainTransformForwardOnly(_DomainTransform):
    """DomainTransform without a gradient and without clipping: a negative edge may give weights above 1."""

    CLIPS = False

    def forward(self, bottom, top):
        top[0].data[...] = self.run(bottom, _Nothing())

    def backward(self, top, propagate_down, bottom):
        pass


class _Nothing(object):
    """A list that forgets."""

    def append(self, item):
        pass


def _lines(array, axis):
    """A copy with the recursion's axis first, so that every step works on contiguous memory."""
    return np.array(np.rollaxis(array, axis), order="C")


def _unlined(lines, axis):
    return np.rollaxis(lines, 0, axis + 1)


def _forward_pass(y, weights, axis, from_end):
    """One pass: y(p) += W (y(neighbour) - y(p)) along an axis; W is that of the later of the two pixels."""
    lines, steps = _lines(y, axis), _lines(weights, axis)
    if from_end:
        for p in range(len(lines) - 2, -1, -1):
            lines[p] += steps[p + 1] * (lines[p + 1] - lines[p])
    else:
        for p in range(1, len(lines)):
            lines[p] += steps[p] * (lines[p - 1] - lines[p])
    return _unlined(lines, axis)


def _backward_pass(d, before, after, weights, d_weights, axis, from_end):
    """The diff of a pass's input from that of its output; what the weights get is added to `d_weights`."""
    lines, steps = _lines(d, axis), _lines(weights, axis)
    if from_end:
        for p in range(len(lines) - 1):
            lines[p + 1] += steps[p + 1] * lines[p]
    else:
        for p in range(len(lines) - 1, 0, -1):
            lines[p - 1] += steps[p] * lines[p]
    d = np.array(_unlined(lines, axis), order="C")
    early, late = (slice(None),) * axis + (slice(0, -1),), (slice(None),) * axis + (slice(1, None),)
    pixel, neighbour = (early, late) if from_end else (late, early)
    d_weights[late] += (d[pixel] * (after[neighbour] - before[pixel])).sum(axis=1, keepdims=True)
    d[pixel] *= 1 - weights[late]
    return d
