"""Accuracies. Mirrors `seg_accuracy_layer.cpp` of DeepLab and `accuracy_layer.cpp`."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from ...arrays import Shape
from .. import mode
from ..blob import Blob
from .arithmetic import top_k
from .base import TensorLayer, register
from .label_check import check_labels


@register("SegAccuracy")
class SegAccuracy(TensorLayer):
    """Scores (N, C, H, W) and labels (N, 1, H, W) to (1, 1, 1, 3): pixel accuracy, class accuracy, mean IoU.

    The mean IoU is over all C classes, one that neither occurs nor is predicted counting 1. `reset: false` sums
    over all forwards. Of equal scores the higher class wins.
    """

    bottoms = (2, 2)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.confusion: torch.Tensor | None = None

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        scores, labels = bottoms
        if len(scores) != 4 or labels != (scores[0], 1, *scores[2:]):
            self.fail(f"scores {scores} and labels {labels}; wanted (N, C, H, W) and (N, 1, H, W) of the same N, H, W")
        return [(1, 1, 1, 3)]

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        p = self.param.seg_accuracy_param
        scores = bottoms[0].detach()
        classes = scores.shape[1]
        labels = bottoms[1].detach().to(torch.int64)
        valid = check_labels(self, labels, classes, p.ignore_label, scores.shape[0])
        _, predicted = top_k(scores, 1, 1)
        pairs = torch.where(valid, labels * classes + predicted, classes * classes)
        counts = _histogram(pairs.flatten(), classes * classes + 1)[:-1].view(classes, classes)
        self.confusion = counts if p.reset or self.confusion is None else self.confusion + counts
        return [self.scores(self.confusion.double()).to(scores.dtype)]

    @staticmethod
    def scores(confusion: torch.Tensor) -> torch.Tensor:
        """The three values of a matrix (C, C) with ground truth in rows, as (1, 1, 1, 3)."""
        correct, occurs, predicted = confusion.diagonal(), confusion.sum(1), confusion.sum(0)
        union = occurs + predicted - correct
        recall = torch.where(occurs > 0, correct / occurs.clamp(min=1), 0.0)
        return torch.stack(
            [
                correct.sum() / confusion.sum().clamp(min=1),
                recall.sum() / (occurs > 0).sum().clamp(min=1),
                torch.where(correct == union, 1.0, correct / union.clamp(min=1)).mean(),
            ]
        ).view(1, 1, 1, 3)


def _histogram(values: torch.Tensor, size: int) -> torch.Tensor:
    """How often each of 0 … size − 1 occurs; bincount, which is faster, would wait for a device of its own."""
    if not mode.asynchronous():
        return torch.bincount(values, minlength=size)
    zeros = torch.zeros(size, dtype=torch.int64, device=values.device)
    return zeros.scatter_add_(0, values, torch.ones_like(values))


@register("Accuracy")
class Accuracy(TensorLayer):
    """Share of positions whose label is among the `top_k` scores; a second top gives the share for each class.

    As in BVLC Caffe 1.0 a position counts if fewer than top_k other classes score as much or more: ties are wrong.
    """

    bottoms = (2, 2)
    tops = (1, 2)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.at = self.axis(self.param.accuracy_param.axis, len(bottom[0].shape))

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        scores, labels = bottoms
        classes = scores[self.at]
        if self.param.accuracy_param.top_k > classes:
            self.fail(f"top_k is {self.param.accuracy_param.top_k}, more than the {classes} classes")
        if math.prod(labels) * classes != math.prod(scores):
            self.fail(f"{math.prod(labels)} labels {labels} for scores {scores}; wanted one for each position")
        return [(), (classes,)][: max(1, len(self.param.top))]

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        p = self.param.accuracy_param
        scores = bottoms[0].detach().movedim(self.at, -1).flatten(0, -2)
        labels = bottoms[1].detach().reshape(-1).to(torch.int64)
        ignored = [p.ignore_label] if p.HasField("ignore_label") else []
        valid = check_labels(self, labels, scores.shape[1], ignored, bottoms[0].shape[0])
        labels = torch.where(valid, labels, 0)
        own = scores.gather(1, labels.unsqueeze(1))
        hit = (valid & ((scores >= own).sum(1) - 1 < p.top_k)).to(scores.dtype)
        counted = valid.to(scores.dtype)
        accuracy = hit.sum() / valid.sum().clamp(min=1)
        if len(self.param.top) < 2:
            return [accuracy]
        zeros = torch.zeros(scores.shape[1], dtype=scores.dtype, device=scores.device)
        hits, counts = zeros.index_add(0, labels, hit), zeros.index_add(0, labels, counted)
        return [accuracy, hits / counts.clamp(min=1)]
