"""Batch normalization, scale and bias. Mirrors `batch_norm_layer.cpp`, `scale_layer.cpp`, `bias_layer.cpp`,
and `normalize_layer.cpp` of SSD."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from ...arrays import Shape
from ...formats import schema
from ..blob import Blob
from .base import TensorLayer, register
from .reach import SAME_PLACE, Reaches, WholeReach, plane


@register("BatchNorm")
class BatchNorm(TensorLayer):
    """(x − mean) / √(variance + eps) per channel, without a learned scale (use Scale).

    Blobs: mean (C), variance (C), factor (1); the true statistics are mean / factor and variance / factor, and a
    factor of 0 makes both 0. By default batch statistics in TRAIN (which update the blobs in every forward) and
    the stored ones in TEST.
    """

    stateful = True
    any_precision = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.param.batch_norm_param
        self.stored = p.use_global_stats if p.HasField("use_global_stats") else self.phase == schema.TEST
        if len(bottom[0].shape) < 2:
            self.fail(f"bottom {bottom[0].shape} has no channel axis")
        if not p.eps >= 0:
            self.fail(f"eps is {p.eps:g}, wanted 0 or more")
        self.channels = bottom[0].shape[1]
        zero = schema.FillerParameter()
        for i, size in enumerate((self.channels, self.channels, 1)):
            self.add_param(i, (size,), zero)
        self._fix_learning_rates()

    def _fix_learning_rates(self) -> None:
        """The statistics are not learned: lr_mult 0, stated or not."""
        for i in range(3):
            if i == len(self.param.param):
                self.param.param.add(lr_mult=0)
            elif self.param.param[i].lr_mult != 0:
                self.fail("the statistics are not learned by gradient: state lr_mult: 0, or no param at all")

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        if bottoms[0][1] != self.channels:
            self.fail(f"bottom {bottoms[0]} has {bottoms[0][1]} channels, the statistics are for {self.channels}")
        return [bottoms[0]]

    def multiply_adds(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> int:
        return sum(map(math.prod, tops))

    @property
    def is_affine(self) -> bool:
        return self.stored

    def factor_and_shift(self, *params: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mean, variance, count = params
        share = torch.where(count == 0, 0.0, 1 / torch.where(count == 0, 1.0, count))
        return standardised(mean * share, variance * share, self.param.batch_norm_param.eps)

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        # PyTorch requires an eps above 0; one below any variance changes nothing.
        x, eps = bottoms[0], max(self.param.batch_norm_param.eps, 1e-38)
        mean, variance, factor = (p.detach() for p in params)
        if self.stored:
            scale = torch.where(factor == 0, 0.0, 1 / torch.where(factor == 0, 1.0, factor))
            return [F.batch_norm(x, mean * scale, variance * scale, eps=eps)]
        batch_mean, batch_variance = torch.zeros_like(mean), torch.zeros_like(variance)
        if x.numel() == 0:
            return [x]
        if x.numel() > self.channels:
            # momentum 1 puts the batch's mean and unbiased variance into the two buffers
            y = F.batch_norm(x, batch_mean, batch_variance, training=True, momentum=1, eps=eps)
        else:
            y = x - x  # one value for each channel is its own mean: output and gradient are 0
            batch_mean = x.detach().reshape(-1)
        keep = self.param.batch_norm_param.moving_average_fraction
        with torch.no_grad():
            mean.mul_(keep).add_(batch_mean)
            variance.mul_(keep).add_(batch_variance)
            factor.mul_(keep).add_(1)
        return [y]


@register("Scale")
class Scale(TensorLayer):
    """y = x · s (+ b), s and b spanning the axes [axis, axis + num_axes) of x.

    With one bottom s is blob 0 (filler default 1) and b blob 1; with two, s is the second bottom and b blob 0.
    """

    bottoms = (1, 2)
    any_precision = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.param.scale_param
        shape = bottom[0].shape
        if len(bottom) == 1:
            self.at = self.axis(p.axis, len(shape))
            span = span_of(self, shape, self.at, p.num_axes)
            self.add_param(0, span, default_filler(p, 1.0))
        else:
            span = bottom[1].shape
            self.at = self.axis(p.axis, len(shape)) if span else 0
        if p.bias_term:
            self.add_param(len(bottom) % 2, span, p.bias_filler)

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        span = bottoms[1] if len(bottoms) == 2 else self.blobs[0].shape
        if bottoms[0][self.at : self.at + len(span)] != span:
            self.fail(f"a scale of shape {span} does not fit bottom {bottoms[0]} at axis {self.at}")
        return [bottoms[0]]

    def multiply_adds(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> int:
        return sum(map(math.prod, tops))

    @property
    def is_affine(self) -> bool:
        return is_by_channel(self)

    def factor_and_shift(self, *params: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        scale, *bias = params
        return scale, bias[0] if bias else torch.zeros_like(scale)

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        x = bottoms[0]
        scale, *bias = params if len(bottoms) == 1 else [bottoms[1], *params]
        if self.at == 1 and scale.dim() == 1 and x.dim() > 1:
            # One fused pass: normalization by mean 0 and variance 1.
            zero, one = torch.zeros_like(scale.detach()), torch.ones_like(scale.detach())
            return [F.batch_norm(x, zero, one, scale, bias[0] if bias else None, eps=0.0)]
        y = x * spread(scale, x.dim(), self.at)
        return [y + spread(bias[0], x.dim(), self.at) if bias else y]


@register("Bias")
class Bias(TensorLayer):
    """y = x + b, b spanning the axes [axis, axis + num_axes) of x: blob 0 (filler default 0) or the second bottom."""

    bottoms = (1, 2)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p, shape = self.param.bias_param, bottom[0].shape
        span = bottom[-1].shape
        self.at = self.axis(p.axis, len(shape)) if span else 0
        if len(bottom) == 1:
            self.add_param(0, span_of(self, shape, self.at, p.num_axes), p.filler)

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        span = bottoms[1] if len(bottoms) == 2 else self.blobs[0].shape
        if bottoms[0][self.at : self.at + len(span)] != span:
            self.fail(f"a bias of shape {span} does not fit bottom {bottoms[0]} at axis {self.at}")
        return [bottoms[0]]

    @property
    def is_affine(self) -> bool:
        return is_by_channel(self)

    def factor_and_shift(self, *params: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        (bias,) = params
        return torch.ones_like(bias), bias

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        x, bias = (*bottoms, *params)
        return [x + spread(bias, x.dim(), self.at)]


@register("Normalize")
class Normalize(TensorLayer):
    """x / √(Σ x² + eps) times a learned scale, the sum being over an item's channels, at each position or (by default)
    over all positions (`across_spatial`).

    Blob: scale (C), or () with `channel_shared` (the default); filler default 1. Mirrors `normalize_layer.cpp` of SSD.
    """

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p, shape = self.param.norm_param, bottom[0].shape
        if len(shape) < 2:
            self.fail(f"bottom {shape} has no channel axis, wanted 2 axes or more")
        filler = p.scale_filler if p.HasField("scale_filler") else schema.FillerParameter(value=1)
        self.add_param(0, () if p.channel_shared else shape[1:2], filler)

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        if self.blobs[0].shape and bottoms[0][1:2] != self.blobs[0].shape:
            self.fail(f"bottom {bottoms[0]} does not fit the scales of {self.blobs[0].shape[0]} channels")
        return [bottoms[0]]

    def multiply_adds(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> int:
        return 2 * math.prod(tops[0])

    def reach(self, bottom: int, top: int, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Reaches | None:
        if not self.param.norm_param.across_spatial:
            return SAME_PLACE, SAME_PLACE
        height, width = plane(bottoms[0])
        return WholeReach(height), WholeReach(width)

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        p, x = self.param.norm_param, bottoms[0]
        axes = tuple(range(1, x.dim())) if p.across_spatial else (1,)
        y = x / ((x * x).sum(axes, keepdim=True) + p.eps).sqrt()
        return [y * spread(params[0], x.dim(), 1) if params[0].dim() else y * params[0]]


def is_by_channel(layer: Scale | Bias) -> bool:
    """Whether a layer has one value for each channel of axis 1."""
    return layer.at == 1 and all(len(b.shape) == 1 for b in layer.blobs)


def standardised(mean: torch.Tensor, variance: torch.Tensor, eps: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Factor and shift that make a mean 0 and a variance 1."""
    factor = 1 / torch.sqrt(variance + max(eps, 1e-38))
    return factor, -mean * factor


def span_of(layer: TensorLayer, shape: Shape, at: int, num_axes: int) -> Shape:
    """The sizes [at, at + num_axes) of a shape; −1 means all remaining."""
    if num_axes < -1 or num_axes > len(shape) - at:
        layer.fail(f"num_axes {num_axes} from axis {at} reaches past the end of bottom {shape}")
    return shape[at:] if num_axes == -1 else shape[at : at + num_axes]


def default_filler(param: Any, value: float) -> Any:
    """The stated filler, or a constant."""
    return param.filler if param.HasField("filler") else schema.FillerParameter(value=value)


def spread(vector: torch.Tensor, dims: int, at: int) -> torch.Tensor:
    """A tensor that broadcasts over a bottom of `dims` axes, its own axes standing at `at`."""
    return vector.reshape((1,) * at + tuple(vector.shape) + (1,) * (dims - at - vector.dim()))
