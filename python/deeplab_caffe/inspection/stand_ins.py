"""Layers that reach outside the net – files, databases, the user's code – as ones that know only their shapes.

A net is looked at without its data at hand, and looking must change nothing: no file is written or emptied, no module
imported, and data are read only where nothing else tells a shape. A stand-in is a subclass of the layer's own class
with another setup and shape rule, so that what else the net asks of it (its counts, whether it is a loss) stays true.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence

from ..arrays import Shape, Size
from ..caffe.blob import Blob
from ..caffe.layer_types.base import Layer, layer_class
from ..caffe.layer_types.python import python_layer
from ..errors import InputError
from ..formats.definition import Entry
from ..permission import python_layers_allowed

#: height and width


class Inputs:
    """The shapes of a net's inputs: those that its layers state, changed as the user wishes.

    shapes: by blob; size: height and width of the image. What the data layers make beside a changed blob follows:
    where its number of items, or its height and width, were the blob's, they become the blob's new ones.
    """

    def __init__(self, shapes: Mapping[str, Shape] | None = None, size: Size | None = None) -> None:
        self.shapes = dict(shapes or {})
        self.size = size
        self.used: set[str] = set()
        self._items: dict[int, int] = {}
        self._sizes: dict[Shape, Shape] = {}

    @property
    def image_size(self) -> Size | None:
        """Height and width that the user stated."""
        stated = next((s for s in self.shapes.values() if len(s) == 4), None)
        return (stated[2], stated[3]) if stated else self.size

    def adapt(self, names: Sequence[str], shapes: Sequence[Shape]) -> list[Shape]:
        """The shapes of a data layer's tops (those without a name are last) as the user wishes."""
        for name, shape in zip(names, shapes, strict=False):
            self._note(name, shape)
        self.used.update(name for name in names if name in self.shapes)
        named = [self.shapes.get(name) or self._follow(shape) for name, shape in zip(names, shapes, strict=False)]
        return [*named, *map(self._follow, shapes[len(names) :])]

    def _note(self, name: str, shape: Shape) -> None:
        """Remember what becomes of a blob's items and size."""
        wanted = self.shapes.get(name)
        if wanted:
            self._items.setdefault(shape[0] if shape else 1, wanted[0])
            self._sizes.setdefault(shape[2:4], wanted[2:4])
        elif self.size and len(shape) == 4 and not self._sizes:
            self._sizes[shape[2:4]] = self.size

    def _follow(self, shape: Shape) -> Shape:
        items = (self._items.get(shape[0], shape[0]),) if shape else ()
        size = self._sizes.get(shape[2:4], shape[2:4]) if len(shape) == 4 else shape[2:]
        return (*items, *shape[1:2], *size)


def create(entry: Entry, inputs: Inputs) -> Layer:
    """The layer of a definition, or its stand-in."""
    p = entry.param
    cls = layer_class(p, entry.origin)
    rule = _RULES.get(p.type)
    if p.type == "Python":
        if python_layers_allowed():
            return python_layer(p, p.phase, entry.origin)
        rule = _python
    elif rule is None and p.bottom:
        return cls(p, p.phase, entry.origin)
    return _stand_in(cls, rule, inputs)(p, p.phase, entry.origin)


def _stand_in(cls: type[Layer], rule: Rule | None, inputs: Inputs) -> type[Layer]:
    """A subclass whose shapes come from `rule`, or from the layer itself where it has none or that knows nothing."""

    class StandIn(cls):  # type: ignore[valid-type, misc]
        _shapes: list[Shape] | None = None

        def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
            names = list(self.param.top)
            if names and all(name in inputs.shapes for name in names):
                self._shapes = [inputs.shapes[name] for name in names]
            elif rule is not None:
                self._shapes = rule(self, [b.shape for b in bottom], len(top), inputs.image_size)
            if self._shapes is None:
                self._set_up(bottom, top)

        def _set_up(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
            try:
                super().setup(bottom, top)
            except InputError as error:
                if bottom:
                    raise
                raise InputError(f"{error}; to state its shapes: --input {self.param.top[0]}=1,3,321,321") from None

        def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
            if self._shapes is None:
                super().reshape(bottom, top)
            shapes = [b.shape for b in top] if self._shapes is None else self._shapes
            for blob, shape in zip(top, inputs.adapt(self.param.top, shapes), strict=False):
                blob.reshape(*shape)

    return StandIn


#: (layer, shapes of the bottoms, number of tops, size of the image if the user states one) → shapes, None if unknown
Rule = Callable[[Layer, list[Shape], int, "Size | None"], "list[Shape] | None"]


def _crop(layer: Layer, image: Size | None) -> Size | None:
    """Height and width that a data layer's images get, where it says so."""
    t = layer.param.transform_param
    if t.crop_height and t.crop_width:
        return t.crop_height, t.crop_width
    if t.crop_size:
        return t.crop_size, t.crop_size
    p = layer.param.image_data_param
    return (p.new_height, p.new_width) if p.new_height and p.new_width else image


def _image_seg_data(layer: Layer, bottoms: list[Shape], tops: int, image: Size | None) -> list[Shape] | None:
    p, size = layer.param.image_data_param, _crop(layer, image)
    n = p.batch_size
    return size and [(n, 3 if p.is_color else 1, *size), (n, 1, *size), (n, 1, 1, 2)]


def _image_data(layer: Layer, bottoms: list[Shape], tops: int, image: Size | None) -> list[Shape] | None:
    p, size = layer.param.image_data_param, _crop(layer, image)
    return size and [(p.batch_size, 3 if p.is_color else 1, *size), (p.batch_size,)]


def _data(layer: Layer, bottoms: list[Shape], tops: int, image: Size | None) -> list[Shape] | None:
    """Where the database is there, it knows the number of channels; else the images are taken to be in colour."""
    p, size = layer.param.data_param, _crop(layer, image)
    if size is None or os.path.exists(p.source):
        return None
    channels = 1 if layer.param.transform_param.force_gray else 3
    return [(p.batch_size, channels, *size), (p.batch_size,)][:tops]


def _window_data(layer: Layer, bottoms: list[Shape], tops: int, image: Size | None) -> list[Shape] | None:
    n, crop = layer.param.window_data_param.batch_size, layer.param.transform_param.crop_size
    return [(n, 3, crop, crop), (n,)] if crop else None


def _nothing(layer: Layer, bottoms: list[Shape], tops: int, image: Size | None) -> list[Shape] | None:
    """Of a layer that only writes."""
    return []


def _infogain(layer: Layer, bottoms: list[Shape], tops: int, image: Size | None) -> list[Shape] | None:
    """Without its third bottom the matrix is in a file."""
    return [(), bottoms[0]][:tops] if len(bottoms) == 2 else None


def _python(layer: Layer, bottoms: list[Shape], tops: int, image: Size | None) -> list[Shape] | None:
    raise InputError(
        layer.describe() + "its shapes are known to its own code alone; if you trust that, say --allow-python-layers, "
        + "else state them: " + " ".join(f"--input {name}=1,3,321,321" for name in layer.param.top)
    )  # fmt: skip


_RULES: dict[str, Rule] = {
    "ImageSegData": _image_seg_data,
    "ImageData": _image_data,
    "Data": _data,
    "WindowData": _window_data,
    "MatWrite": _nothing,
    "HDF5Output": _nothing,
    "InfogainLoss": _infogain,
}
