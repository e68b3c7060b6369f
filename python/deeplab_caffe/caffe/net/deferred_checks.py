"""Invalid labels and indices that are found after the host has gone on: of which net, and where labels came from."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from ...errors import InputError
from ..layer_types.base import DataLayer, Layer
from ..layer_types.deferred_check import DeferredCheck, LabelError


class DeferredChecks:
    """The unfinished checks of a net, in the order of its passes.

    Each stands with what the batches of the data layers were made of when it began.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        self._data_layers = [layer for layer in layers if isinstance(layer, DataLayer)]
        self._pending: deque[tuple[DeferredCheck, list[Sequence[Any]]]] = deque()

    def __len__(self) -> int:
        return len(self._pending)

    def collect(self, layer: Layer) -> None:
        """Take over the checks that a layer's forward began."""
        if layer.deferred_checks:
            sources = [data.present for data in self._data_layers]
            self._pending.extend((check, sources) for check in layer.deferred_checks)
            layer.deferred_checks.clear()

    def finish(self, wait: bool = True) -> None:
        """Raise InputError for the first value that is invalid; without `wait` only look at results that are known."""
        while self._pending and (wait or self._pending[0][0].ready):
            check, sources = self._pending.popleft()
            try:
                check.finish()
            except LabelError as error:
                self._pending.clear()
                for layer, entries in zip(self._data_layers, sources, strict=True):
                    layer.present = entries
                raise self.explained(error) from None
            except InputError:
                self._pending.clear()
                raise

    def explained(self, error: LabelError) -> InputError:
        """The error with the place in the data that the label came from, where a data layer knows it."""
        for layer in self._data_layers:
            text = layer.explain_label(error.item, error.num_classes, error.ignored)
            if text:
                return InputError(f"{error}: {text}")
        return error
