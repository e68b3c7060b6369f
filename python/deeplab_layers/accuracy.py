"""How well scores fit labels, as DeepLab's SegAccuracy layer tells it."""

from __future__ import absolute_import, division

import numpy as np

from .layer import PythonLayer, integers, shape_of


class SegAccuracy(PythonLayer):
    """Scores (N, C, H, W) and labels (N, 1, H, W) to (1, 1, 1, 3): pixel accuracy, class accuracy, mean IoU.

    The mean IoU is over all C classes, one that neither occurs nor is predicted counting 1. "reset": false sums over
    all forwards. Of equal scores the higher class wins. "metric" is read and, as in DeepLab, means nothing.
    """

    PARAMS = {
        "ignore_label": ([int], []),
        "reset": (bool, True),
        "metric": (("PixelAccuracy", "ClassAccuracy", "PixelIOU"), "PixelAccuracy"),
    }
    BOTTOMS = (2, 2)

    def prepare(self, bottom, top):
        self.confusion = 0

    def reshape(self, bottom, top):
        scores, labels = self.shape4(bottom[0]), shape_of(bottom[1])
        if labels != (scores[0], 1) + scores[2:]:
            self.refuse("scores %s and labels %s; expected (N, C, H, W) and (N, 1, H, W)" % (scores, labels))
        top[0].reshape(1, 1, 1, 3)

    def forward(self, bottom, top):
        scores, labels = bottom[0].data, integers(bottom[1])[:, 0]
        classes = scores.shape[1]
        valid = self.valid_labels(labels, classes, self.p.ignore_label)
        predicted = classes - 1 - scores[:, ::-1].argmax(axis=1)
        pairs = labels[valid] * classes + predicted[valid]
        counts = np.bincount(pairs, minlength=classes**2).reshape(classes, classes)
        self.confusion = counts if self.p.reset else self.confusion + counts
        top[0].data[...] = _accuracies(self.confusion.astype(np.float64))


def _accuracies(confusion):
    """Pixel accuracy, class accuracy, mean IoU of a matrix (label, prediction), as (1, 1, 1, 3)."""
    correct, occurs = confusion.diagonal(), confusion.sum(axis=1)
    union = occurs + confusion.sum(axis=0) - correct
    recall = correct / np.maximum(occurs, 1)
    overlap = np.where(correct == union, 1, correct / np.maximum(union, 1))
    values = (
        correct.sum() / max(confusion.sum(), 1),
        recall.sum() / max((occurs > 0).sum(), 1),
        overlap.mean(),
    )
    return np.array(values).reshape(1, 1, 1, 3)
