"""Parts of exported nets for which PyTorch has no module: each one is copied into the files that use it.

Those of detectors are the functions by which their layers compute.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from ...caffe.layer_types.box_functions import (  # noqa: F401
    best_candidates,
    decoded_boxes,
    detections,
    kept_boxes,
    overlaps,
    prior_boxes,
    proposals,
    suppression_thresholds,
    without_easy,
)
from ...caffe.layer_types.rearrange import reorganized  # noqa: F401
from ...caffe.layer_types.region_functions import (  # noqa: F401
    grid_weights,
    linear_weights,
    ordered_keys,
    psroi_pool,
    range_maxima,
    roi_align,
    roi_grid,
    roi_pool,
    roi_spans,
    rounded,
    sampling_weights,
    weighted_windows,
    widened,
    window_maxima,
)


class BatchNorm(nn.Module):
    """Normalisation by stored statistics: `mean` and `variance` are sums, which are divided by `factor`."""

    mean: torch.Tensor
    variance: torch.Tensor
    factor: torch.Tensor

    def __init__(self, channels: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))
        self.register_buffer("factor", torch.ones(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scale = torch.where(self.factor == 0, torch.zeros_like(self.factor), 1 / self.factor)
        return F.batch_norm(x, self.mean * scale, self.variance * scale, eps=self.eps)


class FrozenBN(nn.Module):
    """slope * (x - mean) / sqrt(variance + eps) + bias, with stored statistics; all are (1, channels, 1, 1)."""

    mean: torch.Tensor
    variance: torch.Tensor

    def __init__(self, channels: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(1, channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.register_buffer("mean", torch.zeros(1, channels, 1, 1))
        self.register_buffer("variance", torch.ones(1, channels, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean, variance, weight, bias = (v.flatten() for v in (self.mean, self.variance, self.weight, self.bias))
        return F.batch_norm(x, mean, variance, weight, bias, eps=self.eps)


class Normalize(nn.Module):
    """x / sqrt(the sum of x * x over an item's channels + eps) * weight; over all positions, or at each one."""

    def __init__(self, shape: tuple[int, ...], across_spatial: bool, eps: float) -> None:
        super().__init__()
        self.across_spatial = across_spatial
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(shape))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        axes = tuple(range(1, x.dim())) if self.across_spatial else (1,)
        weight = self.weight.reshape((-1,) + (1,) * (x.dim() - 2)) if self.weight.dim() else self.weight
        return x / ((x * x).sum(axes, keepdim=True) + self.eps).sqrt() * weight


class Scale(nn.Module):
    """x * weight + bias, both spanning the axes of x from `axis` on."""

    def __init__(self, shape: tuple[int, ...], axis: int, weight: bool = True, bias: bool = True) -> None:
        super().__init__()
        self.axis = axis
        self.weight = nn.Parameter(torch.ones(shape)) if weight else None
        self.bias = nn.Parameter(torch.zeros(shape)) if bias else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for values, combine in ((self.weight, torch.mul), (self.bias, torch.add)):
            if values is not None:
                behind = (1,) * (x.dim() - self.axis - values.dim())
                x = combine(x, values.reshape((1,) * self.axis + tuple(values.shape) + behind))
        return x


def max_pool_mask(
    x: torch.Tensor,
    kernel: int | tuple[int, int],
    stride: int | tuple[int, int],
    pad: int | tuple[int, int],
    ceil_mode: bool = False,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Maxima of windows, and where each is in its map: row * width + column, as numbers of x's type."""
    y, places = F.max_pool2d(x, kernel, stride, pad, ceil_mode=ceil_mode, return_indices=True)
    return y, places.to(x.dtype)


def unpool(x: torch.Tensor, mask: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """x put at the places of a larger map that the mask names; 0 elsewhere."""
    flat = x.new_zeros((*x.shape[:2], size[0] * size[1]))
    return flat.scatter(2, mask.flatten(2).to(torch.int64), x.flatten(2)).reshape(*x.shape[:2], *size)


def interp(
    x: torch.Tensor, size: tuple[int, int] | None = None, zoom: int = 1, shrink: int = 1, pads: tuple[int, int] = (0, 0)
) -> torch.Tensor:
    """Bilinear resizing with aligned corners: to `size`, or shrunk and then zoomed; negative pads crop first."""
    first, last = -pads[0], -pads[1]
    x = x[:, :, first : x.shape[2] - last, first : x.shape[3] - last]
    if size is None:
        height, width = ((n - 1) // shrink * zoom + 1 for n in x.shape[2:])
        size = (height, width)
    return F.interpolate(x, size, mode="bilinear", align_corners=True)


def crop(x: torch.Tensor, like: torch.Tensor, axis: int, offsets: tuple[int, ...]) -> torch.Tensor:
    """The window of x with the sizes of `like`, for the axes from `axis` on."""
    for i, offset in enumerate(offsets, axis):
        x = x.narrow(i, offset, like.shape[i])
    return x


def argmax(x: torch.Tensor, axis: int) -> torch.Tensor:
    """The index of the greatest value along an axis, which is kept with size 1; of equal values the last."""
    return x.shape[axis] - 1 - x.flip(axis).argmax(axis, keepdim=True).to(x.dtype)


def local_response(x: torch.Tensor, size: int, alpha: float, beta: float, k: float) -> torch.Tensor:
    """x / (k + alpha / size * the sum of squares over `size` neighbouring channels) ** beta."""
    squares = F.pad((x * x).transpose(1, -1), (size // 2, size // 2))
    return x / (k + alpha / size * squares.unfold(-1, size, 1).sum(-1).transpose(1, -1)) ** beta
