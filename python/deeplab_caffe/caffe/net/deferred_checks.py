"""Wrong labels that are found after the host has gone on: which net's they are, and where they came from."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...errors import InputError
from ..layer_types.base import DataLayer, Layer
from ..layer_types.label_check import Doubt, LabelError

if TYPE_CHECKING:
    from .net import Net

#: doubts in the order of the passes, each with what the data layers' batches were made of then
Doubts = deque[tuple[Doubt, "list[Sequence[Any]]"]]


def note(net: Net, layer: Layer) -> None:
    """Take over the doubts of a layer's forward."""
    if layer.doubts:
        sources = [data.present for data in _data_layers(net)]
        net.doubts.extend((doubt, sources) for doubt in layer.doubts)
        layer.doubts.clear()


def settle(net: Net, wait: bool = True) -> None:
    """Raise InputError for the first label that is wrong; without `wait` among those that are known by now."""
    while net.doubts and (wait or net.doubts[0][0].ready):
        doubt, sources = net.doubts.popleft()
        try:
            doubt.settle()
        except LabelError as error:
            net.doubts.clear()
            for layer, entries in zip(_data_layers(net), sources, strict=True):
                layer.present = entries
            raise explained(net, error) from None


def explained(net: Net, error: LabelError) -> InputError:
    """The error with the place in the data that the label came from, where a data layer knows it."""
    for layer in _data_layers(net):
        text = layer.explain_label(error.item, error.num_classes, error.ignored)
        if text:
            return InputError(f"{error}: {text}")
    return error


def _data_layers(net: Net) -> list[DataLayer]:
    return [layer for layer in net.layers if isinstance(layer, DataLayer)]
