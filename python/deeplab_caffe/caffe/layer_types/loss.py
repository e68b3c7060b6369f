"""Softmax and losses. Mirrors `softmax_layer.cpp`, `softmax_loss_layer.cpp`, `euclidean_loss_layer.cpp`,
`contrastive_loss_layer.cpp`, and Fast R-CNN's `smooth_L1_loss_layer.cu`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from ...arrays import Shape
from ..blob import Blob
from .base import LossLayer, TensorLayer, register
from .label_check import check_labels

_FULL, _VALID, _BATCH_SIZE, _NONE = 0, 1, 2, 3
_FLT_MIN = 1.17549435e-38


@register("Softmax")
class Softmax(TensorLayer):
    """exp(x) / Σ exp(x) along `axis` (default 1)."""

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.at = self.axis(self.param.softmax_param.axis, len(bottom[0].shape))

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        return [bottoms[0]]

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        return [torch.softmax(bottoms[0], self.at)]


def normalizer(param: Any, outer: int, inner: int, valid: torch.Tensor | int, default: int = _VALID) -> Any:
    """The Z that a loss is divided by, at least 1: by loss_param's `normalization`, or the legacy `normalize`."""
    chosen = default
    if param.HasField("normalization"):
        chosen = param.normalization
    elif param.HasField("normalize"):
        chosen = _VALID if param.normalize else _BATCH_SIZE
    if chosen == _VALID:
        return valid.clamp(min=1) if isinstance(valid, torch.Tensor) else max(valid, 1)
    return max({_FULL: outer * inner, _BATCH_SIZE: outer, _NONE: 1}[chosen], 1)


class _SoftmaxLoss(torch.autograd.Function):
    """Σ −log max(p[label], FLT_MIN) / Z; the gradient is (p − onehot) / Z also where the logarithm was cut."""

    @staticmethod
    def forward(ctx: Any, scores: torch.Tensor, labels: torch.Tensor, valid: torch.Tensor, z: Any) -> Any:
        prob = torch.softmax(scores, 1)
        target = torch.where(valid, labels, 0)
        picked = prob.gather(1, target.unsqueeze(1)).squeeze(1)
        losses = -torch.log(picked.clamp(min=_FLT_MIN))
        ctx.save_for_backward(prob, target, valid)
        ctx.z = z
        ctx.mark_non_differentiable(prob)
        return torch.where(valid, losses, 0.0).sum() / z, prob

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        prob, target, valid = ctx.saved_tensors
        result = prob.clone()
        result.scatter_add_(1, target.unsqueeze(1), torch.full_like(prob[:, :1], -1.0))
        return result * (valid.unsqueeze(1) * (grads[0] / ctx.z)), None, None, None


