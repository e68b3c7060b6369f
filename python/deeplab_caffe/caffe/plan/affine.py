"""How layers that are a factor and a shift for each channel go into a convolution before them."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..layer_types.base import TensorLayer


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
