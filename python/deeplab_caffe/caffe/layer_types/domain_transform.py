"""The domain transform: an edge-preserving recursive filter. Mirrors `domain_transform_layer.cpp` of DeepLab v2."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch

from ...arrays import Shape
from ..blob import Blob
from .base import TensorLayer, register
from .gradientless import SilentLayer

#: the four passes of an iteration: the axis that the recursion runs along, and whether from its end
_PASSES = ((3, False), (3, True), (2, False), (2, True))


class _Setting(NamedTuple):
    num_iter: int
    spatial_sigma: float
    range_sigma: float
    #: None for weights that are not clipped
    min_weight: float | None

    def decay(self, i: int) -> float:
        """√2 / σ_i."""
        k = self.num_iter
        return math.sqrt(2) / (self.spatial_sigma * math.sqrt(3) * 2 ** (k - (i + 1)) / math.sqrt(4**k - 1))

    @property
    def ratio(self) -> float:
        return self.spatial_sigma / self.range_sigma


def _weights(edge: torch.Tensor, inside: torch.Tensor, setting: _Setting, i: int) -> torch.Tensor:
    """(N, 1, H, W): how much of its neighbour a pixel takes in iteration i; 0 outside the effective window."""
    weights = torch.exp(-setting.decay(i) * (1 + edge * setting.ratio))
    if setting.min_weight is not None:
        weights = weights.clamp(setting.min_weight, 1)
    return torch.where(inside, weights, 0.0)


def _run(y: torch.Tensor, weights: torch.Tensor, axis: int, from_end: bool) -> torch.Tensor:
    """One pass: y(p) += W (y(neighbour) − y(p)) along an axis; W is that of the later of the two pixels."""
    # The recursion's axis first, so that every step works on contiguous memory.
    lines = y.movedim(axis, 0).contiguous()
    steps = weights.movedim(axis, 0).contiguous()
    lines = lines.clone() if lines.data_ptr() == y.data_ptr() else lines
    count = lines.shape[0]
    if from_end:
        for p in range(count - 2, -1, -1):
            lines[p].lerp_(lines[p + 1], steps[p + 1])
    else:
        for p in range(1, count):
            lines[p].lerp_(lines[p - 1], steps[p])
    return lines.movedim(0, axis)


def _run_back(d: torch.Tensor, weights: torch.Tensor, axis: int, from_end: bool) -> torch.Tensor:
    """The diffs of a pass's results, each with what it got through later pixels: d(neighbour) += W d(p)."""
    lines = d.movedim(axis, 0).clone(memory_format=torch.contiguous_format)
    steps = weights.movedim(axis, 0).contiguous()
    count = lines.shape[0]
    if from_end:
        for p in range(count - 1):
            lines[p + 1].addcmul_(lines[p], steps[p + 1])
    else:
        for p in range(count - 1, 0, -1):
            lines[p - 1].addcmul_(lines[p], steps[p])
    return lines.movedim(0, axis)


def _edges(axis: int, from_end: bool, size: int) -> tuple[slice, slice, slice]:
    """Along an axis: the pixels that a pass changes, their neighbours, and where the weights between them are."""
    early, late = slice(0, size - 1), slice(1, size)
    return (early, late, late) if from_end else (late, early, late)


