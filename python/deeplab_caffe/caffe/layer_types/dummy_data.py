"""Data made by fillers. Mirrors `dummy_data_layer.cpp`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ...arrays import Shape
from ...errors import InputError
from ...formats import schema
from ..blob import Blob
from ..filler import fill
from .base import MANY, DataLayer, register

_LEGACY = ("num", "channels", "height", "width")


@register("DummyData")
class DummyData(DataLayer):
    """Tops of the stated shapes, filled by `data_filler`: none (zeros), one for all tops, or one for each.

    A constant filler fills once, at set-up, and what the user writes stays; any other fills at every forward, from the
    engine's generator, whose state is part of a snapshot.
    """

    tops = (1, MANY)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        fillers = list(self.param.dummy_data_param.data_filler) or [schema.FillerParameter()]
        if len(fillers) not in (1, len(top)):
            self.fail(f"states {len(fillers)} data_fillers for {len(top)} tops, wanted none, one, or one for each")
        self._fillers = fillers * len(top) if len(fillers) == 1 else fillers
        self._shapes = self._stated_shapes(len(top))
        for blob, shape, filler in zip(top, self._shapes, self._fillers, strict=True):
            blob.reshape(*shape)
            if filler.type == "constant":
                blob.set_data(self._filled(shape, filler))

    def _stated_shapes(self, count: int) -> list[Shape]:
        p = self.param.dummy_data_param
        stated = {field: list(getattr(p, field)) for field in _LEGACY}
        if not any(stated.values()):
            if len(p.shape) not in (1, count):
                self.fail(f"states {len(p.shape)} shapes for {count} tops, wanted one, or one for each")
            shapes = [tuple(s.dim) for s in p.shape]
            return shapes * count if len(shapes) == 1 else shapes
        if p.shape:
            self.fail("states shape and also num, channels, height or width; wanted one of the two ways")
        for field, values in stated.items():
            if len(values) not in (1, count):
                self.fail(f"states {field} {len(values)} times for {count} tops, wanted once, or once for each")
        columns = [values * count if len(values) == 1 else values for values in stated.values()]
        return list(zip(*columns, strict=True))

    def _filled(self, shape: Shape, filler: Any) -> torch.Tensor:
        try:
            return fill(shape, filler)
        except InputError as error:
            self.fail(str(error))

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        return self._shapes

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        return [self._filled(shape, filler) for shape, filler in zip(self._shapes, self._fillers, strict=True)]

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        pass  # the user may have given a top another shape

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for blob, filler in zip(top, self._fillers, strict=True):
            if filler.type != "constant":
                blob.set_data(self._filled(blob.shape, filler))
        self.position += (*top[0].shape, 1)[0]

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        pass