@register("SoftmaxWithLoss")
class SoftmaxWithLoss(LossLayer):
    """Cross-entropy of scores (…, C, …) and labels, one per position; tops: loss, and optionally the probabilities.

    Labels are truncated to integers; `ignore_label` counts neither in the loss nor in Z. Any other label outside
    [0, C) raises LabelError. Unlike C++ Caffe, which cannot set it up, a second top is accepted.
    """

    tops = (1, 2)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.at = self.axis(self.param.softmax_param.axis, len(bottom[0].shape))

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        scores, labels = bottoms
        self.check_items(*bottoms)
        wanted = math.prod(scores) // scores[self.at] if scores[self.at] else 0
        if math.prod(labels) != wanted:
            self.fail(
                f"{math.prod(labels)} labels {labels} for {wanted} positions of scores {scores}; wanted one label for "
                f"each position outside the class axis {self.at}: "
                f"{(*scores[: self.at], 1, *scores[self.at + 1 :])}"
            )
        return [(), scores] if len(self.param.top) > 1 else [()]

    def kept_beside(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> int:
        """The probabilities, the labels as int64, and which of them count."""
        return 4 * bottom[0].count + 9 * bottom[1].count

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        scores, shape = bottoms[0], bottoms[0].shape
        outer, inner = math.prod(shape[: self.at]), math.prod(shape[self.at + 1 :])
        labels = bottoms[1].detach().reshape(outer, inner).to(torch.int64)
        loss_param = self.param.loss_param
        ignore = loss_param.ignore_label if loss_param.HasField("ignore_label") else None
        valid = check_labels(self, labels, shape[self.at], [] if ignore is None else [ignore], shape[0])
        z = normalizer(loss_param, outer, inner, valid.sum())
        loss, prob = _SoftmaxLoss.apply(scores.reshape(outer, shape[self.at], inner), labels, valid, z)
        return [loss, prob.view(shape)] if len(self.param.top) > 1 else [loss]


@register("EuclideanLoss")
class EuclideanLoss(LossLayer):
    """Σ (a − b)² / (2 N), N the number of items; both bottoms may get a gradient."""

    no_gradient = ()

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        self.check_items(*bottoms)
        if math.prod(bottoms[0]) != math.prod(bottoms[1]):
            self.fail(f"bottoms {bottoms[0]} and {bottoms[1]} differ in the number of elements")
        return [()]

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        difference = bottoms[0].flatten() - bottoms[1].flatten()
        return [difference.dot(difference) / (2 * bottoms[0].shape[0])]


@register("SmoothL1Loss")
class SmoothL1Loss(LossLayer):
    """Σ w_out · f(w_in · (a − b)) / N; f(x) is (σx)² / 2 where |x| < 1 / σ², else |x| − 1 / (2 σ²).

    Bottoms: a, b and, all of one shape, optional weights w_in and w_out; N the number of items of a. a and b may get a
    gradient. Mirrors `smooth_L1_loss_layer.cu` of Fast R-CNN.
    """

    bottoms = (2, 4)
    no_gradient = (2, 3)

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        if any(shape != bottoms[0] for shape in bottoms):
            self.fail(f"bottoms of different shapes: {', '.join(map(str, bottoms))}")
        return [()]

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        square = self.param.smooth_l1_loss_param.sigma ** 2
        x = bottoms[0] - bottoms[1]
        if len(bottoms) > 2:
            x = x * bottoms[2].detach()
        size = x.abs()
        terms = torch.where(size < 1 / square, x * x * (square / 2), size - 0.5 / square)
        if len(bottoms) > 3:
            terms = terms * bottoms[3].detach()
        return [terms.sum() / max(bottoms[0].shape[0], 1)]


class _ContrastiveSum(torch.autograd.Function):
    """Σ over pairs of ‖d‖², or where not similar max(margin − ‖d‖, 0)² (legacy: max(margin − ‖d‖², 0)), halved.

    d (N, C), similar (N). The gradient divides by ‖d‖ + 1e-4.
    """

    @staticmethod
    def forward(ctx: Any, d: torch.Tensor, similar: torch.Tensor, margin: float, legacy: bool) -> torch.Tensor:
        squared = (d * d).sum(1)
        inside = (margin - (squared if legacy else squared.sqrt())).clamp(min=0)
        ctx.save_for_backward(d, similar, inside, squared)
        ctx.legacy = legacy
        return torch.where(similar, squared, inside if legacy else inside * inside).sum() / 2

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        d, similar, inside, squared = ctx.saved_tensors
        apart = (inside > 0).to(d.dtype) if ctx.legacy else inside / (squared.sqrt() + 1e-4)
        return d * torch.where(similar, grads[0], -grads[0] * apart).unsqueeze(1), None, None, None


@register("ContrastiveLoss")
class ContrastiveLoss(LossLayer):
    """Of pairs (a, b) the squared distance where similar, else the square of what it is below `margin`; halved, / N.

    Bottoms a and b (N, C) or (N, C, 1, 1), and one number for each pair: 0 (truncated) is dissimilar.
    """

    bottoms = (3, 3)
    no_gradient = (2,)

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        a, b, similar = bottoms
        if len(a) < 2 or a != b or math.prod(a[2:]) != 1:
            self.fail(f"bottoms {a} and {b}, wanted both (N, C) or (N, C, 1, 1)")
        if math.prod(similar) != a[0]:
            self.fail(f"bottom {similar} has {math.prod(similar)} elements, wanted one for each of {a[0]} pairs")
        return [()]

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        p = self.param.contrastive_loss_param
        similar = bottoms[2].detach().reshape(-1).to(torch.int64) != 0
        difference = bottoms[0].flatten(1) - bottoms[1].flatten(1)
        total = _ContrastiveSum.apply(difference, similar, p.margin, p.legacy_version)
        return [total / bottoms[0].shape[0]]
