"""Batch normalization with scale and shift in one layer: PSPNet's, and SegNet's of the same name."""

from __future__ import absolute_import, division

import numpy as np

from .layer import TRAIN, PythonLayer, shape_of

FILLER = {"type": str, "value": float, "min": float, "max": float, "mean": float, "std": float}
_SEGNET = ("bn_mode", "scale_filler", "shift_filler")
_PSPNET = ("slope_filler", "bias_filler", "momentum", "frozen")


class BN(PythonLayer):
    """y = slope (x - mean) / sqrt(variance + eps) + bias, for each channel of (N, C, ...).

    PSPNet: blobs slope, bias, mean, variance (1, C, 1, 1). In TEST, or "frozen", the stored statistics; in TRAIN the
    batch's, which also update the stored ones: momentum stored + (1 - momentum) batch, with the biased variance. They
    start at mean 0 and variance 1; in the prototxt they need param { lr_mult: 0 decay_mult: 0 }, as the third and
    fourth of the layer's parameters.
    SegNet (bn_mode, scale_filler or shift_filler stated): blobs scale and shift (1, C, 1, 1). LEARN uses the batch's
    statistics in both phases, INFERENCE none: scale and shift then contain them. eps is 1e-9 unless stated.
    """

    PARAMS = {
        "slope_filler": (FILLER, None),
        "bias_filler": (FILLER, None),
        "momentum": (float, None),
        "eps": (float, None),
        "frozen": (bool, None),
        "scale_filler": (FILLER, None),
        "shift_filler": (FILLER, None),
        "bn_mode": (("LEARN", "INFERENCE"), None),
        "phase": (("TRAIN", "TEST"), None),
    }

    def prepare(self, bottom, top):
        p = self.p
        segnet, pspnet = ([n for n in names if getattr(p, n) is not None] for names in (_SEGNET, _PSPNET))
        if segnet and pspnet:
            self.refuse("has %s, which is SegNet's, and %s, which is PSPNet's" % (segnet[0], pspnet[0]))
        if p.eps is not None and not p.eps >= 0:
            self.refuse("eps is %g, expected 0 or more" % p.eps)
        if len(shape_of(bottom[0])) < 2:
            self.refuse("bottom %s has no channel axis" % (shape_of(bottom[0]),))
        self.segnet = bool(segnet)
        self.eps = np.float32((1e-9 if self.segnet else 1e-5) if p.eps is None else p.eps)
        self.momentum = np.float32(0.9 if p.momentum is None else p.momentum)
        self.channels = shape_of(bottom[0])[1]
        self._add_blobs()

    def _add_blobs(self):
        p = self.p
        fillers = [p.scale_filler, p.shift_filler] if self.segnet else [p.slope_filler, p.bias_filler, None, None]
        for index, (filler, value) in enumerate(zip(fillers, (1.0, 0.0, 0.0, 1.0))):
            if index >= len(self.blobs):
                self.blobs.add_blob(1, self.channels, 1, 1)
                self.blobs[index].data[...] = self._filled({"value": value} if filler is None else filler)

    def _filled(self, filler):
        """(1, C, 1, 1) values of a filler: constant, uniform or gaussian."""
        shape, kind = (1, self.channels, 1, 1), filler.get("type", "constant")
        if kind == "constant":
            return filler.get("value", 0.0)
        if kind == "uniform":
            return np.random.uniform(filler.get("min", 0.0), filler.get("max", 1.0), shape)
        if kind == "gaussian":
            return np.random.normal(filler.get("mean", 0.0), filler.get("std", 1.0), shape)
        self.refuse("a filler of type '%s' does not fit %s, expected constant, uniform or gaussian" % (kind, shape))

    def reshape(self, bottom, top):
        shape = shape_of(bottom[0])
        if shape[1:2] != (self.channels,):
            self.refuse("bottom %s does not have the %d channels of the parameters" % (shape, self.channels))
        top[0].reshape(*shape)

    def _by_batch(self):
        """Whether the statistics are the batch's."""
        if self.segnet:
            return self.p.bn_mode != "INFERENCE"
        return not self.p.frozen and self.phase_now() == TRAIN

    def forward(self, bottom, top):
        x = bottom[0].data
        self.batch = self._by_batch()
        mean, variance = self._statistics(x)
        self.factor = 1 / np.sqrt(variance + (self.eps if self.batch or not self.segnet else np.float32(0)))
        self.normal = (x - self._spread(mean, x)) * self._spread(self.factor, x)
        slope, bias = (self._spread(self.blobs[i].data.ravel(), x) for i in (0, 1))
        top[0].data[...] = self.normal * slope + bias

    def _statistics(self, x):
        """Mean and variance of each channel; the stored ones of PSPNet are brought up to date."""
        if not self.batch and self.segnet:
            return np.zeros(self.channels, np.float32), np.ones(self.channels, np.float32)
        if not self.batch:
            return self.blobs[2].data.ravel(), self.blobs[3].data.ravel()
        axes = self._others(x)
        mean = x.mean(axis=axes)
        variance = np.square(x - self._spread(mean, x)).mean(axis=axes)
        for index, value in [] if self.segnet else [(2, mean), (3, variance)]:
            stored = self.blobs[index].data
            stored[...] = self.momentum * stored + (1 - self.momentum) * value.reshape(stored.shape)
        return mean, variance

    @staticmethod
    def _others(x):
        """All axes but the channels'."""
        return (0,) + tuple(range(2, x.ndim))

    @staticmethod
    def _spread(values, x):
        """(C) as a shape that broadcasts over x."""
        return values.reshape((-1,) + (1,) * (x.ndim - 2))

    def backward(self, top, propagate_down, bottom):
        d = top[0].diff
        axes, count = self._others(d), d.size // self.channels
        slope = self.blobs[0].data.ravel()
        sums = d.sum(axis=axes), (d * self.normal).sum(axis=axes)
        for index, total in ((1, sums[0]), (0, sums[1])):
            diff = self.blobs[index].diff
            diff[...] += total.reshape(diff.shape)
        if not propagate_down[0]:
            return
        if self.batch:
            d = d - self._spread(sums[0] / count, d) - self.normal * self._spread(sums[1] / count, d)
        bottom[0].diff[...] = d * self._spread(slope * self.factor, d)
