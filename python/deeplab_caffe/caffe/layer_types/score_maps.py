"""Score maps weighted, padded, merged and unpooled.

Mirrors `spatial_product_layer.cpp` of DeepLab v2, `padding_layer.cpp` and `channel_aggregator_layer.cpp` of DeepLab v1,
and `upsample_layer.cpp` of SegNet.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import torch
import torch.nn.functional as F

from ...arrays import Shape
from ..blob import Blob
from .base import TensorLayer, register
from .label_check import check_indices
from .reach import Reaches, TransposedReach, WindowReach, plane


def check_maps(layer: TensorLayer, shape: Shape) -> None:
    """Fail unless a bottom is (N, C, H, W)."""
    if len(shape) != 4:
        layer.fail(f"bottom {shape} has {len(shape)} axes, wanted 4 (N, C, H, W)")


@register("SpatialProduct")
class SpatialProduct(TensorLayer):
    """Maps (N, C, H, W) times one map of weights (N, 1, H, W) for all channels."""

    bottoms = (2, 2)
    torch_call = "{0} * {1}"
    onnx_operator = "Mul"

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        maps, weights = bottoms
        check_maps(self, maps)
        if weights != (maps[0], 1, *maps[2:]):
            self.fail(f"weights {weights} for maps {maps}, wanted {(maps[0], 1, *maps[2:])}")
        return [maps]

    def multiply_adds(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> int:
        return sum(map(math.prod, tops))

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        return [bottoms[0] * bottoms[1]]


@register("Padding")
class Padding(TensorLayer):
    """(N, C, H, W) with pad_beg rows and columns of zeros before and pad_end behind; negative numbers crop."""

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.param.padding_param
        if p.pad_beg * p.pad_end < 0:
            self.fail(f"pad_beg {p.pad_beg} and pad_end {p.pad_end}: one pads, the other crops; wanted the same sign")

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        check_maps(self, bottoms[0])
        p = self.param.padding_param
        sizes = tuple(size + p.pad_beg + p.pad_end for size in bottoms[0][2:])
        if min(sizes) < 1:
            self.fail(f"nothing of bottom {bottoms[0]} is left: its size becomes {sizes}")
        return [(*bottoms[0][:2], *sizes)]

    def window_reach(self, top: int, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Reaches | None:
        shift = WindowReach(pad=self.param.padding_param.pad_beg)
        return shift, shift

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        p = self.param.padding_param
        return [F.pad(bottoms[0], (p.pad_beg, p.pad_end) * 2)]


@register("ChannelAggregator")
class ChannelAggregator(TensorLayer):
    """(N, C, H, W) to (N, K, H, W): y_k = log Σ exp x_c over the channels in line k of the file `label_map_file`."""

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        path = self.param.channel_aggregator_param.label_map_file
        with self.reading(path, "the groups of channels, label_map_file:"):
            lines = Path(path).read_text(encoding="utf-8").splitlines()
        if not lines:
            self.fail(f"'{path}' is empty; wanted the channels of each output on a line of its own")
        self.groups = [self._group(f"{path}:{number}", line) for number, line in enumerate(lines, 1)]

    def _group(self, where: str, line: str) -> list[int]:
        words = line.split()
        if not words or not all(word.isdecimal() for word in words):
            self.fail(f"{where}: '{line}', wanted numbers of channels, separated by blanks")
        return [int(word) for word in words]

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        check_maps(self, bottoms[0])
        largest = max(map(max, self.groups))
        if largest >= bottoms[0][1]:
            path = self.param.channel_aggregator_param.label_map_file
            self.fail(f"'{path}' names channel {largest}, bottom {bottoms[0]} has 0 to {bottoms[0][1] - 1}")
        return [(bottoms[0][0], len(self.groups), *bottoms[0][2:])]

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        return [torch.stack([bottoms[0][:, group].logsumexp(1) for group in self.groups], 1)]


@register("Upsample")
class Upsample(TensorLayer):
    """SegNet's unpooling: x (N, C, h, w) put where `mask`, the second top of a MAX Pooling layer, says; 0 elsewhere.

    Top (N, C, upsample_h, upsample_w), or (h, w) times scale_h and scale_w, or times `scale` (2). With a scale of 2
    pad_out_h and pad_out_w leave the last row or column out. The size must be that of the map that was pooled.
    """

    bottoms = (2, 2)  # the mask's gradient is 0, silently, as in the program: a net that trains asks for it
    #: what states the size of the top
    size_fields: ClassVar[str] = "upsample_h and upsample_w"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.param.upsample_param
        for stem in ("upsample", "scale"):
            if p.HasField(f"{stem}_h") != p.HasField(f"{stem}_w"):
                self.fail(f"states only one of {stem}_h and {stem}_w")
        self.scale = (p.scale_h, p.scale_w) if p.HasField("scale_h") else (p.scale, p.scale)
        if (p.pad_out_h or p.pad_out_w) and self.scale != (2, 2):
            self.fail(f"pad_out_h and pad_out_w need a scale of 2, got {self.scale}")

    def size(self, x: Shape) -> tuple[int, int]:
        """Height and width of the top for a bottom (N, C, h, w)."""
        p = self.param.upsample_param
        if p.HasField("upsample_h"):
            return p.upsample_h, p.upsample_w
        return x[2] * self.scale[0] - p.pad_out_h, x[3] * self.scale[1] - p.pad_out_w

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        x, mask = bottoms
        check_maps(self, x)
        if mask != x:
            self.fail(f"mask {mask} for bottom {x}, wanted the same shape")
        size = self.size(x)
        if min(size) < 1:
            self.fail(f"the size becomes {size}, wanted positive numbers")
        return [(*x[:2], *size)]

    def window_reach(self, top: int, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Reaches | None:
        """Each value of the small map lies somewhere in its cell of the large one."""
        sizes = zip(plane(bottoms[0]), plane(tops[0]), strict=True)
        y, x = (TransposedReach(-(-new // old), -(-new // old)) for old, new in sizes)
        return y, x

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        x = bottoms[0]
        shape = self.top_shapes(tuple(x.shape), tuple(bottoms[1].shape))[0]
        count = shape[2] * shape[3]
        index = check_indices(
            self,
            bottoms[1].detach().to(torch.int64),
            count,
            lambda _, least, most: (
                f"the mask holds indices {least} to {most}, but the top has 0 to {count - 1} "
                f"({shape[2]} x {shape[3]}); state {self.size_fields}, the size of the map that was pooled"
            ),
        )
        flat = x.new_zeros((*shape[:2], count)).scatter(2, index.flatten(2), x.flatten(2))
        return [flat.reshape(shape)]


@register("Unpooling")
class Unpooling(Upsample):
    """DeconvNet's unpooling, by the maxima's places: x (N, C, h, w) put where `mask` says, 0 elsewhere.

    Top (N, C, unpool_h, unpool_w), or as large as a map that is pooled to (h, w) without a rest:
    stride (h − 1) + kernel − 2 pad. Only `unpool: MAX` is supported.
    """

    size_fields = "unpool_h and unpool_w, or unpool_size"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.param.unpooling_param
        if p.unpool != p.MAX:
            self.fail("unpool is not MAX, which is the only method that is supported")
        if p.HasField("unpool_h") != p.HasField("unpool_w"):
            self.fail("states only one of unpool_h and unpool_w")
        if self._stated("unpool", "unpool_size") is None and self._stated("kernel", "kernel_size") is None:
            self.fail("states no size; wanted unpool_size, or kernel_size and stride")

    def _stated(self, stem: str, both: str) -> tuple[int, int] | None:
        """Height and width of what is stated for each, or for both; None for nothing."""
        p = self.param.unpooling_param
        if p.HasField(f"{stem}_h"):
            return getattr(p, f"{stem}_h"), getattr(p, f"{stem}_w")
        return (getattr(p, both),) * 2 if p.HasField(both) else None

    def size(self, x: Shape) -> tuple[int, int]:
        stated = self._stated("unpool", "unpool_size")
        if stated is not None:
            return stated
        kernel = self._stated("kernel", "kernel_size") or (1, 1)
        stride, pad = self._stated("stride", "stride") or (1, 1), self._stated("pad", "pad") or (0, 0)
        height, width = (s * (n - 1) + k - 2 * p for n, k, s, p in zip(x[2:], kernel, stride, pad, strict=True))
        return height, width
