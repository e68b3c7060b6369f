"""Transposed convolution. Mirrors `deconv_layer.cpp`."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F

from ...arrays import Shape
from ..blob import Blob
from .base import register
from .convolution import Convolution
from .reach import Reaches, TransposedReach

_TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


@register("Deconvolution")
class Deconvolution(Convolution):
    """The transpose of Convolution, with its parameters: upsampling by `stride`, summing what overlaps.

    Bottoms (N, C, spatial…), all of one shape; tops (N, num_output, spatial…) with size
    stride (in − 1) + dilation (k − 1) + 1 − 2 pad. Blobs: weight (C, num_output / group, k…), bias (num_output).
    Up to three spatial axes.
    """

    takes_precision = False

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().setup(bottom, top)
        if self.spatial > max(_TRANSPOSED):
            self.fail(f"bottom {bottom[0].shape} has {self.spatial} spatial axes, wanted 0 to {max(_TRANSPOSED)}")

    def weight_shape(self, outputs: int, group: int) -> Shape:
        return (self.channels, outputs // group, *self.kernel)

    def window_counts(self, shape: Shape) -> Shape:
        """The size of the top on each spatial axis."""
        sizes = shape[len(shape) - self.spatial :]
        axes = zip(sizes, self.kernel, self.stride, self.pad, self.dilation, strict=True)
        spread = tuple(s * (size - 1) + d * (k - 1) + 1 - 2 * p for size, k, s, p, d in axes)
        if min(spread, default=1) < 1:
            self.fail(f"nothing of bottom {shape} is left: with pad {self.pad} its size becomes {spread}")
        return spread

    def multiply_adds(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> int:
        """Every element of a bottom is spread by the weights of its input channel."""
        return sum(map(math.prod, bottoms)) * math.prod(self.blobs[0].shape[1:])

    def window_reach(self, top: int, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Reaches | None:
        return self.reach_of_windows(TransposedReach)

    def convolve(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        group = self.param.convolution_param.group
        if self.spatial == 0:  # a single position
            return F.conv_transpose1d(x.unsqueeze(2), weight.unsqueeze(2), bias, groups=group).squeeze(2)
        if self.spatial == 2 and x.device.type == "cpu":
            x = x.contiguous(memory_format=torch.channels_last)  # several times faster, with groups above all
        function, weight = _TRANSPOSED[self.spatial], self.added_up(weight)
        return function(x, weight, bias, self.stride, self.pad, 0, group, self.positive_dilation)
