"""Transposed convolution. Mirrors `deconv_layer.cpp`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from ..blob import Blob
from .base import MANY, Shape, register
from .windows import WindowLayer

_TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


@register("Deconvolution")
class Deconvolution(WindowLayer):
    """The transpose of Convolution, with its parameters: upsampling by `stride`, summing what overlaps.

    Bottoms (N, C, spatial…), all of one shape; tops (N, num_output, spatial…) with size
    stride (in − 1) + dilation (k − 1) + 1 − 2 pad. Blobs: weight (C, num_output / group, k…), bias (num_output).
    Up to three spatial axes.
    """

    bottoms = (1, MANY)
    tops = (1, MANY)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.param.convolution_param
        if len(bottom) != len(top):
            self.fail(f"has {len(bottom)} bottoms and {len(top)} tops, wanted as many of one as of the other")
        self.read_windows(bottom[0].shape)
        if self.spatial > max(_TRANSPOSED):
            self.fail(f"bottom {bottom[0].shape} has {self.spatial} spatial axes after axis {p.axis}, wanted 0 to 3")
        if p.group < 1:
            self.fail("group is 0, wanted a positive number")
        if p.num_output == 0:
            self.fail("num_output is 0 or not stated, wanted a positive number")
        for what, count in (("input channels", self.channels), ("outputs (num_output)", p.num_output)):
            if count % p.group:
                self.fail(f"{count} {what} do not divide into {p.group} groups")
        self.add_param(0, (self.channels, p.num_output // p.group, *self.kernel), p.weight_filler)
        if p.bias_term:
            self.add_param(1, (p.num_output,), p.bias_filler)

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        first = bottoms[0]
        if any(b != first for b in bottoms):
            self.fail(f"bottoms of different shapes: {bottoms}")
        self.check_bottom(first)
        axes = zip(first[self.channel_axis + 1 :], self.kernel, self.stride, self.pad, self.dilation, strict=True)
        sizes = [s * (size - 1) + d * (k - 1) + 1 - 2 * p for size, k, s, p, d in axes]
        if min(sizes, default=1) < 1:
            self.fail(f"of bottom {first} nothing is left: with pad {self.pad} its size becomes {tuple(sizes)}")
        return [(*first[: self.channel_axis], self.param.convolution_param.num_output, *sizes)] * len(bottoms)

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        bias = params[1] if len(params) > 1 else None
        shapes = self.top_shapes(*(tuple(x.shape) for x in bottoms))
        return [
            self._spread(x.reshape(-1, *x.shape[self.channel_axis :]), params[0], bias).reshape(shape)
            for x, shape in zip(bottoms, shapes, strict=True)
        ]

    def _spread(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        """x (B, C, spatial…) to (B, num_output, spatial…)."""
        group = self.param.convolution_param.group
        if self.spatial == 0:  # a single position
            return F.conv_transpose1d(x.unsqueeze(2), weight.unsqueeze(2), bias, groups=group)
        if self.spatial == 2 and x.device.type == "cpu":
            x = x.contiguous(memory_format=torch.channels_last)  # several times faster, with groups above all
        return _TRANSPOSED[self.spatial](x, weight, bias, self.stride, self.pad, 0, group, self.dilation)
