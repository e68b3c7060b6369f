"""A convolution with the affine layers after it folded into its weights: what algorithms compute."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch

from ..layer_types.base import TensorLayer
from ..layer_types.convolution import Convolution

Pair = tuple[int, int]


class Geometry(NamedTuple):
    """A 2-D convolution without its weights: all pairs are (y, x)."""

    outputs: int
    channels: int
    kernel: Pair
    stride: Pair
    pad: Pair
    dilation: Pair
    group: int

    def out_size(self, size: Sequence[int]) -> Pair:
        """(H, W) of the outputs for inputs (H, W)."""
        sides = zip(size, self.kernel, self.stride, self.pad, self.dilation, strict=True)
        height, width = ((s + 2 * p - d * (k - 1) - 1) // step + 1 for s, k, step, p, d in sides)
        return height, width


class Folded(NamedTuple):
    """weight (N, C / group, h, w), bias (N) or None; slope: of a ReLU after it, None for no ReLU."""

    weight: torch.Tensor
    bias: torch.Tensor | None
    geometry: Geometry
    slope: float | None


#: values are far from overflowing below this bound, in whatever order they are summed
_SAFE = 1e30


class Growth:
    """How large the values of a convolution's result can be.

    finite: whether all weights and biases are.
    """

    def __init__(self, convolution: Folded) -> None:
        weight, bias, _, slope = convolution
        self.finite = all(bool(p.sum().isfinite()) for p in (weight, bias) if p is not None)
        steepest = max(1.0, abs(slope or 0))
        self._factor = float(weight.double().abs().sum((1, 2, 3)).max()) * steepest
        self._offset = 0.0 if bias is None else float(bias.double().abs().max()) * steepest

    def above(self, bound: float | None) -> float | None:
        """The bound of the result where the input has one; None if it is not known, or not safely finite."""
        if bound is None or not self.finite or not bound < _SAFE:
            return None
        above = self._factor * bound + self._offset
        return above if above < _SAFE else None


def geometry_of(layer: Convolution) -> Geometry:
    """The geometry of a layer with two spatial axes."""
    p = layer.param.convolution_param
    outputs, channels, *kernel = layer.blobs[0].shape
    sides = (kernel, layer.stride, layer.pad, layer.positive_dilation)
    kernel_size, stride, pad, dilation = ((int(y), int(x)) for y, x in sides)
    return Geometry(outputs, channels * p.group, kernel_size, stride, pad, dilation, p.group)


def fold(layer: Convolution, affine: Sequence[TensorLayer], slope: float | None, dtype: torch.dtype) -> Folded:
    """A convolution that does what affine layers after it did; computed in float64, then of `dtype`."""
    weight, *rest = (blob.data_tensor().detach() for blob in layer.blobs)
    weight, bias = layer.added_up(weight), rest[0] if rest else None
    if affine:
        weight, bias = folded(weight, bias, affine)
    weight = weight.to(dtype, memory_format=torch.channels_last)
    return Folded(weight, None if bias is None else bias.to(dtype), geometry_of(layer), slope)


def folded(
    weight: torch.Tensor, bias: torch.Tensor | None, layers: Sequence[TensorLayer]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight (N, …) and bias (N) of a convolution that does what affine layers after it did, float64."""
    weight = weight.double()
    bias = torch.zeros_like(weight[:, 0, 0, 0]) if bias is None else bias.double()
    for layer in layers:
        factor, shift = layer.factor_and_shift(*(blob.data_tensor().detach().double() for blob in layer.blobs))
        weight = weight * factor.reshape(-1, 1, 1, 1)
        bias = bias * factor + shift
    return weight, bias
