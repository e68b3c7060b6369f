"""Losses of classes and of independent labels. Mirrors `hinge_loss_layer.cpp`, `infogain_loss_layer.cpp`,
`multinomial_logistic_loss_layer.cpp`, `sigmoid_cross_entropy_loss_layer.cpp`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from ...arrays import Shape
from ...formats import schema
from ..blob import Blob
from .base import LossLayer, register
from .label_check import check_labels
from .loss import normalizer

_BATCH_SIZE = 2
_L2 = 2
#: what probabilities are raised to before their logarithm is taken (kLOG_THRESHOLD)
_LEAST = 1e-20


class _ItemLoss(LossLayer):
    """A loss of items (N, D…), each with one label of its own, 0 to D − 1."""

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        self.check_items(*bottoms)
        scores, labels = bottoms
        if not scores or math.prod(labels) != scores[0]:
            self.fail(f"{math.prod(labels)} labels {labels} for bottom {scores}; wanted one for each item (axis 0)")
        return [()]

    def items(self, bottoms: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """The scores as (N, D), the labels as (N, 1)."""
        scores = bottoms[0].flatten(1) if bottoms[0].dim() > 1 else bottoms[0].unsqueeze(1)
        labels = bottoms[1].detach().reshape(-1, 1).to(torch.int64)
        valid = check_labels(self, labels, scores.shape[1], [], scores.shape[0])
        return scores, torch.where(valid, labels, 0)


@register("HingeLoss")
class HingeLoss(_ItemLoss):
    """Σ max(0, 1 ± s) / N, minus at an item's label and plus elsewhere; with `norm` L2 the sum of squares."""

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        scores, labels = self.items(bottoms)
        sign = torch.ones_like(scores, requires_grad=False).scatter_(1, labels, -1.0)
        margins = F.relu(1 + sign * scores)
        if self.param.hinge_loss_param.norm == _L2:
            margins = margins * margins
        return [margins.sum() / scores.shape[0]]


