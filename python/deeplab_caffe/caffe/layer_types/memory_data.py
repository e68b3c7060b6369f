"""Data that the program hands over as arrays. Mirrors `memory_data_layer.cpp`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ...arrays import Shape
from .. import log, mode
from ..blob import Blob
from .base import DataLayer, register


@register("MemoryData")
class MemoryData(DataLayer):
    """Tops data (N, C, H, W) and label (N, 1, 1, 1), or (N) while there are no data: the arrays given to `reset`.

    They are used over and over; `position` counts from the last `reset`. transform_param is not applied.
    """

    tops = (2, 2)
    _arrays: tuple[np.ndarray, np.ndarray] | None = None

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.param.memory_data_param
        for field in ("batch_size", "channels", "height", "width"):
            if getattr(p, field) < 1:
                self.fail(f"{field} is 0 or not stated, wanted a positive number")

    def reset(self, data: np.ndarray, labels: np.ndarray) -> None:
        """Hand out these arrays from their start: data (n, C, H, W), labels (n, 1, 1, 1) or (n); both float32.

        The arrays are referenced: a later forward uses what is written into them later. Raises
        InputError for another type, shape or memory layout, and where n is no multiple of the batch size.
        """
        p = self.param.memory_data_param
        labels = labels[:, None, None, None] if labels.ndim == 1 else labels
        for what, array, item in (("data", data, (p.channels, p.height, p.width)), ("labels", labels, (1, 1, 1))):
            if array.dtype != np.float32 or not array.flags.c_contiguous:
                order = "" if array.flags.c_contiguous else " not C-contiguous"
                self.fail(f"the {what} are {array.dtype}{order}, wanted a C-contiguous float32 array")
            if array.shape[1:] != item:
                self.fail(f"the {what} have shape {array.shape}, wanted (n, {', '.join(map(str, item))})")
        if len(data) != len(labels):
            self.fail(f"{len(data)} data and {len(labels)} labels, wanted equal numbers")
        if len(data) == 0 or len(data) % p.batch_size:
            self.fail(f"{len(data)} items, wanted a multiple of the batch size {p.batch_size}")
        if self.param.HasField("transform_param"):
            log.info(self.describe() + "Transform parameters ignored by Reset")
        self._arrays = data, labels
        self.position = 0

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        p = self.param.memory_data_param
        label = (p.batch_size,) if self._arrays is None else (p.batch_size, 1, 1, 1)
        return [(p.batch_size, p.channels, p.height, p.width), label]

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        if self._arrays is None:
            self.fail("has no data; call set_input_arrays(data, labels) first")
        count = self.param.memory_data_param.batch_size
        # A position restored from a snapshot need not be a multiple of today's batch size.
        items = (self.position + np.arange(count)) % len(self._arrays[0])
        self.position += count
        return [mode.on_device(torch.from_numpy(array[items])) for array in self._arrays]
