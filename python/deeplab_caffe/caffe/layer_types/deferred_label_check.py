"""A check of labels that does not wait for the device: its result is read when it is there."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ...errors import InputError


class LabelError(InputError):
    """A label that is neither a class nor ignored; `item` is its place in the batch."""

    def __init__(self, message: str, item: int, num_classes: int, ignored: Sequence[int]) -> None:
        super().__init__(message)
        self.item, self.num_classes, self.ignored = item, num_classes, ignored


class DeferredLabelCheck:
    """A check of a batch of labels whose result is read later.

    where: the start of its message, which names the layer.
    """

    def __init__(
        self, where: str, labels: torch.Tensor, wrong: torch.Tensor, classes: int, ignored: Sequence[int], items: int
    ) -> None:
        self._where, self._classes, self._ignored = where, classes, list(ignored)
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
        """Whether the result is known without waiting."""
        return self._done is None or self._done.query()

    def finish(self) -> None:
        """Raise LabelError if a label is wrong; waits until that is known."""
        if self._done is not None:
            self._done.synchronize()
        is_wrong, position, value = self._found.tolist()
        if not is_wrong:
            return
        ignoring = f"ignored: {', '.join(map(str, self._ignored))}" if self._ignored else "no label is ignored"
        raise LabelError(
            f"{self._where}label {value} is neither one of the {self._classes} classes (0 to "
            f"{self._classes - 1}) nor ignored ({ignoring})",
            position // self._item_size,
            self._classes,
            self._ignored,
        )
