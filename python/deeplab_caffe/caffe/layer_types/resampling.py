"""Resampling of score maps and labels. Mirrors `interp_layer.cpp` of DeepLab."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import torch
import torch.nn.functional as F

from ...arrays import Shape
from ..blob import Blob
from .base import TensorLayer, register
from .reach import Reaches, ResampledReach, plane


@register("Interp")
class Interp(TensorLayer):
    """Corner-aligned bilinear resampling of (N, C, H, W); axes that are missing at the end count as 1.

    The size comes from shrink_factor, zoom_factor, both (first shrunk, then zoomed, resampled once) or height and
    width; pads (≤ 0) crop first. Shrinking labels by s subsamples them exactly if (size − 1) is a multiple of s.
    """

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.param.interp_param
        if p.pad_beg > 0 or p.pad_end > 0:
            self.fail(f"pad_beg {p.pad_beg} and pad_end {p.pad_end} must be 0 or negative: they crop")
        for field in ("shrink_factor", "zoom_factor"):
            if getattr(p, field) < 1:
                self.fail(f"{field} is {getattr(p, field)}, wanted 1 or more")

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        if len(bottoms[0]) > 4:
            self.fail(f"bottom {bottoms[0]} has {len(bottoms[0])} axes, expected at most 4 (N, C, H, W)")
        p, shape = self.param.interp_param, _with_four_axes(bottoms[0])
        cropped = [size + p.pad_beg + p.pad_end for size in shape[2:]]
        shrink, zoom = p.HasField("shrink_factor"), p.HasField("zoom_factor")
        stated = p.HasField("height") and p.HasField("width")
        if shrink and not zoom:
            out = [_shrunk(size, p.shrink_factor) for size in cropped]
        elif zoom and not shrink:
            out = [_zoomed(size, p.zoom_factor) for size in cropped]
        elif stated:
            out = [p.height, p.width]
        elif shrink and zoom:
            out = [_zoomed(_shrunk(size, p.shrink_factor), p.zoom_factor) for size in cropped]
        else:
            self.fail("no size is stated; wanted shrink_factor, zoom_factor, or height and width")
        if min(cropped) < 1 or min(out) < 1:
            self.fail(f"bottom {bottoms[0]} would become {tuple(out)} after cropping to {tuple(cropped)}")
        return [(*shape[:2], *out)]

    def multiply_adds(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> int:
        return 4 * math.prod(tops[0])

    def window_reach(self, top: int, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Reaches | None:
        p = self.param.interp_param
        sizes = zip(plane(_with_four_axes(bottoms[0])), plane(tops[0]), strict=True)
        begin, cropped = -p.pad_beg, p.pad_beg + p.pad_end
        # a map of one unit is that of the first corner
        scales = (Fraction(old + cropped - 1, new - 1) if new > 1 else Fraction(0) for old, new in sizes)
        y, x = (ResampledReach(scale, begin) for scale in scales)
        return y, x

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        p, x = self.param.interp_param, bottoms[0]
        size = self.top_shapes(tuple(x.shape))[0][2:]
        x = x.reshape(_with_four_axes(tuple(x.shape)))
        if p.pad_beg or p.pad_end:
            begin, height, width = -p.pad_beg, x.shape[2] + p.pad_beg + p.pad_end, x.shape[3] + p.pad_beg + p.pad_end
            x = x.narrow(2, begin, height).narrow(3, begin, width)
        if tuple(x.shape[2:]) == size:
            return [x]
        return [F.interpolate(x, size, mode="bilinear", align_corners=True)]


def _with_four_axes(shape: Shape) -> Shape:
    """(N, C, H, W) of a shape that may lack the last ones."""
    return (*shape, *(1,) * (4 - len(shape)))


def _shrunk(size: int, factor: int) -> int:
    return (size - 1) // factor + 1


def _zoomed(size: int, factor: int) -> int:
    return size + (size - 1) * (factor - 1)
