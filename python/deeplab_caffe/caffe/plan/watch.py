"""Noticing that parameters have changed."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..blob import Blob

#: a parameter's tensor, its version, and a copy where writing through a numpy view would leave the version alone
_Seen = tuple[torch.Tensor, int, "torch.Tensor | None"]


class Watch:
    """Tells whether parameters were changed, by the engine or through numpy views."""

    def __init__(self, blobs: Sequence[Blob]) -> None:
        self._blobs = list(blobs)
        self._seen: list[_Seen] = []

    def changed(self) -> bool:
        """Whether anything changed since the last call (always at the first one)."""
        present = [(blob.data_tensor(), blob.data_memory.viewed) for blob in self._blobs]
        if self._seen and all(_same(seen, *now) for seen, now in zip(self._seen, present, strict=True)):
            return False
        self._seen = [(tensor, tensor._version, tensor.clone() if viewed else None) for tensor, viewed in present]
        return True


def _same(seen: _Seen, tensor: torch.Tensor, viewed: bool) -> bool:
    before, version, copy = seen
    if tensor is not before or tensor._version != version:
        return False
    return not viewed or (copy is not None and torch.equal(copy, tensor))
