"""The shapes of a view's blobs, and what the engine says against its layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...arrays import Shape
from ...errors import InputError
from .net_file import Layer

if TYPE_CHECKING:
    from ..shapes import LayerShapes
    from .views import Blob, View

#: what the engine says where a layer reads files, runs the user's code, or stands behind one that is left out here
_NOT_ITS_FAULT = ("--input ", "--allow-python-layers", "is made by no layer")


class ShapeView:
    """Shapes as far as they are known; with `known` False, none.

    faults: (layer, what the engine says against it), for layers all of whose values and bottoms are known.
    """

    def __init__(self, view: View, known: bool = True) -> None:
        self._view = view
        self._found: dict[str, LayerShapes] = {}
        self.faults: list[tuple[Layer, str]] = []
        if known and view.layers:
            self._infer(view)

    def _infer(self, view: View) -> None:
        from ..shapes import infer_shapes  # brings the engine, and so PyTorch

        definition = view.file.definition()
        definition.param.state.Clear()
        try:
            net = infer_shapes(definition, phase=view.phase, level=view.level, stages=view.stages, tolerant=True)
        except InputError as error:
            net = None
            self._note(error)
        if net is not None:
            self._found = {layer.origin: layer for layer in net.layers}
            for fault in net.errors:
                self._note(fault)

    def _note(self, error: InputError) -> None:
        """Find the layer that a message is about, by the place that it begins with."""
        text = str(error)
        if any(words in text for words in _NOT_ITS_FAULT):
            return
        for layer in self._view.layers:
            title = f"{layer.origin}: layer '{layer.name}'"
            if text.startswith(title):
                known = all(blob is not None for blob in self._view.bottoms[layer.index])
                if known and not layer.incomplete:
                    self.faults.append((layer, text[len(title) :].partition(": ")[2]))
                return

    def of(self, blob: Blob | None) -> Shape | None:
        """The shape of a blob, None where it is not known."""
        if blob is None:
            return None
        found = self._found.get(blob.maker.origin)
        shapes = found.top_shapes if found else []
        return shapes[blob.index] if blob.index < len(shapes) else None

    def params(self, layer: Layer) -> list[Shape]:
        """The shapes of a layer's parameters; none where it cannot be set up."""
        found = self._found.get(layer.origin)
        return found.params if found else []
