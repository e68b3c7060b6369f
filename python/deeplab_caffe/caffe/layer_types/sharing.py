"""Layers whose top is the bottom's memory under another name or shape."""

from __future__ import annotations

from collections.abc import Sequence

from ..blob import Blob
from .base import TensorLayer


class SharingLayer(TensorLayer):
    """With one bottom and one top, the top shares data and diff with the bottom; else an ordinary layer."""

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        if self._shares(bottom, top):
            top[0].share_data(bottom[0])
            top[0].share_diff(bottom[0])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if not self._shares(bottom, top):
            super().forward(bottom, top)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not self._shares(bottom, top):
            super().backward(top, propagate_down, bottom)

    @staticmethod
    def _shares(bottom: Sequence[Blob], top: Sequence[Blob]) -> bool:
        return len(bottom) == 1 and len(top) == 1
