"""Element-wise functions. Mirrors `absval_layer.cpp`, `bnll_layer.cpp`, `clip_layer.cpp`, `elu_layer.cpp`,
`exp_layer.cpp`, `log_layer.cpp`, `power_layer.cpp`, `prelu_layer.cpp`, `sigmoid_layer.cpp`, `swish_layer.cpp`,
`tanh_layer.cpp`, `threshold_layer.cpp`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from ...arrays import Shape
from ...formats import schema
from ..blob import Blob
from .base import register
from .neuron import NeuronLayer, may_hold_nan


@register("AbsVal")
class AbsVal(NeuronLayer):
    """|x|; the gradient at 0 is 0. Not in place."""

    torch_call = "{0}.abs()"
    onnx_operator = "Abs"

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        return [bottoms[0].abs()]


@register("BNLL")
class BNLL(NeuronLayer):
    """log(1 + exp(x)), the binomial normal log likelihood."""

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        return [F.softplus(bottoms[0], threshold=50)]


@register("Clip")
class Clip(NeuronLayer):
    """max(`min`, min(x, `max`)), `min` at NaN; the gradient passes where min <= x <= max. Both must be stated."""

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        missing = [field for field in ("min", "max") if not self.param.clip_param.HasField(field)]
        if missing:
            self.fail(f"clip_param lacks {' and '.join(missing)}")

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        p, x = self.param.clip_param, bottoms[0]
        y = x.clamp(p.min, p.max)
        return [torch.where(x.isnan(), p.min, y) if may_hold_nan(x) else y]


@register("ELU")
class ELU(NeuronLayer):
    """x where x > 0, else `alpha` · (exp(x) − 1)."""

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        return [F.elu(bottoms[0], self.param.elu_param.alpha)]


@register("Exp")
class Exp(NeuronLayer):
    """base^(shift + scale · x); the default base of −1 stands for e."""

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.log_base = _log_base(self, self.param.exp_param.base)

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        exponent = _linear(bottoms[0], self.param.exp_param)
        return [torch.exp(exponent if self.log_base == 1 else exponent * self.log_base)]


@register("Log")
class Log(NeuronLayer):
    """log to `base` of (shift + scale · x); the default base of −1 means the natural logarithm."""

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        log_base = _log_base(self, self.param.log_param.base)
        if log_base == 0:
            self.fail("base is 1, which has no logarithm")
        self.outer = 1 / log_base

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        y = torch.log(_linear(bottoms[0], self.param.log_param))
        return [y if self.outer == 1 else y * self.outer]


def _log_base(layer: NeuronLayer, base: float) -> float:
    if base == -1:
        return 1.0
    if not 0 < base < math.inf:
        layer.fail(f"base is {base:g}, wanted a positive number, or -1 for e")
    return math.log(base)


def _linear(x: torch.Tensor, p: Any) -> torch.Tensor:
    """shift + scale · x."""
    x = x if p.scale == 1 else x * p.scale
    return x if p.shift == 0 else x + p.shift


class _PowerOf(torch.autograd.Function):
    """t^power with the gradient power · y / t: NaN or infinite at 0, where Caffe's is."""

    @staticmethod
    def forward(ctx: Any, t: torch.Tensor, power: float) -> torch.Tensor:
        y = t.pow(power)
        ctx.save_for_backward(t, y)
        ctx.power = power
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        t, y = ctx.saved_tensors
        return grads[0] * (ctx.power * y / t), None


@register("Power")
class Power(NeuronLayer):
    """(shift + scale · x)^power. Where power · scale = 0 it is a constant without gradient."""

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        p, x = self.param.power_param, bottoms[0]
        if p.power * p.scale == 0:
            # a tensor's power: negative ones of 0 are infinite, not an exception
            value = torch.full((), p.shift, dtype=x.dtype, device=x.device).pow(p.power)
            return [value.expand(x.shape).contiguous()]
        t = _linear(x, p)
        if p.power == 1:
            return [t]
        return [t * t if p.power == 2 else _PowerOf.apply(t, p.power)]


@register("PReLU")
class PReLU(NeuronLayer):
    """max(x, 0) + a · min(x, 0) with a learned slope a for each channel (axis 1), or one with `channel_shared`.

    Blob: slope (C), or () if shared; filler default 0.25. The gradient at 0 is that of the negative side, and 0 at NaN.
    """

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p, shape = self.param.prelu_param, bottom[0].shape
        if len(shape) < 2:
            self.fail(f"bottom {shape} has no channel axis, wanted 2 axes or more")
        filler = p.filler if p.HasField("filler") else schema.FillerParameter(value=0.25)
        self.add_param(0, () if p.channel_shared else shape[1:2], filler)

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        slopes = self.blobs[0].shape
        if slopes and bottoms[0][1:2] != slopes:
            self.fail(f"bottom {bottoms[0]} does not fit the slopes of {slopes[0]} channels")
        return [bottoms[0]]

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        x = bottoms[0]
        return [F.prelu(torch.where(x.isnan(), x.detach(), x) if may_hold_nan(x) else x, params[0])]


@register("Sigmoid")
class Sigmoid(NeuronLayer):
    """1 / (1 + exp(−x))."""

    torch_call = "torch.sigmoid({0})"
    onnx_operator = "Sigmoid"

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        return [torch.sigmoid(bottoms[0])]


class _Gated(NeuronLayer):
    """The bottom times a gate, a function of the bottom with values from 0 to 1."""

    def multiply_adds(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> int:
        return math.prod(tops[0])


@register("Swish")
class Swish(_Gated):
    """x · sigmoid(`beta` · x)."""

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        x, beta = bottoms[0], self.param.swish_param.beta
        return [F.silu(x) if beta == 1 else x * torch.sigmoid(x * beta)]


@register("HardSwish")
class HardSwish(_Gated):
    """x · min(max(x + 3, 0), 6) / 6.

    Howard et al., Searching for MobileNetV3, ICCV 2019. No Caffe has it.
    """

    torch_call = "F.hardswish({0})"
    onnx_operator = "HardSwish"

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        return [F.hardswish(bottoms[0])]


@register("Mish")
class Mish(_Gated):
    """x · tanh(log(1 + exp(x))).

    Misra, Mish, BMVC 2020; of the Caffes of YOLO v4.
    """

    torch_call = "F.mish({0})"

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        return [F.mish(bottoms[0])]


@register("TanH")
class TanH(NeuronLayer):
    """tanh(x)."""

    torch_call = "torch.tanh({0})"
    onnx_operator = "Tanh"

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        return [torch.tanh(bottoms[0])]


@register("ReLU6")
class ReLU6(NeuronLayer):
    """min(max(x, 0), 6); the gradient passes where 0 < x < 6. Of the Caffes of MobileNet."""

    torch_call = "F.relu6({0})"

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        return [F.relu6(bottoms[0])]


@register("Threshold")
class Threshold(NeuronLayer):
    """1 where x > `threshold`, else 0. It has no gradient."""

    no_gradient = (0,)

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        x = bottoms[0].detach()
        return [(x > self.param.threshold_param.threshold).to(x.dtype)]
