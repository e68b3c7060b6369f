"""Element-wise layers. Mirrors `relu_layer.cpp`, `dropout_layer.cpp`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from ...arrays import Shape
from ...formats import schema
from .. import mode
from ..blob import Blob
from .base import TensorLayer, register


class NeuronLayer(TensorLayer):
    """One bottom, one top of the same shape; may work in place."""

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        return [bottoms[0]]


@register("ReLU")
class ReLU(NeuronLayer):
    """max(x, 0) + negative_slope · min(x, 0); the gradient at 0 is that of the negative side, and 0 at NaN.

    In place it writes over its bottom where it may, and over the top's diff: the signs that its gradient needs are
    those of the result as well, unless the slope is negative.
    """

    any_precision = True

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if not self._over(bottom, top):
            super().forward(bottom, top)
            return
        slope, values = self.param.relu_param.negative_slope, bottom[0].data_tensor()
        F.leaky_relu_(values, slope) if slope else values.relu_()

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not self._over(bottom, top):
            super().backward(top, propagate_down, bottom)
        elif propagate_down[0]:
            slope, values = self.param.relu_param.negative_slope, bottom[0].data_tensor()
            _relu_gradient(top[0].diff_tensor(), values, slope, over=True)

    def kept_bytes(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> int:
        return 0 if self._over(bottom, top) else super().kept_bytes(bottom, top)

    def _over(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> bool:
        return self.overwrites and self.param.relu_param.negative_slope >= 0

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        return [_RectifiedLinear.apply(bottoms[0], self.param.relu_param.negative_slope)]


class _RectifiedLinear(torch.autograd.Function):
    """ReLU's values, and Caffe's gradient: PyTorch's lets the gradient through where the value is NaN."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, slope: float) -> torch.Tensor:
        y = F.leaky_relu(x, slope) if slope else F.relu(x)
        ctx.slope = slope
        ctx.save_for_backward(x if slope else y)
        return y

    @staticmethod
    def backward(ctx: Any, diff: torch.Tensor) -> tuple[torch.Tensor, None]:
        (values,) = ctx.saved_tensors
        return _relu_gradient(diff, values, ctx.slope), None


def _relu_gradient(diff: torch.Tensor, values: torch.Tensor, slope: float, over: bool = False) -> torch.Tensor:
    """diff · ((x > 0) + slope · (x ≤ 0)), which is 0 at NaN; `over`: it replaces diff. values: x or the result."""
    gradient = torch.ops.aten.leaky_relu_backward
    if over:
        gradient = gradient.grad_input(diff, values, slope, True, grad_input=diff)
    else:
        gradient = gradient(diff, values, slope, False)
    if slope and may_hold_nan(values):
        gradient.masked_fill_(values.isnan(), 0)
    return gradient


def may_hold_nan(x: torch.Tensor) -> bool:
    """Whether a tensor's sum is NaN; on CUDA always true, because asking would wait for the device."""
    return mode.asynchronous() or bool(x.sum().isnan())


@register("Dropout")
class Dropout(NeuronLayer):
    """TRAIN: each element is zeroed with probability `dropout_ratio`, the others divided by 1 − ratio. TEST: copy."""

    stateful = True
    any_precision = True

    @property
    def ratio(self) -> float:
        """The probability that an element is zeroed."""
        return float(self.param.dropout_param.dropout_ratio)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if not 0 <= self.ratio < 1:
            self.fail(f"dropout_ratio is {self.ratio:g}, wanted 0 <= ratio < 1")

    def kept_beside(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> int:
        """The mask."""
        return 4 * top[0].count if self.phase == schema.TRAIN else 0

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        x, ratio = bottoms[0], self.ratio
        if self.phase == schema.TEST or ratio == 0:
            return [x]
        return [x * (_keep(self.drawn_for(x), ratio) / (1 - ratio))]

    def drawn_for(self, x: torch.Tensor) -> torch.Tensor:
        """A tensor in the shape of the draws: one for each element of x."""
        return x


@register("SpatialDropout")
class SpatialDropout(Dropout):
    """Dropout of whole maps: one draw for each channel of each item (N, C, …). Of ENet's Caffe."""

    @property
    def ratio(self) -> float:
        """The probability that a map is zeroed."""
        return float(self.param.spatial_dropout_param.dropout_ratio)

    def kept_beside(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> int:
        """The mask, of one value for each map."""
        return 4 * math.prod(top[0].shape[:2]) if self.phase == schema.TRAIN else 0

    def drawn_for(self, x: torch.Tensor) -> torch.Tensor:
        """(N, C, 1, …)"""
        return x.new_empty((*x.shape[:2], *(1 for _ in x.shape[2:])))


def _keep(x: torch.Tensor, ratio: float) -> torch.Tensor:
    """Ones with probability 1 − ratio, else zeros, in the shape and layout of x."""
    random = mode.generator(x.device)
    if x.device.type != "cpu":
        return torch.empty_like(x, requires_grad=False).bernoulli_(1 - ratio, generator=random)
    # Four 16-bit lanes of each 64-bit draw: a third of the time of one draw for each element.
    draws = torch.empty((x.numel() + 3) // 4, dtype=torch.int64).random_(-(2**63), None, generator=random)
    lanes = draws.view(torch.int16)[: x.numel()]
    kept = (lanes >= round(ratio * 65536) - 32768).to(x.dtype)
    return torch.empty_like(x, requires_grad=False).copy_(kept.view(x.shape))
