"""What convolution and similar layers share: windows of any number of spatial axes. Mirrors `base_conv_layer.cpp`."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F

from ...arrays import Shape
from .base import TensorLayer
from .reach import Reaches, WindowReach


class WindowLayer(TensorLayer):
    """A layer with `convolution_param`, whose windows lie on the axes behind `axis` (default 1), the channels.

    `read_windows` sets channel_axis, channels, spatial (number of axes), kernel, stride, pad and dilation. With
    dilation 0 all elements of a kernel lie on the first one's place, as in Caffe.
    """

    def read_windows(self, shape: Shape) -> None:
        """Read the sizes for a bottom of this shape."""
        p = self.param.convolution_param
        self.channel_axis = self.axis(p.axis, len(shape))
        self.channels = shape[self.channel_axis]
        self.spatial = len(shape) - self.channel_axis - 1
        self.kernel = self._sizes("kernel_size", "kernel", None)
        self.stride = self._sizes("stride", "stride", 1)
        self.pad = self._sizes("pad", "pad", 0)
        self.dilation = self._sizes("dilation", "", 1)

    def _sizes(self, field: str, stem: str, default: int | None) -> tuple[int, ...]:
        """Kernel, stride, pad or dilation of every spatial axis."""
        p = self.param.convolution_param
        stated = list(getattr(p, field))
        if stem and (p.HasField(f"{stem}_h") or p.HasField(f"{stem}_w")):
            if stated:
                self.fail(f"states both {field} and {stem}_h/{stem}_w")
            if self.spatial != 2:
                self.fail(f"{stem}_h/{stem}_w need 2 spatial axes, but the bottom has {self.spatial}")
            sizes: tuple[int, ...] = (getattr(p, f"{stem}_h"), getattr(p, f"{stem}_w"))
        elif len(stated) == 1:
            sizes = (stated[0],) * self.spatial
        elif not stated and default is not None:
            sizes = (default,) * self.spatial
        elif len(stated) == self.spatial:
            sizes = tuple(stated)
        else:
            self.fail(f"states {field} {len(stated)} times, wanted once, or once for each of {self.spatial} axes")
        if field in ("kernel_size", "stride") and 0 in sizes:
            self.fail(f"{field} is {sizes}, wanted positive numbers")
        return sizes

    def check_bottom(self, shape: Shape) -> None:
        """Fail unless a bottom has the axes and channels that the layer was set up for."""
        if len(shape) != self.channel_axis + 1 + self.spatial or shape[self.channel_axis] != self.channels:
            self.fail(f"bottom {shape} does not fit weights for {self.channels} input channels")

    def window_counts(self, shape: Shape) -> Shape:
        """Number of windows along each spatial axis: (in + 2 pad − span) / stride + 1, rounded toward 0 as in C."""
        counts = []
        sizes = shape[len(shape) - self.spatial :]
        for size, k, s, p, d in zip(sizes, self.kernel, self.stride, self.pad, self.dilation, strict=True):
            room = size + 2 * p - (d * (k - 1) + 1)
            if room <= -s:
                self.fail(f"bottom {shape} with pad {p} is smaller than the kernel's span of {d * (k - 1) + 1}")
            counts.append(max(room, 0) // s + 1)
        return tuple(counts)

    def window_reach(self, top: int, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Reaches | None:
        return self.reach_of_windows(WindowReach)

    def reach_of_windows(self, kind: type[WindowReach]) -> Reaches | None:
        """What a unit looks at along both axes of a map, by its windows; None for another number of axes."""
        axes = [kind(*axis) for axis in zip(self.kernel, self.stride, self.pad, self.dilation, strict=True)]
        return (axes[0], axes[1]) if len(axes) == 2 else None

    def filled(self, x: torch.Tensor) -> torch.Tensor:
        """x (B, C, spatial…) with zeros behind, where its one window hangs over the trailing pad."""
        lacks = [
            max(0, d * (k - 1) + 1 - size - 2 * p)
            for size, k, p, d in zip(x.shape[2:], self.kernel, self.pad, self.dilation, strict=True)
        ]
        return F.pad(x, [edge for lack in reversed(lacks) for edge in (0, lack)]) if any(lacks) else x

    @property
    def positive_dilation(self) -> tuple[int, ...]:
        """The dilation for weights of `added_up`: PyTorch has no 0."""
        return tuple(max(d, 1) for d in self.dilation)

    def added_up(self, weight: torch.Tensor) -> torch.Tensor:
        """Weights (A, B, k…) where the dilation is 0 added up to one, as all lie on one place."""
        axes = [axis for axis, d in enumerate(self.dilation, 2) if d == 0]
        return weight.sum(axes, keepdim=True) if axes else weight

    def columns(self, x: torch.Tensor) -> torch.Tensor:
        """The windows of x (B, C, spatial…) as (B, C · Πk, Π counts), zeros in the padding."""
        x = self.filled(x)
        if any(self.pad):
            x = F.pad(x, [edge for p in reversed(self.pad) for edge in (p, p)])
        for axis, (k, s, d) in enumerate(zip(self.kernel, self.stride, self.dilation, strict=True), 2):
            x = x.unfold(axis, d * (k - 1) + 1, s)
            x = x[..., ::d] if d else x.expand(*x.shape[:-1], k)
        counts = x.shape[2 : 2 + self.spatial]
        order = (0, 1, *range(2 + self.spatial, 2 + 2 * self.spatial), *range(2, 2 + self.spatial))
        return x.permute(order).reshape(x.shape[0], x.shape[1] * math.prod(self.kernel), math.prod(counts))
