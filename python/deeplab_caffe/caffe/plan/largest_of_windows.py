"""MAX Pooling of large images on the CPU, without the places of the maxima, which PyTorch's makes in any case."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from ...lazy import imported_on_use
from ...threads import together
from .buffers import buffers

if TYPE_CHECKING:
    from ...kernels import pooling as loops
else:
    loops = imported_on_use("deeplab_caffe.kernels.pooling")

_LEAST = 1 << 20  # values below which nothing is gained


def fits(x: torch.Tensor) -> bool:
    """Whether an input (N, C, H, W) is large, and of a kind that the loop reads."""
    usual = x.device.type == "cpu" and x.dtype == torch.float32 and x.dim() == 4
    return usual and x.numel() >= _LEAST and x.is_contiguous(memory_format=torch.channels_last)


def maxima(x: torch.Tensor, layer: Any, shape: Sequence[int]) -> torch.Tensor:
    """The maxima (N, C, h, w) of a Pooling layer's windows, in channels_last."""
    images, channels, height, width = x.shape
    y = buffers.image(shape)
    windows = loops.Windows(height, width, channels, *shape[2:], *layer.kernel, *layer.stride, *layer.pad)
    flat = [tensor.permute(0, 2, 3, 1).reshape(-1).numpy() for tensor in (x.detach(), y)]
    rows, threads = images * shape[2], torch.get_num_threads()
    step = max(1, rows // (8 * threads))
    parts = iter([(first, min(first + step, rows)) for first in range(0, rows, step)])

    def work() -> None:
        for first, last in parts:
            loops.largest(flat[0], first, last, windows, flat[1])

    together(work, threads)
    return y
