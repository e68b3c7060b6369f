"""Labels that are no class: an error at once on the CPU, as soon as the device gets there elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ...errors import InputError
from .. import mode
from .base import Layer


class LabelError(InputError):
    """A label that is no class and not ignored; `item` is its place in the batch."""

    def __init__(self, message: str, item: int, num_classes: int, ignored: Sequence[int]) -> None:
        super().__init__(message)
        self.item, self.num_classes, self.ignored = item, num_classes, ignored


def check_labels(layer: Layer, labels: torch.Tensor, classes: int, ignored: Sequence[int], items: int) -> torch.Tensor:
    """Where labels (any shape, `items` items first) are classes; LabelError if one is neither a class nor ignored.

    A device that computes while the host goes on is not waited for: the layer gets a doubt, to be settled later.
    """
    valid = torch.ones_like(labels, dtype=torch.bool)
    for value in ignored:
        valid &= labels != value
    wrong = valid & ((labels < 0) | (labels >= classes))
    if labels.numel() == 0:
        return valid
    if mode.asynchronous():
        layer.doubts.append(Doubt(layer, labels, wrong, classes, ignored, items))
        return valid & ~wrong
    if bool(wrong.any()):
        Doubt(layer, labels, wrong, classes, ignored, items).settle()
    return valid


class Doubt:
    """A batch of labels that may have a wrong one among them."""

    def __init__(
        self, layer: Layer, labels: torch.Tensor, wrong: torch.Tensor, classes: int, ignored: Sequence[int], items: int
    ) -> None:
        self._layer, self._classes, self._ignored = layer, classes, list(ignored)
        self._item_size = max(1, labels.numel() // max(1, items))
        position = wrong.flatten().to(torch.uint8).argmax()
        found = torch.stack([wrong.any().to(torch.int64), position, labels.flatten().take(position).to(torch.int64)])
        self._done: torch.cuda.Event | None = None
        self._found = found
        if found.device.type == "cuda":
            self._found = torch.empty(3, dtype=torch.int64, pin_memory=True).copy_(found, non_blocking=True)
            self._done = torch.cuda.Event()
            self._done.record()

    @property
    def ready(self) -> bool:
        """Whether it can be settled without waiting."""
        return self._done is None or self._done.query()

    def settle(self) -> None:
        """Raise LabelError if a label is wrong; waits until that is known."""
        if self._done is not None:
            self._done.synchronize()
        is_wrong, position, value = self._found.tolist()
        if not is_wrong:
            return
        ignoring = f"ignored: {', '.join(map(str, self._ignored))}" if self._ignored else "no label is ignored"
        raise LabelError(
            f"{self._layer.describe()}label {value} is neither one of the {self._classes} classes (0 to "
            f"{self._classes - 1}) nor ignored ({ignoring})",
            position // self._item_size,
            self._classes,
            self._ignored,
        )
