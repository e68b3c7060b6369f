"""Normalization by neighbours and by means. Mirrors `lrn_layer.cpp`, `mvn_layer.cpp`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from ...arrays import Shape
from ..blob import Blob
from .base import TensorLayer, register
from .reach import Reaches, WindowReach

_WITHIN_CHANNEL = 1


@register("LRN")
class LRN(TensorLayer):
    """x / (k + alpha · m)^beta, m the mean of x² over `local_size` channels or, WITHIN_CHANNEL, positions.

    (N, C, H, W), padded with zeros that count in the mean; within a channel k is 1. Not in place.
    """

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if self.param.lrn_param.local_size % 2 == 0:
            self.fail(f"local_size is {self.param.lrn_param.local_size}, wanted an odd number")

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        if len(bottoms[0]) != 4:
            self.fail(f"bottom {bottoms[0]} has {len(bottoms[0])} axes, wanted 4 (N, C, H, W)")
        return [bottoms[0]]

    def multiply_adds(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> int:
        """One for each element of a window."""
        p = self.param.lrn_param
        return math.prod(tops[0]) * p.local_size ** (2 if p.norm_region == _WITHIN_CHANNEL else 1)

    def kept_beside(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> int:
        """Three maps: squares, their sums, and powers of these."""
        return 3 * 4 * top[0].count

    def window_reach(self, top: int, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Reaches | None:
        p = self.param.lrn_param
        if p.norm_region != _WITHIN_CHANNEL:
            return None
        window = WindowReach(p.local_size, 1, p.local_size // 2)
        return window, window

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        x, p = bottoms[0], self.param.lrn_param
        size = p.local_size
        if p.norm_region == _WITHIN_CHANNEL:
            return [x * (1 + p.alpha * F.avg_pool2d(x * x, size, 1, size // 2)) ** -p.beta]
        return [F.local_response_norm(x, size, p.alpha, p.beta, p.k)]


class _Standardized(torch.autograd.Function):
    """(x − mean) / (σ + eps) over the last axis. Caffe's gradient takes σ + eps for the derivative of σ, too."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, eps: float) -> torch.Tensor:
        centred = x - x.mean(-1, keepdim=True)
        deviation = (centred * centred).mean(-1, keepdim=True).sqrt() + eps
        y = centred / deviation
        ctx.save_for_backward(y, deviation)
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        y, deviation = ctx.saved_tensors
        dy = grads[0]
        return (dy - dy.mean(-1, keepdim=True) - y * (dy * y).mean(-1, keepdim=True)) / deviation, None


@register("MVN")
class MVN(TensorLayer):
    """(x − mean) / (σ + eps) of each channel, or of each item with `across_channels`; σ² is biased.

    At most 4 axes, read as (N, C, H, W), which is the top's shape. Without `normalize_variance` only the mean goes.
    """

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        if len(bottoms[0]) > 4:
            self.fail(f"bottom {bottoms[0]} has {len(bottoms[0])} axes, wanted at most 4 (N, C, H, W)")
        return [(*bottoms[0], 1, 1, 1, 1)[:4]]

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        x, p = bottoms[0], self.param.mvn_param
        shape = self.top_shapes(tuple(x.shape))[0]
        flat = x.reshape(shape).flatten(1 if p.across_channels else 2)
        y = _Standardized.apply(flat, p.eps) if p.normalize_variance else flat - flat.mean(-1, keepdim=True)
        return [y.reshape(shape)]
