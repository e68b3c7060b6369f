"""Label maps and lists of labels: UniqueLabel, CensorLabel, DominantChannel, Histogram, IgnoreOverlay, OneHot,
RelativeError. None of them has a gradient."""

from __future__ import absolute_import, division

import numpy as np

from .layer import PythonLayer, integers, shape_of

#: fills up a list of labels
NO_LABEL = -1


class UniqueLabel(PythonLayer):
    """Label maps (N, 1, H, W) to lists (N, max_labels, 1, 1) of the labels in each, ascending, filled up with -1.

    ignore_label is left out; force_label is always put in, even if ignored.
    """

    PARAMS = {"max_labels": (int, None), "ignore_label": ([int], []), "force_label": ([float], [])}
    REQUIRED = ("max_labels",)

    def prepare(self, bottom, top):
        self.forced = sorted(set(self.p.force_label))
        if self.p.max_labels <= len(self.forced):
            self.refuse(
                "max_labels is %d, expected more than the %d forced labels" % (self.p.max_labels, len(self.forced))
            )

    def reshape(self, bottom, top):
        shape = self.shape4(bottom[0])
        if shape[1] != 1:
            self.refuse("bottom %s, expected label maps (N, 1, H, W)" % (shape,))
        top[0].reshape(shape[0], self.p.max_labels, 1, 1)

    def forward(self, bottom, top):
        lists = top[0].data
        lists[...] = NO_LABEL
        for item, labels in enumerate(bottom[0].data):
            found = np.setdiff1d(labels, np.array(self.p.ignore_label, labels.dtype))
            found = np.union1d(found, np.array(self.forced, labels.dtype))
            if len(found) > self.p.max_labels:
                some = ", ".join("%g" % value for value in found[:10])
                self.refuse(
                    "item %d has %d labels (%s, ...), more than max_labels: %d"
                    % (item, len(found), some, self.p.max_labels)
                )
            lists[item, : len(found), 0, 0] = found


class CensorLabel(PythonLayer):
    """Label map (N, 1, H, W), its labels that are not in the item's list (N, L, 1, 1) made ignore_label."""

    PARAMS = {"ignore_label": (int, None)}
    REQUIRED = ("ignore_label",)
    BOTTOMS = (2, 2)

    def reshape(self, bottom, top):
        labels, listed = self.shape4(bottom[0], "map"), shape_of(bottom[1])
        if labels[1] != 1 or listed != labels[:1] + listed[1:2] + (1, 1):
            self.refuse("map %s and list %s, expected (N, 1, H, W) and (N, L, 1, 1)" % (labels, listed))
        top[0].reshape(*labels)

    def forward(self, bottom, top):
        labels = bottom[0].data
        kept = (labels == bottom[1].data).any(axis=1, keepdims=True)
        top[0].data[...] = np.where(kept, labels, self.p.ignore_label)


class DominantChannel(PythonLayer):
    """Scores (N, C, H, W) to the top_k channels (N, top_k, 1, 1) that are largest at the most pixels.

    Of channels that are largest equally often the one that is second largest more often comes first, and so on; of
    equals the lower one.
    """

    PARAMS = {"top_k": (int, 1)}

    def reshape(self, bottom, top):
        shape = self.shape4(bottom[0])
        if not 0 < self.p.top_k < shape[1]:
            self.refuse(
                "top_k is %d, expected 1 to %d, less than the number of channels" % (self.p.top_k, shape[1] - 1)
            )
        top[0].reshape(shape[0], self.p.top_k, 1, 1)

    def forward(self, bottom, top):
        scores = bottom[0].data
        items, channels = scores.shape[:2]
        order = np.argsort(-scores.reshape(items, channels, -1), axis=1, kind="mergesort")
        for item, ranked in enumerate(order):
            # (rank, channel): at how many pixels the channel has this rank
            places = np.arange(channels)[:, None] * channels + ranked
            counts = np.bincount(places.ravel(), minlength=channels**2).reshape(channels, channels)
            best = np.lexsort(-counts[::-1])[: self.p.top_k]
            top[0].data[item, :, 0, 0] = best


class Histogram(PythonLayer):
    """Labels (N, ...) to how often each of num_labels occurs in an item (N, num_labels, 1, 1), without ignore_label."""

    PARAMS = {"num_labels": (int, 0), "ignore_label": ([int], [])}

    def prepare(self, bottom, top):
        if self.p.num_labels < 1:
            self.refuse("num_labels is not stated, or not positive")

    def reshape(self, bottom, top):
        top[0].reshape(shape_of(bottom[0])[0], self.p.num_labels, 1, 1)

    def forward(self, bottom, top):
        labels, counts = integers(bottom[0]), top[0].data
        valid = self.valid_labels(labels, self.p.num_labels, self.p.ignore_label)
        for item in range(len(labels)):
            counts[item, :, 0, 0] = np.bincount(labels[item][valid[item]], minlength=self.p.num_labels)


class IgnoreOverlay(PythonLayer):
    """The second of two label maps of one shape, with ignore_label wherever the first has it."""

    PARAMS = {"ignore_label": (int, None)}
    REQUIRED = ("ignore_label",)
    BOTTOMS = (2, 2)

    def reshape(self, bottom, top):
        shapes = shape_of(bottom[0]), shape_of(bottom[1])
        if shapes[0] != shapes[1]:
            self.refuse("bottoms of different shapes: %s and %s" % shapes)
        top[0].reshape(*shapes[1])

    def forward(self, bottom, top):
        ignored = self.p.ignore_label
        top[0].data[...] = np.where(bottom[0].data == ignored, ignored, bottom[1].data)


class OneHot(PythonLayer):
    """Lists of labels at each pixel (N, L, H, W) to maps (N, num_labels, H, W), 1 where the label is in the list.

    Entries of -1 are no label.
    """

    PARAMS = {"num_labels": (int, 0)}

    def prepare(self, bottom, top):
        if self.p.num_labels < 1:
            self.refuse("num_labels is not stated, or not positive")

    def reshape(self, bottom, top):
        shape = self.shape4(bottom[0])
        top[0].reshape(shape[0], self.p.num_labels, *shape[2:])

    def forward(self, bottom, top):
        labels, maps = integers(bottom[0]), top[0].data
        self.valid_labels(labels, self.p.num_labels, [NO_LABEL])
        for label in range(self.p.num_labels):
            maps[:, label] = (labels == label).any(axis=1)


class RelativeError(PythonLayer):
    """sqrt(mean (a - b)^2 / max(mean b^2, 1e-6)) of two bottoms of one size, as (1, 1, 1, 1)."""

    BOTTOMS = (2, 2)

    def reshape(self, bottom, top):
        shapes = shape_of(bottom[0]), shape_of(bottom[1])
        if np.prod(shapes[0], dtype=int) != np.prod(shapes[1], dtype=int):
            self.refuse("bottoms %s and %s differ in size" % shapes)
        top[0].reshape(1, 1, 1, 1)

    def forward(self, bottom, top):
        a, b = bottom[0].data.ravel(), bottom[1].data.ravel()
        top[0].data[...] = np.sqrt(np.square(a - b).mean() / max(np.square(b).mean(), 1e-6))
