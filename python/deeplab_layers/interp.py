"""Bilinear resampling of score maps and labels, as DeepLab's Interp layer does it."""

from __future__ import absolute_import, division

import numpy as np

from .layer import PythonLayer, shape_of


class Interp(PythonLayer):
    """Corner-aligned bilinear resampling of (N, C, H, W); axes that are missing at the end count as 1.

    The size comes from shrink_factor, zoom_factor, both (first shrunk, then zoomed, resampled once) or height and
    width; pads (0 or negative) crop first. Shrinking labels by s subsamples them exactly if (size - 1) is a multiple
    of s.
    """

    PARAMS = {
        "height": (int, None),
        "width": (int, None),
        "zoom_factor": (int, None),
        "shrink_factor": (int, None),
        "pad_beg": (int, 0),
        "pad_end": (int, 0),
    }

    def prepare(self, bottom, top):
        if self.p.pad_beg > 0 or self.p.pad_end > 0:
            self.refuse(
                "pad_beg %d and pad_end %d must be 0 or negative: they crop" % (self.p.pad_beg, self.p.pad_end)
            )
        for name in ("shrink_factor", "zoom_factor"):
            factor = getattr(self.p, name)
            if factor is not None and factor < 1:
                self.refuse("%s is %d, expected 1 or more" % (name, factor))

    def reshape(self, bottom, top):
        n, c, h, w = self.shape = self._four_axes(bottom[0])
        pads = self.p.pad_beg + self.p.pad_end
        self.cropped = (h + pads, w + pads)
        self.size = self._size()
        if min(self.cropped) < 1 or min(self.size) < 1:
            self.refuse("bottom %s would become %s after cropping to %s" % ((n, c, h, w), self.size, self.cropped))
        top[0].reshape(n, c, *self.size)

    def _four_axes(self, blob):
        shape = shape_of(blob)
        if len(shape) > 4:
            self.refuse("bottom %s has %d axes, expected at most 4 (N, C, H, W)" % (shape, len(shape)))
        return shape + (1,) * (4 - len(shape))

    def _size(self):
        shrink, zoom = self.p.shrink_factor, self.p.zoom_factor
        if shrink and not zoom:
            return tuple(_shrunk(size, shrink) for size in self.cropped)
        if zoom and not shrink:
            return tuple(_zoomed(size, zoom) for size in self.cropped)
        if self.p.height is not None and self.p.width is not None:
            return (self.p.height, self.p.width)
        if not shrink:
            self.refuse("has no size: expected shrink_factor, zoom_factor, or height and width")
        return tuple(_zoomed(_shrunk(size, shrink), zoom) for size in self.cropped)

    def _window(self, array):
        """The part of a map (N, C, H, W) that is resampled."""
        begin = -self.p.pad_beg
        return array[:, :, begin : begin + self.cropped[0], begin : begin + self.cropped[1]]

    def forward(self, bottom, top):
        x = self._window(bottom[0].data.reshape(self.shape))
        if self.size != self.cropped:
            x = _blend(x, 3, self.size[1])
            x = _blend(x, 2, self.size[0])
        top[0].data[...] = x

    def backward(self, top, propagate_down, bottom):
        if not propagate_down[0]:
            return
        d = top[0].diff
        if self.size != self.cropped:
            n, c = d.shape[:2]
            d = d.reshape(-1, self.size[1]).dot(_matrix(self.cropped[1], self.size[1]))
            d = d.reshape(n * c, self.size[0], -1)
            d = np.tensordot(d, _matrix(self.cropped[0], self.size[0]), axes=(1, 0))
            d = d.transpose(0, 2, 1).reshape((n, c) + self.cropped)
        diff = bottom[0].diff
        diff[...] = 0
        self._window(diff.reshape(self.shape))[...] = d


def _shrunk(size, factor):
    return (size - 1) // factor + 1


def _zoomed(size, factor):
    return size + (size - 1) * (factor - 1)


def _places(size, out):
    """Of each of `out` positions along an axis of `size`: the pixels before and after it, and the share of the latter.

    In float32, as in Caffe.
    """
    step = np.float32(size - 1) / np.float32(out - 1) if out > 1 else np.float32(0)
    place = step * np.arange(out, dtype=np.float32)
    before = place.astype(np.int64)
    return before, np.minimum(before + 1, size - 1), place - before.astype(np.float32)


def _blend(x, axis, out):
    """x (N, C, H, W) resampled along one axis."""
    before, after, share = _places(x.shape[axis], out)
    share = share.reshape((-1, 1) if axis == 2 else (-1,))
    return np.take(x, before, axis) * (1 - share) + np.take(x, after, axis) * share


def _matrix(size, out):
    """(out, size): what `_blend` multiplies an axis by; its transpose takes gradients back."""
    before, after, share = _places(size, out)
    matrix = np.zeros((out, size), np.float32)
    rows = np.arange(out)
    matrix[rows, before] += 1 - share
    matrix[rows, after] += share
    return matrix
