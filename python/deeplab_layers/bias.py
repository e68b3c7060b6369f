"""Training from weak labels: BiasChannel and AdaptiveBiasChannel."""

from __future__ import absolute_import, division

import numpy as np

from .label_maps import NO_LABEL
from .layer import PythonLayer, integers, shape_of


class BiasChannel(PythonLayer):
    """Scores (N, C, H, W) with constants added to the channels of labels: fg_bias, for background bg_bias.

    label_type IMAGE: labels (N, L, 1, 1), lists filled up with -1; every label in the list raises its whole channel
    (a second time if it stands there twice), background being 0. PIXEL: labels (N, 1, H, W); a pixel raises the
    channel of its label, and where background_label or bg_bias is stated that of the background at every pixel.
    """

    PARAMS = {
        "bg_bias": (float, None),
        "fg_bias": (float, 2.0),
        "ignore_label": ([int], []),
        "label_type": (("IMAGE", "PIXEL"), "IMAGE"),
        "background_label": (int, None),
    }
    BOTTOMS = (2, 2)

    def prepare(self, bottom, top):
        stated = self.p.bg_bias is not None or self.p.background_label is not None
        self.bg_bias = 1.0 if self.p.bg_bias is None else self.p.bg_bias
        for name, bias in (("bg_bias", self.bg_bias), ("fg_bias", self.p.fg_bias)):
            if not bias >= 0:
                self.refuse("%s is %g, expected 0 or more" % (name, bias))
        self.per_pixel = self.p.label_type == "PIXEL"
        self.background = 0
        if self.per_pixel:
            self.background = (self.p.background_label or 0) if stated else None

    def reshape(self, bottom, top):
        shape = self.shape4(bottom[0], "scores")
        if self.background is not None and not 0 <= self.background < shape[1]:
            self.refuse("background_label is %d, but scores %s have no such channel" % (self.background, shape))
        check_labels_of(self, shape, shape_of(bottom[1]), self.per_pixel)
        top[0].reshape(*shape)

    def forward(self, bottom, top):
        scores, labels = bottom[0].data, integers(bottom[1])
        if not self.per_pixel:
            labels = labels.reshape(len(labels), -1, 1, 1)
        valid = self.valid_labels(labels, scores.shape[1], [NO_LABEL] + self.p.ignore_label)
        background = valid & (labels == (NO_LABEL if self.background is None else self.background))
        added = self._added(scores.shape[1], labels, valid & ~background)
        if self.background is not None:
            everywhere = valid if self.per_pixel else background
            added[:, self.background] += np.float32(self.bg_bias) * everywhere.sum(axis=1)
        top[0].data[...] = scores + added

    def _added(self, channels, labels, foreground):
        """(N, C, H, W), or with H = W = 1 for lists: fg_bias for every label of the foreground."""
        added = np.zeros((len(labels), channels) + labels.shape[2:], np.float32)
        for channel in range(channels):
            added[:, channel] = (foreground & (labels == channel)).sum(axis=1)
        return added * np.float32(self.p.fg_bias)

    def backward(self, top, propagate_down, bottom):
        if propagate_down[1]:
            self.refuse("its labels have no gradient; state propagate_down: false for the second bottom")
        if propagate_down[0]:
            bottom[0].diff[...] = top[0].diff


class AdaptiveBiasChannel(PythonLayer):
    """Scores (N, C, H, W) biased so that each label in an image's list (N, L, 1, 1) wins a share of its pixels.

    Labels that are not in the list are first pushed below those that are (suppress_others). Then num_iter times, in
    random order but background first, each label's channel is raised until it reaches the largest score at
    bg_portion or fg_portion of the pixels. At last all channels are shifted so that the mean of the largest score is
    what it was. A portion of 1 means all pixels. No gradient: the diffs of the bottoms are left as they are.
    "seed" fixes the random order; without it numpy.random's own state decides.
    """

    PARAMS = {
        "num_iter": (int, 1),
        "bg_portion": (float, float(np.float32(0.2))),
        "fg_portion": (float, float(np.float32(0.2))),
        "suppress_others": (bool, True),
        "margin_others": (float, float(np.float32(1e-5))),
        "seed": (int, None),
    }
    BOTTOMS = (2, 2)

    def prepare(self, bottom, top):
        for name in ("bg_portion", "fg_portion"):
            if not 0 <= getattr(self.p, name) <= 1:
                self.refuse("%s is %g, expected 0 to 1" % (name, getattr(self.p, name)))
        if self.p.num_iter < 0 or not self.p.margin_others >= 0:
            self.refuse(
                "num_iter is %d and margin_others %g, expected 0 or more" % (self.p.num_iter, self.p.margin_others)
            )
        self.random = np.random if self.p.seed is None else np.random.RandomState(self.p.seed)

    def reshape(self, bottom, top):
        shape = self.shape4(bottom[0], "scores")
        if shape[1] < 2:
            self.refuse("scores %s, expected at least 2 channels" % (shape,))
        check_labels_of(self, shape, shape_of(bottom[1]), False)
        top[0].reshape(*shape)

    def forward(self, bottom, top):
        scores, labels = np.array(bottom[0].data), integers(bottom[1]).reshape(len(bottom[1].data), -1)
        self.valid_labels(labels, scores.shape[1], [NO_LABEL])
        for item, listed in zip(scores, labels):
            present = sorted(int(label) for label in listed if label != NO_LABEL)
            if present:
                self._bias(item, present)
        top[0].data[...] = scores

    def _bias(self, scores, present):
        """Change the scores (C, H, W) of one image in place."""
        own = scores[present]
        if self.p.suppress_others:
            lowest = own.min(axis=0)
            absent = [channel for channel in range(len(scores)) if channel not in present]
            others = scores[absent]
            scores[absent] = np.where(others > lowest, lowest - np.float32(self.p.margin_others), others)
        largest = own.max(axis=0)
        mean = largest.mean()
        for _ in range(self.p.num_iter):
            for label in self._shuffled(present):
                lack = (largest - scores[label]).ravel()
                share = np.float32(self.p.fg_portion if label else self.p.bg_portion)
                rank = min(int(share * np.float32(lack.size)), lack.size - 1)
                scores[label] += np.partition(lack, rank)[rank]
                largest = np.maximum(largest, scores[label])
        scores += mean - largest.mean()

    def _shuffled(self, labels):
        """The labels in random order, background first."""
        first = 1 if labels[0] == 0 else 0
        return labels[:first] + [int(label) for label in self.random.permutation(labels[first:])]

    def backward(self, top, propagate_down, bottom):
        pass


def check_labels_of(layer, scores, labels, per_pixel):
    """Refuse labels that are no map, or no list, for each item of the scores."""
    if per_pixel and labels != (scores[0], 1) + scores[2:]:
        wanted = (scores[0], 1) + scores[2:]
        layer.refuse("labels %s for scores %s, expected %s, a map for each item" % (labels, scores, wanted))
    if not per_pixel and (labels[:1] != scores[:1] or len(labels) < 2 or any(size != 1 for size in labels[2:])):
        layer.refuse(
            "labels %s for scores %s, expected (%d, L, 1, 1), a list for each item" % (labels, scores, scores[0])
        )
