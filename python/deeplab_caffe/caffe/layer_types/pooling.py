"""Pooling with Caffe's own rounding and clipping. Mirrors `pooling_layer.cpp`, `spp_layer.cpp`."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F

from ...arrays import Shape
from ...formats import schema
from .. import mode
from ..blob import Blob
from .base import TensorLayer, register
from .reach import Reaches, WindowReach

_MAX, _AVE, _STOCHASTIC = 0, 1, 2


@register("Pooling")
class Pooling(TensorLayer):
    """MAX, AVE and STOCHASTIC pooling of (N, C, H, W); MAX may have a second top, the index of each maximum.

    Output size ceil((in + 2 pad − k) / stride) + 1; with padding, a last window that would begin beyond the image
    and its leading pad is dropped. AVE divides by the window's size including padding but not what hangs over
    beyond the trailing pad. PyTorch differs where a window begins in the padding or stride exceeds the kernel.
    """

    tops = (1, 2)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.param.pooling_param
        self.method = p.pool
        self.any_precision = self.method != _STOCHASTIC
        if len(top) > 1 and self.method != _MAX:
            self.fail("a second top (the index mask) is supported with MAX only")
        self.pad = self._pair("pad", 0)
        self.stride = self._pair("stride", 1)
        if p.global_pooling:
            if p.HasField("kernel_size") or p.HasField("kernel_h") or p.HasField("kernel_w"):
                self.fail("global_pooling does not allow a kernel size")
            if self.pad != (0, 0) or self.stride != (1, 1):
                self.fail("global_pooling requires pad 0 and stride 1")
            return
        self.kernel = self._pair("kernel", None)
        if min(self.kernel) < 1 or min(self.stride) < 1:
            self.fail(f"kernel {self.kernel} and stride {self.stride} must be positive")
        if self.pad != (0, 0):
            if self.method == _STOCHASTIC:
                self.fail("padding is supported with MAX and AVE only")
            if self.pad[0] >= self.kernel[0] or self.pad[1] >= self.kernel[1]:
                self.fail(f"pad {self.pad} must be smaller than the kernel {self.kernel}")

    @property
    def takes_maxima(self) -> bool:
        """Whether it is MAX pooling."""
        return bool(self.method == _MAX)

    def _pair(self, stem: str, default: int | None) -> tuple[int, int]:
        p = self.param.pooling_param
        both = "kernel_size" if stem == "kernel" else stem
        by_side = [p.HasField(f"{stem}_h"), p.HasField(f"{stem}_w")]
        if p.HasField(both) and any(by_side):
            self.fail(f"states both {both} and {stem}_h/{stem}_w")
        if any(by_side):
            if not all(by_side):
                self.fail(f"states only one of {stem}_h and {stem}_w")
            return getattr(p, f"{stem}_h"), getattr(p, f"{stem}_w")
        if default is None and not p.HasField(both):
            self.fail(f"{both} is missing")
        return getattr(p, both), getattr(p, both)

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        if len(bottoms[0]) != 4:
            self.fail(f"bottom {bottoms[0]} has {len(bottoms[0])} axes, wanted 4 (N, C, H, W)")
        n, c, h, w = bottoms[0]
        if self.param.pooling_param.global_pooling:
            self.kernel = (h, w)
        out = tuple(self._size(size, axis) for axis, size in enumerate((h, w)))
        return [(n, c, *out)] * max(1, len(self.param.top))

    def _size(self, size: int, axis: int) -> int:
        k, s, p = self.kernel[axis], self.stride[axis], self.pad[axis]
        room = size + 2 * p - k
        floor = self.param.pooling_param.round_mode == 1
        out = (room // s if floor else -(-room // s)) + 1
        if out < 1:
            self.fail(f"a bottom of size {size} with pad {p} is smaller than the kernel {k}")
        if any(self.pad):
            if (out - 1) * s >= size + p:
                out -= 1
            if (out - 1) * s >= size + p:
                self.fail(f"the last window of a bottom of size {size} lies in the padding (kernel {k}, stride {s})")
        return out

    def multiply_adds(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> int:
        """Of the average one for each element of a window; maxima multiply nothing."""
        return math.prod(self.kernel) * sum(map(math.prod, tops)) if self.method == _AVE else 0

    def kept_beside(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> int:
        """The places of the maxima, as int64."""
        return 8 * top[0].count if self.method == _MAX else 0

    def window_reach(self, top: int, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Reaches | None:
        y, x = (WindowReach(*axis) for axis in zip(self.kernel, self.stride, self.pad, strict=True))
        return y, x

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        x = bottoms[0]
        sizes = self.top_shapes(tuple(x.shape))[0][2:]
        if self.method == _STOCHASTIC:
            return [self._stochastic(x, sizes)]
        direct = all(self._as_torch(x.shape[2 + a], sizes[a], a) for a in (0, 1))
        if self.method == _AVE:
            return [self._average(x, sizes, direct)]
        return self._maxima(x, sizes, direct)

    def _maxima(self, x: torch.Tensor, sizes: tuple[int, ...], direct: bool) -> list[torch.Tensor]:
        """The maxima, which begin at the lowest number, so that NaN never wins; with a second top their places too."""
        tops = self._largest(x, sizes, direct)
        if mode.asynchronous() or tops[0].detach().sum().isfinite():
            return tops  # nearly always: PyTorch would have passed NaN on
        lowest = _lowest(x)
        y, *index = self._largest(torch.where(x > lowest, x, lowest), sizes, direct)
        return [y, *(torch.where(y.detach() > lowest, places, -1) for places in index)]

    def _largest(self, x: torch.Tensor, sizes: tuple[int, ...], direct: bool) -> list[torch.Tensor]:
        """PyTorch's maxima, and their places if there is a second top."""
        masked = len(self.param.top) > 1
        if direct and not masked:
            return [F.max_pool2d(x, self.kernel, self.stride, self.pad, ceil_mode=True)]
        if direct:
            y, index = F.max_pool2d(x, self.kernel, self.stride, self.pad, ceil_mode=True, return_indices=True)
            return [y, index.float()]
        padded = self._to_windows(x, sizes, _lowest(x))
        y, index = F.max_pool2d(padded, self.kernel, self.stride, return_indices=True)
        rows = index // padded.shape[3] - self.pad[0]
        columns = index % padded.shape[3] - self.pad[1]
        inside = (rows >= 0) & (rows < x.shape[2]) & (columns >= 0) & (columns < x.shape[3])
        mask = torch.where(inside, rows * x.shape[3] + columns, -1)
        return [y, mask.float()] if masked else [y]

    def _as_torch(self, size: int, out: int, axis: int) -> bool:
        """Whether PyTorch's ceil_mode gives this output size and takes this padding."""
        k, s, p = self.kernel[axis], self.stride[axis], self.pad[axis]
        theirs = -(-(size + 2 * p - k) // s) + 1
        if (theirs - 1) * s >= size + p:
            theirs -= 1
        return theirs == out and 2 * p <= k and size + 2 * p >= k

    def _to_windows(self, x: torch.Tensor, sizes: tuple[int, ...], value: float) -> torch.Tensor:
        """Pad (or cut) the image so that unpadded windows tile it exactly."""
        edges = []
        for axis in (1, 0):
            need = (sizes[axis] - 1) * self.stride[axis] + self.kernel[axis]
            edges += [self.pad[axis], need - x.shape[2 + axis] - self.pad[axis]]
        return F.pad(x, edges, value=value)

    def _average(self, x: torch.Tensor, sizes: tuple[int, ...], direct: bool) -> torch.Tensor:
        if direct:
            return F.avg_pool2d(x, self.kernel, self.stride, self.pad, ceil_mode=True, count_include_pad=True)
        sums = F.avg_pool2d(self._to_windows(x, sizes, 0), self.kernel, self.stride, divisor_override=1)
        spans = []
        for axis in (0, 1):
            start = torch.arange(sizes[axis], device=x.device) * self.stride[axis] - self.pad[axis]
            end = (start + self.kernel[axis]).clamp(max=x.shape[2 + axis] + self.pad[axis])
            spans.append((end - start).to(x.dtype))
        return sums / torch.outer(*spans)

    def _stochastic(self, x: torch.Tensor, sizes: tuple[int, ...]) -> torch.Tensor:
        """TRAIN: one element of the window, drawn in proportion to its value; TEST: the expectation Σx² / Σx."""
        n, c = x.shape[:2]
        windows = F.unfold(self._to_windows(x, sizes, 0), self.kernel, stride=self.stride).view(n, c, -1, *sizes)
        if self.phase == 1:
            total = windows.sum(2)
            return torch.where(total > 0, (windows**2).sum(2) / total.clamp(min=torch.finfo(x.dtype).tiny), 0.0)
        running = windows.detach().cumsum(2)
        draw = torch.rand(running[:, :, :1].shape, device=x.device, generator=mode.generator(x.device))
        chosen = (running < draw * running[:, :, -1:]).sum(2, keepdim=True).clamp(max=windows.shape[2] - 1)
        return windows.gather(2, chosen).squeeze(2)


def _lowest(x: torch.Tensor) -> float:
    return torch.finfo(x.dtype).min


@register("SPP")
class SPP(TensorLayer):
    """Spatial pyramid: (N, C, H, W) pooled into about 2^l × 2^l bins for each level l below `pyramid_height`.

    A level's windows are ceil(size / 2^l) wide and adjoin; the levels are flattened and put one after another,
    (N, C · Σ bins). A pyramid of one level is the pooled map itself.
    """

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if self.param.spp_param.pyramid_height == 0:
            self.fail("pyramid_height is 0 or not stated, wanted a positive number")

    def _levels(self, shape: Shape) -> list[Pooling]:
        """The Pooling layer of each level."""
        if len(shape) != 4:
            self.fail(f"bottom {shape} has {len(shape)} axes, wanted 4 (N, C, H, W)")
        return [self._level(2**level, *shape[2:]) for level in range(self.param.spp_param.pyramid_height)]

    def _level(self, bins: int, height: int, width: int) -> Pooling:
        param = schema.LayerParameter(name=self.param.name, type=self.param.type)
        p = param.pooling_param
        p.pool = self.param.spp_param.pool
        p.kernel_h, p.kernel_w = -(-height // bins), -(-width // bins)
        p.pad_h, p.pad_w = (p.kernel_h * bins - height + 1) // 2, (p.kernel_w * bins - width + 1) // 2
        p.stride_h, p.stride_w = p.kernel_h, p.kernel_w
        if p.pad_h >= max(p.kernel_h, 1) or p.pad_w >= max(p.kernel_w, 1):
            self.fail(f"a map of {height} × {width} is too small for {bins} × {bins} bins; lower the pyramid_height")
        layer = Pooling(param, self.phase, self.origin)
        layer.setup([], [])
        return layer

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        pooled = [level.top_shapes(bottoms[0])[0] for level in self._levels(bottoms[0])]
        if len(pooled) == 1:
            return pooled
        return [(bottoms[0][0], sum(math.prod(shape[1:]) for shape in pooled))]

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        pooled = [level.compute(bottoms, [])[0] for level in self._levels(tuple(bottoms[0].shape))]
        return pooled if len(pooled) == 1 else [torch.cat([y.flatten(1) for y in pooled], 1)]
