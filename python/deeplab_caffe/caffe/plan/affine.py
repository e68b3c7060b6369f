"""Layers that are a factor and a shift for each channel, and how these go into a convolution before them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from ..layer_types.base import Layer
from ..layer_types.bn import BN
from ..layer_types.normalization import BatchNorm, Bias, Scale

#: factors and shifts (C), float64
Factors = tuple[torch.Tensor, torch.Tensor]


def is_affine(layer: Layer) -> bool:
    """Whether a layer is a factor and a shift for each channel of axis 1, and nothing else."""
    if isinstance(layer, BatchNorm):
        return layer.stored
    if isinstance(layer, BN):
        return not layer.by_batch
    return isinstance(layer, Scale | Bias) and layer.at == 1 and all(len(b.shape) == 1 for b in layer.blobs)


def folded(
    weight: torch.Tensor, bias: torch.Tensor | None, layers: Sequence[Layer]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight (N, …) and bias (N) of a convolution that does what affine layers after it did, float64."""
    weight = weight.double()
    bias = torch.zeros_like(weight[:, 0, 0, 0]) if bias is None else bias.double()
    for layer in layers:
        factor, shift = _FACTORS[layer.type](layer, *(blob.data_tensor().detach().double() for blob in layer.blobs))
        weight = weight * factor.reshape(-1, 1, 1, 1)
        bias = bias * factor + shift
    return weight, bias


def _batch_norm(layer: Layer, mean: torch.Tensor, variance: torch.Tensor, count: torch.Tensor) -> Factors:
    share = torch.where(count == 0, 0.0, 1 / torch.where(count == 0, 1.0, count))
    return _standardized(mean * share, variance * share, layer.param.batch_norm_param.eps)


def _standardized(mean: torch.Tensor, variance: torch.Tensor, eps: float) -> Factors:
    factor = 1 / torch.sqrt(variance + max(eps, 1e-38))
    return factor, -mean * factor


def _scale(layer: Layer, scale: torch.Tensor, *bias: torch.Tensor) -> Factors:
    return scale, bias[0] if bias else torch.zeros_like(scale)


def _bias(layer: Layer, bias: torch.Tensor) -> Factors:
    return torch.ones_like(bias), bias


def _bn(layer: Layer, scale: torch.Tensor, shift: torch.Tensor, *stored: torch.Tensor) -> Factors:
    scale, shift = scale.reshape(-1), shift.reshape(-1)
    if not stored:
        return scale, shift
    mean, variance = (values.reshape(-1) for values in stored)
    factor, centre = _standardized(mean, variance, layer.eps if isinstance(layer, BN) else 0.0)
    return scale * factor, scale * centre + shift


_FACTORS: dict[str, Callable[..., Factors]] = {"BatchNorm": _batch_norm, "Scale": _scale, "Bias": _bias, "BN": _bn}
