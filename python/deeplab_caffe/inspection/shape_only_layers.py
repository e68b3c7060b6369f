"""Shape-only layers: they replace layers that use files, databases or the user's code while a net is inspected.

Inspecting a net must not need its data and must not change anything: no file is written or emptied, no module is
imported, and data are read only if nothing else determines a shape. A shape-only layer is a subclass of the layer's own
class with another setup and shape rule, so that all else that the net asks of it (how many blobs it takes, whether it
is a loss) is unchanged.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence

from ..caffe.blob import Blob
from ..caffe.layer_types.base import Layer, Shape, layer_class
from ..caffe.layer_types.python import python_layer
from ..errors import InputError
from ..formats.definition import Entry
from ..permission import python_layers_allowed

#: height and width
Size = tuple[int, int]


class Inputs:
    """The shapes of a net's inputs: those that its layers state, or those that the user states instead.

    shapes: by blob; size: height and width of the image. Other tops of the data layers follow a changed blob: if their
    number of items, or their height and width, were equal to the blob's, they become the blob's new ones.
    """

    def __init__(self, shapes: Mapping[str, Shape] | None = None, size: Size | None = None) -> None:
        self.shapes = dict(shapes or {})
        self.size = size
        self.used: set[str] = set()
        self._items: dict[int, int] = {}
        self._sizes: dict[Shape, Shape] = {}

    @property
    def image_size(self) -> Size | None:
        """The height and width that the user stated."""
        stated = next((s for s in self.shapes.values() if len(s) == 4), None)
        return (stated[2], stated[3]) if stated else self.size

    def adapt(self, names: Sequence[str], shapes: Sequence[Shape]) -> list[Shape]:
        """The shapes of a data layer's tops (those without a name come last), changed to what the user stated."""
        for name, shape in zip(names, shapes, strict=False):
            self._note(name, shape)
        self.used.update(name for name in names if name in self.shapes)
        named = [self.shapes.get(name) or self._follow(shape) for name, shape in zip(names, shapes, strict=False)]
        return [*named, *map(self._follow, shapes[len(names) :])]

    def _note(self, name: str, shape: Shape) -> None:
        """Remember how a blob's number of items and its size change."""
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


def shape_only_layer(entry: Entry, inputs: Inputs) -> Layer:
    """The layer of a definition; a shape-only one if it uses files, databases or the user's code."""
    p = entry.param
    cls = layer_class(p, entry.origin)
    rule = _RULES.get(p.type)
    if p.type == "Python":
        if python_layers_allowed():
            return python_layer(p, p.phase, entry.origin)
        rule = _python
    elif rule is None and p.bottom:
        return cls(p, p.phase, entry.origin)
    return _shape_only(cls, rule, inputs)(p, p.phase, entry.origin)


def _shape_only(cls: type[Layer], rule: ShapeRule | None, inputs: Inputs) -> type[Layer]:
    """A subclass whose shapes come from `rule`, or from the layer itself if there is no rule or it returns None."""

    class ShapeOnly(cls):  # type: ignore[valid-type, misc]
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

    return ShapeOnly


#: (layer, shapes of the bottoms, number of tops, size of the image if the user states one) → shapes, None if unknown
ShapeRule = Callable[[Layer, list[Shape], int, "Size | None"], "list[Shape] | None"]


def _crop(layer: Layer, image: Size | None) -> Size | None:
    """The height and width that a data layer crops or resizes images to, or those of the image."""
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
    """If the database exists, it has the number of channels; else the images are assumed to be in colour."""
    p, size = layer.param.data_param, _crop(layer, image)
    if size is None or os.path.exists(p.source):
        return None
    channels = 1 if layer.param.transform_param.force_gray else 3
    return [(p.batch_size, channels, *size), (p.batch_size,)][:tops]


def _window_data(layer: Layer, bottoms: list[Shape], tops: int, image: Size | None) -> list[Shape] | None:
    n, crop = layer.param.window_data_param.batch_size, layer.param.transform_param.crop_size
    return [(n, 3, crop, crop), (n,)] if crop else None


def _nothing(layer: Layer, bottoms: list[Shape], tops: int, image: Size | None) -> list[Shape] | None:
    """A layer that only writes has no tops."""
    return []


def _infogain(layer: Layer, bottoms: list[Shape], tops: int, image: Size | None) -> list[Shape] | None:
    """Without a third bottom the matrix is in a file."""
    return [(), bottoms[0]][:tops] if len(bottoms) == 2 else None


def _python(layer: Layer, bottoms: list[Shape], tops: int, image: Size | None) -> list[Shape] | None:
    raise InputError(
        layer.describe() + "only its own code knows its shapes; if you trust that code, pass --allow-python-layers, "
        + "else state the shapes: " + " ".join(f"--input {name}=1,3,321,321" for name in layer.param.top)
    )  # fmt: skip


_RULES: dict[str, ShapeRule] = {
    "ImageSegData": _image_seg_data,
    "ImageData": _image_data,
    "Data": _data,
    "WindowData": _window_data,
    "MatWrite": _nothing,
    "HDF5Output": _nothing,
    "InfogainLoss": _infogain,
}
