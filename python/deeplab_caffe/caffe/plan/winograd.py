"""3 × 3 convolutions of stride 1 by Winograd's minimal filtering, on the CPU in float32.

F(m × m, 3 × 3) needs (m + 2)² products for m² outputs in place of 9 m²: for m = 4 a quarter. It rounds differently from
the direct sum; docs/design/planned-execution.md says how far apart they are.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from ...arrays import Float32
from ...lazy import imported_on_use
from ...threads import together
from .buffers import buffers
from .folded import Folded, Geometry, Growth

if TYPE_CHECKING:
    from ...kernels import registers
    from ...kernels import winograd as loops
else:
    registers = imported_on_use("deeplab_caffe.kernels.registers")
    loops = imported_on_use("deeplab_caffe.kernels.winograd")

#: sizes of tiles, F(m × m, 3 × 3)
SIZES = (2, 3, 4)
_KEPT = 4 << 20  # bytes of transformed weights that stay in memory; larger ones are transformed in each pass
_PANELS = 2  # of outputs whose products are kept at once


def fits(geometry: Geometry) -> bool:
    """Whether a convolution can be computed so."""
    return (geometry.kernel, geometry.stride, geometry.group) == ((3, 3), (1, 1), 1)


def tile_count(geometry: Geometry, shape: Sequence[int], m: int) -> int:
    """How many tiles of m × m outputs an input (N, C, H, W) gives."""
    rows, columns = _all_starts(geometry, shape, m)
    return shape[0] * len(rows) * len(columns)


def _all_starts(geometry: Geometry, shape: Sequence[int], m: int) -> list[NDArray[np.int64]]:
    """The first output of each tile in a column and in a row of tiles."""
    return [_starts(s, m, d) for s, d in zip(geometry.out_size(shape[2:]), geometry.dilation, strict=True)]


def _starts(size: int, m: int, dilation: int) -> NDArray[np.int64]:
    """Of the tiles in a line of `size` outputs: those of a tile are `dilation` apart."""
    return np.concatenate([np.arange(phase, size, m * dilation) for phase in range(min(dilation, size))])


class Winograd:
    """A convolution with its ReLU, of inputs (N, C, H, W) in channels_last, in tiles of m × m outputs.

    Args:
        convolution: float32 on the CPU, of a geometry that `fits`.
        m: 2, 3 or 4.

    Attributes:
        bound: what no absolute value of the latest result is greater than, None if that is not known.
    """

    bound: float | None = None

    def __init__(self, convolution: Folded, m: int) -> None:
        self.geometry, self.m, self._growth = convolution.geometry, m, Growth(convolution)
        self.slope = 1.0 if convolution.slope is None else convolution.slope
        self.panels = -(-self.geometry.outputs // registers.PANEL)
        self.bias = _zeros(self.panels * registers.PANEL)
        if convolution.bias is not None:
            self.bias[: self.geometry.outputs] = convolution.bias.numpy()
        self._weight = _flat(convolution.weight)  # the layer's own, unless something was folded in
        self._transformed: Float32 | None = None
        if 4 * self._transformed_size <= _KEPT:
            self._transformed = torch.from_numpy(self.weights()).clone().numpy()
            self._weight = self._weight[:0].copy()

    @property
    def _transformed_size(self) -> int:
        return self.panels * (self.m + 2) ** 2 * self.geometry.channels * registers.PANEL

    def weights(self) -> Float32:
        """The transformed weights, flat; see `kernels/winograd.py`."""
        if self._transformed is not None:
            return self._transformed
        found: Float32 = buffers.empty(self._transformed_size).numpy()
        panels = iter(range(self.panels))

        def work() -> None:
            taps = _empty(9 * registers.LANES * registers.PANEL)
            sizes = self.geometry.outputs, self.geometry.channels
            for panel in panels:
                loops.transform_weights((0,) * self.m, self._weight, panel, panel + 1, *sizes, taps, found)

        together(work, torch.get_num_threads())
        return found

    def __call__(self, x: torch.Tensor, bound: float | None = None) -> torch.Tensor | None:
        """The outputs, in channels_last; None if one is not finite, since a direct sum may differ in which are not.

        bound: what no absolute value of x is greater than, if that is known.
        """
        self.bound = self._growth.above(bound)
        task = _Task(self, x)
        return task.y if task.run() else None


class _Task:
    """The convolution of one input. y: the outputs, (N, C, H, W) in channels_last."""

    def __init__(self, layer: Winograd, x: torch.Tensor) -> None:
        self._layer, self._threads = layer, torch.get_num_threads()
        g, (images, channels, height, width) = layer.geometry, x.shape
        size = g.out_size((height, width))
        self.y = buffers.image((images, g.outputs, *size))
        self._x, self._y = _flat(x), _flat(self.y)
        self._rows, self._columns = _all_starts(g, x.shape, layer.m)
        tiles = len(self._rows), len(self._columns)
        self._count = images * tiles[0] * tiles[1]
        self._geometry = loops.Geometry(
            layer.m, height, width, channels, *size, g.outputs, *g.pad, *g.dilation, *tiles
        )
        self._block = self._chosen_block()

    def _chosen_block(self) -> loops.Block:
        """As many tiles as fit into a thread's cache before and after the products, but some for each thread."""
        panels, rows = min(_PANELS, self._layer.panels), registers.ROWS
        # one vector more, so that tiles do not lie a power of two apart, where they compete for the same cache lines
        in_stride = (-(-self._layer.geometry.channels // registers.LANES) + 1) * registers.LANES
        out_stride = panels * registers.PANEL + registers.LANES
        fitting = max(2, _cache_bytes() // (4 * (self._layer.m + 2) ** 2 * (in_stride + out_stride)) // rows)
        tiles = rows * min(fitting, -(-self._count // (self._threads * rows)))
        return loops.Block(tiles, panels, in_stride, out_stride)

    def run(self) -> bool:
        """Compute y; returns whether all of it is finite."""
        weights, block, size = self._layer.weights(), self._block, (self._layer.m + 2) ** 2
        results: list[bool] = []

        def work() -> None:
            in_patch = _zeros(size * block.in_stride)
            transformed = _empty(size * block.tiles * block.in_stride)
            products = _empty(size * block.tiles * block.out_stride)
            out_patch = _empty(self._layer.m**2 * block.out_stride)
            for tiles in parts:
                results.append(
                    loops.convolve(
                        (0,) * self._layer.m, (0,) * registers.ROWS, (0,) * registers.VECTORS, self._x, weights,
                        self._layer.bias, self._layer.slope, self._y, tiles, self._rows, self._columns,
                        self._geometry, block, in_patch, transformed, products, out_patch,
                    )
                )  # fmt: skip

        parts = _parts(self._count, block.tiles, 4 * self._threads)
        together(work, self._threads)
        return all(results)


def _empty(count: int) -> Float32:
    """Uninitialized memory of PyTorch's, which begins where vectors of 64 bytes may."""
    found: Float32 = torch.empty(count).numpy()
    return found


def _zeros(count: int) -> Float32:
    found: Float32 = torch.zeros(count).numpy()
    return found


def _flat(x: torch.Tensor) -> Float32:
    """The values of (N, C, H, W) in channels_last as a flat array, a view where they lie so in memory."""
    found: Float32 = x.permute(0, 2, 3, 1).reshape(-1).numpy()
    return found


def _parts(count: int, unit: int, most: int) -> Iterator[tuple[int, int]]:
    """`count` tiles in at most `most` ranges of whole units; threads may share the iterator."""
    size = unit * math.ceil(count / (unit * most))
    return iter([(first, min(first + size, count)) for first in range(0, count, size)])


def _cache_bytes() -> int:
    """What a processor's own cache holds, 1 MiB if the system does not say."""
    try:
        return os.sysconf("SC_LEVEL2_CACHE_SIZE") or 1 << 20
    except (AttributeError, OSError, ValueError):
        return 1 << 20
