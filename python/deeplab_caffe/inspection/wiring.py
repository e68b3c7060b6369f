"""Which layer makes what another one reads, by the indices of layers in a net's file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

#: a layer's index and which of its tops
Maker = tuple[int, int]


class Wiring:
    """The connections of a list of layers, with all phases in one.

    makers: for every layer and bottom the tops that it may be: one, or several if layers of different states make blobs
    of the same name. readers: for every layer and top the (layer, bottom) pairs that read it.
    """

    def __init__(self, layers: Sequence[Any]) -> None:
        self.layers = layers
        self.makers: list[list[list[Maker]]] = []
        self.readers: dict[Maker, list[Maker]] = {}
        latest: dict[str, list[Maker]] = {}
        for i, layer in enumerate(layers):
            self.makers.append([list(latest.get(name, ())) for name in layer.bottom])
            for j, makers in enumerate(self.makers[i]):
                for maker in makers:
                    self.readers.setdefault(maker, []).append((i, j))
            for j, name in enumerate(layer.top):
                others = [m for m in latest.get(name, ()) if is_conditional(layer) and is_conditional(layers[m[0]])]
                latest[name] = [*others, (i, j)]

    def is_in_place(self, layer: int) -> bool:
        """Whether a layer overwrites what it reads."""
        return bool(set(self.layers[layer].bottom) & set(self.layers[layer].top))


def is_conditional(layer: Any) -> bool:
    """Whether a layer has include or exclude rules."""
    return bool(layer.include or layer.exclude)
