"""Message passing with gradients: the filters of one mean field iteration as functions that autograd goes through.

The filter on a permutohedral lattice is linear: splat, blur along each direction, slice. Its transpose is the same
with the blurs in the reverse order. Features (positions, colours) have no gradient.
Source: Zheng et al., *Conditional Random Fields as Recurrent Neural Networks*, ICCV 2015, section 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from .backends.torch_lattice import TorchLattice, build_torch_lattice
from .pairwise import POWERS

_LEAST = 1e-20  # added to the mass before it is divided by


class MessagePassing:
    """Filters maps of several images by one kernel, normalized by the kernel's mass.

    Args:
        features: of each image, in standard deviations (H · W, d); one for all images, or one for each.
        normalization: "after", each result is divided by the mass at its pixel; or "symmetric", by its square root
            before and after.
    """

    def __init__(self, features: Sequence[Tensor], normalization: str = "after") -> None:
        self._lattice = build_torch_lattice(features)
        mass = self._lattice.mass() + _LEAST
        self._before, self._after = (mass**power if power else None for power in POWERS[normalization])
        self._shared = len(features) == 1

    def __call__(self, maps: Tensor) -> Tensor:
        """Filter maps (N, C, H, W)."""
        items, channels, height, width = maps.shape
        if self._shared:  # images beside each other, as if they were channels
            rows = maps.flatten(0, 1).flatten(1).T
        else:
            rows = maps.flatten(2).transpose(1, 2).reshape(-1, channels)
        if self._before is not None:
            rows = rows * self._before.to(maps.dtype)
        found = filtered(rows, self._lattice)
        if self._after is not None:
            found = found * self._after.to(maps.dtype)
        if self._shared:
            return found.T.reshape(maps.shape)
        return found.reshape(items, height, width, channels).permute(0, 3, 1, 2)


def mean_field(
    unary: Tensor,
    start: Tensor,
    terms: Sequence[tuple[MessagePassing, Tensor | float]],
    iterations: int,
    compatibility: Tensor | None = None,
) -> Tensor:
    """Scores after mean field iterations, not normalized: Q = softmax(S), then S = U − M Σ W K Q.

    Args:
        unary: scores U (N, C, H, W), the negative unary energies.
        start: scores S to begin with (N, C, H, W).
        terms: of each kernel K its filter and its weights W, a number or a matrix (C, C).
        iterations: how many.
        compatibility: M (C, C); if None Potts' without what is the same for all classes, −1 on the diagonal.
    """
    scores = start
    for _ in range(iterations):
        beliefs = torch.softmax(scores, 1)
        messages = torch.zeros_like(unary)
        for passing, weights in terms:
            messages = messages + _mixed(weights, passing(beliefs))
        scores = unary + messages if compatibility is None else unary - _mixed(compatibility, messages)
    return scores


def _mixed(weights: Tensor | float, maps: Tensor) -> Tensor:
    """Maps (N, C, H, W) times a number, or with channels mixed by a matrix (C, C)."""
    if isinstance(weights, Tensor) and weights.dim() == 2:
        return torch.einsum("dc,nchw->ndhw", weights, maps)
    return weights * maps


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
