"""OpenCV's view of a net: each layer has outputs of its own, and no layer works in place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..errors import InputError
from ..formats import schema
from ..spelling import did_you_mean


class Outputs:
    """A net whose layers are named as OpenCV's importer names them, with a blob for each output of each layer.

    A Convolution has the name of its top, other layers their own, and one whose name is taken gets `_1`, `_2`, … behind
    it. Input layers are one, number 0, `_input`.

    Args:
        param: an upgraded NetParameter of one state.

    Attributes:
        param: the same net with tops that are written once: OpenCV's name of the layer, with `.1`, `.2`, … behind for
            further tops.
        inputs: the blobs that a user fills, in order.
        names: OpenCV's name of each layer, without the inputs.
        layers: the LayerParameter of each of these.
    """

    def __init__(self, param: Any) -> None:
        self.param = schema.NetParameter()
        self.param.CopyFrom(param)
        self.inputs: list[str] = []
        self.names: list[str] = []
        self.layers: list[Any] = []
        self._blobs: dict[str, str] = {}  # the blob that a name of the file, or of OpenCV, stands for
        self._read: set[str] = set()
        self._rename()

    def _rename(self) -> None:
        latest: dict[str, str] = {}
        for layer in self.param.layer:
            bottoms = [latest.get(name, name) for name in layer.bottom]
            self._read.update(bottoms)
            del layer.bottom[:]
            layer.bottom.extend(bottoms)
            if layer.type == "Input":
                self.inputs += layer.top
                latest.update((top, top) for top in layer.top)
            else:
                self._add(layer, latest)
        self._blobs = {**latest, **self._blobs}

    def _add(self, layer: Any, latest: dict[str, str]) -> None:
        name = self._free_name(layer.top[0] if layer.type == "Convolution" and layer.top else layer.name)
        tops = [f"{name}.{i}" if i else name for i in range(len(layer.top))]
        latest.update(zip(layer.top, tops, strict=True))
        del layer.top[:]
        layer.top.extend(tops)
        self.names.append(name)
        self.layers.append(layer)
        if tops:
            self._blobs.setdefault(layer.name, tops[0])
            self._blobs.update((top, top) for top in tops)

    def _free_name(self, wanted: str) -> str:
        taken = {*self.names, *self.inputs}
        choices = [wanted, *(f"{wanted}_{i}" for i in range(1, len(taken) + 2))]
        return next(choice for choice in choices if choice not in taken)

    def blob(self, name: str) -> str:
        """The blob that a name stands for: OpenCV's name of a layer, the file's, or that of a top.

        Raises:
            InputError: there is none.
        """
        if name not in self._blobs:
            raise InputError(f'Requested layer "{name}" not found{did_you_mean(name, [*self.names, *self._blobs])}')
        return self._blobs[name]

    def tops(self, name: str) -> Sequence[str]:
        """All blobs of the layer that a name stands for."""
        blob = self.blob(name)
        maker = self.maker(blob)
        return maker.top if maker else [blob]

    def maker(self, blob: str) -> Any:
        """The layer that makes a blob; None for an input."""
        return next((layer for layer in self.layers if blob in layer.top), None)

    def index(self, name: str) -> int:
        """The number of the layer of a name, from 1; 0 for the inputs, -1 for none."""
        if name == "_input":
            return 0
        named = [*self.names, *(layer.name for layer in self.layers)]
        return named.index(name) % len(self.names) + 1 if name in named else -1

    def unread(self) -> Iterable[int]:
        """The numbers of the layers none of whose outputs is read."""
        return [i for i, layer in enumerate(self.layers, 1) if not self._read.intersection(layer.top)]