class _AtLeast(torch.autograd.Function):
    """max(x, least) with the gradient of x itself, also where it was raised."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, least: float) -> torch.Tensor:
        return x.clamp(min=least)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        return grads[0], None


@register("MultinomialLogisticLoss")
class MultinomialLogisticLoss(_ItemLoss):
    """Σ −log max(p[label], 1e-20) / N of probabilities (N, D…)."""

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        prob, labels = self.items(bottoms)
        return [-_AtLeast.apply(prob.gather(1, labels), _LEAST).log().sum() / prob.shape[0]]


@register("SigmoidCrossEntropyLoss")
class SigmoidCrossEntropyLoss(LossLayer):
    """Σ −[t log σ(x) + (1 − t) log(1 − σ(x))] / Z of scores x and as many targets t, by default Z = N.

    Targets are any real numbers; one that is `ignore_label` when truncated counts neither in the loss nor in Z.
    """

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        self.check_items(*bottoms)
        if math.prod(bottoms[0]) != math.prod(bottoms[1]):
            self.fail(f"scores {bottoms[0]} and targets {bottoms[1]} differ in the number of elements")
        return [()]

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        p, x = self.param.loss_param, bottoms[0].flatten()
        target = bottoms[1].detach().flatten()
        outer = (*bottoms[0].shape, 1)[0]
        valid: torch.Tensor | int = x.numel()
        losses = F.binary_cross_entropy_with_logits(x, target, reduction="none")
        if p.HasField("ignore_label"):
            kept = target.to(torch.int64) != p.ignore_label
            losses, valid = torch.where(kept, losses, 0.0), kept.sum()
        total = losses.sum()
        return [total / normalizer(p, outer, bottoms[0].numel() // max(outer, 1), valid, _BATCH_SIZE)]


class _Infogain(torch.autograd.Function):
    """Σ −H[label, l] log max(p_l, 1e-20) / Z; gradient (p · ΣH[label] − H[label]) / Z also where p was raised."""

    @staticmethod
    def forward(ctx: Any, scores: torch.Tensor, rows: torch.Tensor, z: Any) -> Any:
        prob = torch.softmax(scores, 1)
        ctx.save_for_backward(prob, rows)
        ctx.z = z
        ctx.mark_non_differentiable(prob)
        return -(rows * prob.clamp(min=_LEAST).log()).sum() / z, prob

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        prob, rows = ctx.saved_tensors
        return (prob * rows.sum(1, keepdim=True) - rows) * (grads[0] / ctx.z), None, None


@register("InfogainLoss")
class InfogainLoss(LossLayer):
    """Cross-entropy with a weight H[label, l] for each pair of classes; tops: loss, and optionally probabilities.

    Bottoms: scores (…, L, …) with the classes at `axis`, labels, one per position, and H with L² elements, which
    may come from the BlobProto file `source` instead. As in BVLC Caffe 1.0 the softmax is taken here; the forks on
    1.0-rc3 and before wanted probabilities.
    """

    bottoms = (2, 3)
    tops = (1, 2)
    no_gradient = (1, 2)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.param.infogain_loss_param
        if self.param.loss_param.HasField("normalize"):
            self.fail("does not support 'normalize'; state normalization: VALID, FULL, BATCH_SIZE or NONE")
        self.at = self.axis(p.axis, len(bottom[0].shape))
        self._stored: torch.Tensor | None = None
        if len(bottom) < 3:
            if not p.source:
                self.fail("has no matrix H: give a third bottom, or infogain_loss_param { source: … }")
            self._stored = self._read(p.source)

    def _read(self, source: str) -> torch.Tensor:
        with self.reading(source, "the matrix H (a BlobProto), source:"):
            proto = schema.BlobProto.FromString(Path(source).read_bytes())
        matrix = torch.tensor(proto.double_data or proto.data, dtype=torch.float64)
        if not matrix.isfinite().all():
            self.fail(f"the matrix H, source: '{source}', has values that are not finite")
        return matrix

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        scores, labels = bottoms[:2]
        self.check_items(scores, labels)
        classes = scores[self.at]
        if math.prod(labels) * classes != math.prod(scores):
            self.fail(f"{math.prod(labels)} labels {labels} for scores {scores}; wanted one for each position")
        count = math.prod(bottoms[2]) if self._stored is None else self._stored.numel()
        if count != classes**2:
            self.fail(f"the matrix H has {count} elements, wanted {classes} × {classes}")
        return [(), scores] if len(self.param.top) > 1 else [()]

    def kept_beside(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> int:
        """The probabilities."""
        return 4 * bottom[0].count

    def shapes_without_data(
        self, bottoms: Sequence[Shape], tops: int, image: tuple[int, int] | None
    ) -> list[Shape] | None:
        """Without its third bottom the matrix is in a file."""
        return [(), bottoms[0]][:tops] if len(bottoms) == 2 else None

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        p, shape = self.param.loss_param, bottoms[0].shape
        outer, classes, inner = math.prod(shape[: self.at]), shape[self.at], math.prod(shape[self.at + 1 :])
        scores = bottoms[0].reshape(outer, classes, inner)
        labels = bottoms[1].detach().reshape(outer, inner).to(torch.int64)
        ignored = [p.ignore_label] if p.HasField("ignore_label") else []
        valid = check_labels(self, labels, classes, ignored, shape[0])
        matrix = bottoms[2].detach() if self._stored is None else self._stored.to(scores)
        rows = matrix.reshape(classes, classes)[torch.where(valid, labels, 0)].movedim(-1, 1) * valid.unsqueeze(1)
        loss, prob = _Infogain.apply(scores, rows, normalizer(p, outer, inner, valid.sum()))
        return [loss, prob.reshape(shape)] if len(self.param.top) > 1 else [loss]
