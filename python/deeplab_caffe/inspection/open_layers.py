"""Layers whose shape rule is not known: of a type of another Caffe, or written in Python that may not be run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..arrays import Shape
from ..caffe.blob import Blob
from ..caffe.layer_types.base import Layer
from ..caffe.layer_types.python import is_ours
from ..formats.definition import Definition, Entry
from ..formats.foreign_types import about, is_known
from ..permission import python_layers_allowed


class OpenLayer(Layer):
    """Stands for such a layer in a net that is only looked at. Its tops have the shapes that the user states."""

    shapes: Sequence[Shape] = ()

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for blob, shape in zip(top, self.shapes, strict=True):
            blob.reshape(*shape)


def why_open(entry: Entry, definition: Definition, shapes: Mapping[str, Shape]) -> str:
    """Why a layer's shape rule is not known; "" if it is known.

    Args:
        entry: the layer.
        definition: the net, with what its file says that the messages lack.
        shapes: shapes of blobs that the user states instead of running a Python layer.

    Example:
        >>> from deeplab_caffe.formats.schema import LayerParameter
        >>> net = Definition(None, [], "net.prototxt")
        >>> why_open(Entry(LayerParameter(type="FooBar"), ""), net, {})
        "unknown type 'FooBar'"
    """
    p = entry.param
    if not is_known(p.type):
        return f"unknown type '{p.type}'{about(p.type)}"
    if p.type == "Python" and not python_layers_allowed() and not is_ours(p.python_param.module):
        stated = bool(p.top) and all(name in shapes for name in p.top)
        return "" if stated else "only its own code knows its shapes; if you trust it, pass --allow-python-layers"
    fields = [problem.error.reason for problem in definition.unknown.get(entry.origin, ()) if problem.resizes]
    return fields[0] if fields else ""