def filter_forward(
    x: torch.Tensor, edge: torch.Tensor, inside: torch.Tensor, setting: _Setting, keep: bool = False
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """The filtered x (N, C, H, W), and with `keep` every intermediate map, 4 num_iter + 1 of them."""
    y, kept = x, [x] if keep else []
    for i in range(setting.num_iter):
        weights = _weights(edge, inside, setting, i)
        for axis, from_end in _PASSES:
            y = _run(y, weights, axis, from_end)
            if keep:
                kept.append(y)
    return y, kept


class _Filter(torch.autograd.Function):
    """The gradient flows through the weights as if they had not been clipped."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, edge: torch.Tensor, inside: torch.Tensor, setting: _Setting) -> Any:
        y, kept = filter_forward(x, edge, inside, setting, keep=True)
        ctx.save_for_backward(edge, inside, *kept)
        ctx.setting = setting
        return y.clone()  # what is kept must not change when a layer in place writes into the top

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *grads: Any) -> Any:
        edge, inside, *kept = ctx.saved_tensors
        setting, d = ctx.setting, grads[0]
        d_edge = torch.zeros_like(edge)
        for i in reversed(range(setting.num_iter)):
            weights = _weights(edge, inside, setting, i)
            d_weights = torch.zeros_like(weights)
            for k in reversed(range(len(_PASSES))):
                before, after = kept[4 * i + k], kept[4 * i + k + 1]
                d = _undo(d, before, after, weights, d_weights, *_PASSES[k])
            d_edge += d_weights * weights * (-setting.decay(i) * setting.ratio)
        return d, d_edge, None, None


def _undo(
    d: torch.Tensor,
    before: torch.Tensor,
    after: torch.Tensor,
    weights: torch.Tensor,
    d_weights: torch.Tensor,
    axis: int,
    from_end: bool,
) -> torch.Tensor:
    """The diff of a pass's input from that of its output; what the weights get is added to `d_weights`."""
    pixel, neighbour, between = ((slice(None),) * axis + (part,) for part in _edges(axis, from_end, before.shape[axis]))
    d = _run_back(d, weights, axis, from_end)
    difference = after[neighbour] - before[pixel]
    d_weights[between] += (d[pixel] * difference).sum(1, keepdim=True)
    d[pixel] *= 1 - weights[between]
    return d


def _effective(layer: TensorLayer, dims: torch.Tensor, shape: Shape) -> torch.Tensor:
    """(N, 1, H, W): which pixels lie in their item's effective height and width."""
    height, width = shape[2:]
    sizes = dims.detach().reshape(shape[0], -1)[:, :2].to(torch.int64)
    for item, (h, w) in enumerate(sizes.tolist()):
        if not (0 < h <= height and 0 < w <= width):
            layer.fail(
                f"item {item} is {h} x {w} (height x width) by bottom '{layer.param.bottom[2]}', wanted 1 x 1 to "
                f"{height} x {width}, the size of the map"
            )
    rows = torch.arange(height, device=dims.device) < sizes[:, :1]
    columns = torch.arange(width, device=dims.device) < sizes[:, 1:]
    return (rows[:, :, None] & columns[:, None, :]).unsqueeze(1)


def _setting(layer: TensorLayer, clip: bool) -> _Setting:
    p = layer.param.domain_transform_param
    if p.num_iter < 1:
        layer.fail(f"num_iter is {p.num_iter}, wanted 1 or more")
    for field in ("spatial_sigma", "range_sigma"):
        if not getattr(p, field) > 0:
            layer.fail(f"{field} is {getattr(p, field):g}, wanted a positive number")
    if not p.min_weight >= 0:
        layer.fail(f"min_weight is {p.min_weight:g}, wanted 0 or more")
    return _Setting(p.num_iter, p.spatial_sigma, p.range_sigma, p.min_weight if clip else None)


def _check_shapes(layer: TensorLayer, feature: Shape, edge: Shape, dims: Shape) -> list[Shape]:
    if len(feature) != 4 or edge != (feature[0], 1, *feature[2:]):
        layer.fail(f"feature {feature} and reference {edge}; wanted (N, C, H, W) and (N, 1, H, W) of the same N, H, W")
    if dims[:1] != feature[:1] or math.prod(dims[1:]) < 2:
        layer.fail(f"dims {dims} for {feature[0]} items; wanted height and width of each, as (N, 1, 1, 2)")
    return [feature]


@register("DomainTransform")
class DomainTransform(TensorLayer):
    """Edge-preserving filter: feature (N, C, H, W), edge strength (N, 1, H, W), dims (N, 1, 1, 2) of height and width.

    In each of num_iter iterations every pixel takes from its left, right, upper and lower neighbour in turn, with
    weight exp(−(√2 / σ_i) (1 + edge · spatial_sigma / range_sigma)) clipped to [min_weight, 1]. spatial_sigma is in
    pixels. Pixels beyond an item's height and width are copied. The gradient ignores the clipping, and both diffs
    are written even if only one was asked for.
    """

    bottoms = (3, 3)
    no_gradient = (2,)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.setting = _setting(self, clip=True)

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        return _check_shapes(self, *bottoms)

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        feature, edge, dims = bottoms
        return [_Filter.apply(feature, edge, _effective(self, dims, tuple(feature.shape)), self.setting)]

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.propagate_down = _both(self.propagate_down)
        super().forward(bottom, top)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        super().backward(top, _both(propagate_down), bottom)


def _both(flags: Sequence[bool]) -> list[bool]:
    """Feature and edge get their diffs together or not at all."""
    return [any(flags[:2])] * len(flags[:2]) + list(flags[2:])


@register("DomainTransformForwardOnly")
class DomainTransformForwardOnly(SilentLayer):
    """DomainTransform without a gradient and without clipping: a negative edge may give weights above 1."""

    bottoms = (3, 3)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.setting = _setting(self, clip=False)

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        return _check_shapes(self, *bottoms)

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        feature, edge, dims = (b.detach() for b in bottoms)
        return [filter_forward(feature, edge, _effective(self, dims, tuple(feature.shape)), self.setting)[0]]
