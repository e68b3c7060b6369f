"""Which layer makes each blob that a layer reads, from the names of bottoms and tops alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

#: the index of a layer and of one of its tops
Maker = tuple[int, int]
#: the index of a layer and of one of its bottoms
Reader = tuple[int, int]


class Wiring:
    """The connections between layers, in the order in which they run.

    The embedded Caffe works with blobs instead, which know who writes them; a net's text has no indices yet. All other
    code that has layer messages asks here.

    Args:
        layers: messages with `bottom` and `top`.
        one_state: whether all layers run together. If not, layers with include or exclude rules are taken for
            alternatives: where several make a blob of one name, each may be the one that is read.

    Attributes:
        makers: for every layer and bottom the tops that it may be: none, one, or (of alternatives) several.
        readers: for every top that is read, the bottoms that read it.

    Example:
        >>> from deeplab_caffe.formats.schema import LayerParameter
        >>> data, relu = LayerParameter(top=["x"]), LayerParameter(bottom=["x"], top=["x"])
        >>> Wiring([data, relu, LayerParameter(bottom=["x", "y"])]).makers
        [[], [[(0, 0)]], [[(1, 0)], []]]
    """

    def __init__(self, layers: Sequence[Any], one_state: bool = False) -> None:
        self.layers = layers
        self.makers: list[list[list[Maker]]] = []
        self.readers: dict[Maker, list[Reader]] = {}
        latest: dict[str, list[Maker]] = {}
        for i, layer in enumerate(layers):
            self.makers.append([list(latest.get(name, ())) for name in layer.bottom])
            for j, makers in enumerate(self.makers[i]):
                for maker in makers:
                    self.readers.setdefault(maker, []).append((i, j))
            keeps = not one_state and _is_conditional(layer)
            for j, name in enumerate(layer.top):
                others = [m for m in latest.get(name, ()) if keeps and _is_conditional(layers[m[0]])]
                latest[name] = [*others, (i, j)]

    def is_in_place(self, layer: int) -> bool:
        """Whether a layer writes over what it reads."""
        return bool(set(self.layers[layer].bottom) & set(self.layers[layer].top))


def _is_conditional(layer: Any) -> bool:
    """Whether a layer belongs to some states only."""
    return bool(layer.include or layer.exclude)
