"""Shape-only layers: they replace layers that use files, databases or the user's code while a net is inspected.

Inspecting a net must not need its data and must not change anything: no file is written or emptied, no module is
imported, and data are read only if nothing else determines a shape. A shape-only layer is a subclass of the layer's own
class with another setup and shape rule, so that all else that the net asks of it (how many blobs it takes, whether it
is a loss) is unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..arrays import Shape, Size
from ..caffe.blob import Blob, ShapeError
from ..caffe.layer_types.base import Layer, layer_class
from ..caffe.layer_types.python import is_ours, python_layer
from ..errors import InputError
from ..formats.definition import Entry
from ..permission import python_layers_allowed

#: data layers whose labels are maps
_LABEL_MAPS = ("ImageSegData", "DenseImageData", "ImageLabelmapData")


class Inputs:
    """The shapes of a net's inputs: those that its layers state, or those that the user states instead.

    shapes: by blob; size: height and width of the image. Other tops of the data layers follow a changed blob: if their
    number of items, or their height and width, were equal to the blob's, they become the blob's new ones. stated: the
    shapes of blobs that no rule gives.
    """

    def __init__(
        self,
        shapes: Mapping[str, Shape] | None = None,
        size: Size | None = None,
        stated: Mapping[str, Shape] | None = None,
    ) -> None:
        self.shapes = dict(shapes or {})
        self.stated = dict(stated or {})
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
    if p.type == "Python" and (python_layers_allowed() or is_ours(p.python_param.module)):
        return python_layer(p, p.phase, entry.origin)
    if p.bottom and cls.shapes_without_data is Layer.shapes_without_data:
        return cls(p, p.phase, entry.origin)
    return _shape_only(cls, inputs)(p, p.phase, entry.origin)


def _example(param: Any, index: int) -> str:
    """A shape that a top of a data layer may have, for a message: an image's, a map of labels', or a label's."""
    if index == 0 and "label" not in param.top[0].lower():
        return "1,3,321,321"
    return "1,1,321,321" if index == 0 or param.type in _LABEL_MAPS else "1"


def _shape_only(cls: type[Layer], inputs: Inputs) -> type[Layer]:
    """A subclass that infers its shapes without data, or by the layer's own setup if that is not possible."""

    class ShapeOnly(cls):  # type: ignore[valid-type, misc]
        _shapes: list[Shape] | None = None

        def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
            names = list(self.param.top)
            if names and all(name in inputs.shapes for name in names):
                self._shapes = [inputs.shapes[name] for name in names]
            else:
                self._shapes = self.shapes_without_data([b.shape for b in bottom], len(top), inputs.image_size)
            if self._shapes is None:
                self._set_up(bottom, top)

        def _set_up(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
            try:
                super().setup(bottom, top)
            except InputError as error:
                if bottom or isinstance(error, ShapeError):
                    raise
                stated = " ".join(
                    f"--input {name}={_example(self.param, i)}" for i, name in enumerate(self.param.top)
                )
                raise InputError(f"{error}; to state its shapes: {stated}") from None

        def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
            if self._shapes is None:
                super().reshape(bottom, top)
            shapes = [b.shape for b in top] if self._shapes is None else self._shapes
            for blob, shape in zip(top, inputs.adapt(self.param.top, shapes), strict=False):
                blob.reshape(*shape)

    return ShapeOnly
