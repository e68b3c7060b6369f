"""Checks of values that do not wait for the device: their result is read when it is there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from ...errors import InputError


class DeferredCheck:
    """A few whole numbers on their way to the host, and what is made of them there.

    found: whole numbers (K); the first is not 0 where something is wrong. error: the error, from the K numbers.
    """

    def __init__(self, found: torch.Tensor, error: Callable[..., InputError]) -> None:
        self._error = error
        self._done: Any = None  # an event of the device
        self._found = found
        if found.device.type != "cpu":
            self._found = torch.empty(found.shape, dtype=found.dtype, pin_memory=True).copy_(found, non_blocking=True)
            self._done = torch.get_device_module(found.device).Event()
            self._done.record()

    @property
    def ready(self) -> bool:
        """Whether the result is known without waiting."""
        return self._done is None or self._done.query()

    def finish(self) -> None:
        """Raise the error if something is wrong; waits until that is known."""
        if self._done is not None:
            self._done.synchronize()
        found = self._found.tolist()
        if found[0]:
            raise self._error(*found)


class LabelError(InputError):
    """A label that is neither a class nor ignored; `item` is its place in the batch."""

    def __init__(self, message: str, item: int, num_classes: int, ignored: Sequence[int]) -> None:
        super().__init__(message)
        self.item, self.num_classes, self.ignored = item, num_classes, ignored
