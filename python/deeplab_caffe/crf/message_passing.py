"""Message passing with gradients: the filters of one mean field iteration as functions that autograd goes through.

The filter on a permutohedral lattice is linear: splat, blur along each direction, slice. Its transpose is the same
with the blurs in the reverse order. Features (positions, colours) have no gradient.
Source: Zheng et al., *Conditional Random Fields as Recurrent Neural Networks*, ICCV 2015, section 4.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from .backends.torch_lattice import TorchLattice, build_torch_lattice

_LEAST = 1e-20  # added to the mass before it is divided by


class MessagePassing:
    """Filters maps of several images by one kernel, each result divided by the kernel's mass at its pixel.

    Args:
        features: of each image, in standard deviations (H · W, d); one for all images, or one for each.
    """

    def __init__(self, features: list[Tensor]) -> None:
        self._lattice = build_torch_lattice(features)
        self._share = 1 / (self._lattice.mass() + _LEAST)
        self._shared = len(features) == 1

    def __call__(self, maps: Tensor) -> Tensor:
        """Filter maps (N, C, H, W)."""
        items, channels, height, width = maps.shape
        if self._shared:  # images beside each other, as if they were channels
            rows = maps.flatten(0, 1).flatten(1).T
        else:
            rows = maps.flatten(2).transpose(1, 2).reshape(-1, channels)
        found = filtered(rows, self._lattice) * self._share.to(maps.dtype)
        if self._shared:
            return found.T.reshape(maps.shape)
        return found.reshape(items, height, width, channels).permute(0, 3, 1, 2)


def filtered(values: Tensor, lattice: TorchLattice) -> Tensor:
    """Each pixel's sum over all pixels of kernel times value, with its gradient; `values` and result (N, K)."""
    found: Tensor = _Filter.apply(values, lattice)
    return found


class _Filter(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, lattice: TorchLattice) -> Tensor:
        ctx.lattice = lattice
        return lattice.filtered(values)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        transposed = replace(ctx.lattice, neighbours=ctx.lattice.neighbours.flip(0))
        return transposed.filtered(gradient.contiguous()), None
