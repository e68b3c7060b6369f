"""The loss of DeepLab's first release where BVLC's SoftmaxWithLoss cannot say it: weights of classes, several labels
that are ignored."""

from __future__ import absolute_import, division

import io

import numpy as np

from .layer import PythonLayer, integers, shape_of

_FLT_MIN = np.float32(1.17549435e-38)


class WeightedSoftmaxWithLoss(PythonLayer):
    """sum w_l (-log max(p_l, FLT_MIN)) / sum w_l over the pixels whose label l is not ignored; 0 if there are none.

    Bottoms: scores (N, C, H, W) and labels (N, 1, H, W). Top: the loss, one number. weight_source: a text file with a
    number from 0 for each class; all 1 without it. In a net the layer needs loss_weight: 1, since only Caffe's own
    losses have that of themselves.
    """

    PARAMS = {"ignore_label": ([int], []), "weight_source": (str, "")}
    BOTTOMS = (2, 2)

    def prepare(self, bottom, top):
        self.class_weights = None
        path = self.p.weight_source
        if not path:
            return
        try:
            with io.open(path, encoding="utf-8") as lines:
                self.class_weights = np.array([float(word) for word in lines.read().split()], np.float32)
        except (IOError, ValueError) as error:
            self.refuse("cannot read the weights of the classes, weight_source: '%s': %s" % (path, error))
        if not (self.class_weights >= 0).all():
            self.refuse("'%s' holds a weight that is not 0 or more" % path)

    def reshape(self, bottom, top):
        scores, labels = self.shape4(bottom[0], "scores"), shape_of(bottom[1])
        if labels != (scores[0], 1) + scores[2:]:
            self.refuse("scores %s and labels %s; expected (N, C, H, W) and (N, 1, H, W)" % (scores, labels))
        if self.class_weights is not None and len(self.class_weights) != scores[1]:
            count = len(self.class_weights)
            self.refuse("'%s' holds %d weights for %d classes" % (self.p.weight_source, count, scores[1]))
        top[0].reshape(1)

    def forward(self, bottom, top):
        scores, labels = bottom[0].data, integers(bottom[1])
        valid = self.valid_labels(labels, scores.shape[1], self.p.ignore_label)
        labels = np.where(valid, labels, 0)
        weights = valid.astype(np.float32)
        if self.class_weights is not None:
            weights *= self.class_weights[labels]
        e = np.exp(scores - scores.max(axis=1, keepdims=True))
        self.prob = e / e.sum(axis=1, keepdims=True)
        self.onehot = labels == np.arange(scores.shape[1]).reshape(1, -1, 1, 1)
        total = weights.sum(dtype=np.float64)
        self.share = (weights / total if total else weights * 0).astype(np.float32)
        own = np.where(self.onehot, self.prob, 0).sum(axis=1, keepdims=True)
        top[0].data[...] = -(self.share * np.log(np.maximum(own, _FLT_MIN))).sum()

    def backward(self, top, propagate_down, bottom):
        if propagate_down[1]:
            self.refuse("its labels have no gradient; state propagate_down: false for the second bottom")
        if propagate_down[0]:
            bottom[0].diff[...] = (self.prob - self.onehot) * self.share * top[0].diff.ravel()[0]
