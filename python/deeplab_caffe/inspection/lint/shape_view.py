"""The shapes of a view's blobs, and what the engine says against its layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...errors import InputError
from ...formats.definition import Definition
from .layer import LintBlob, LintLayer

if TYPE_CHECKING:
    from ..shapes import LayerShapes

Shape = tuple[int, ...]
#: what the engine says where a layer reads files, runs the user's code, or stands behind one that is left out here
_NOT_ITS_FAULT = ("--input ", "--allow-python-layers", "is made by no layer")


class ShapeView:
    """Shapes as far as they are known; without a definition, none.

    Args:
        definition: the net, without the layers that are not all known.
        state: the NetState in which it is looked at.
        layers: the layers of that state.
        bottoms: by a layer's index; a bottom that no layer makes is None.

    faults: (layer, what the engine says against it), for layers all of whose values and bottoms are known.
    """

    def __init__(
        self,
        definition: Definition | None,
        state: Any,
        layers: Sequence[LintLayer],
        bottoms: Mapping[int, Sequence[LintBlob | None]],
    ) -> None:
        self._layers, self._bottoms = layers, bottoms
        self._found: dict[str, LayerShapes] = {}
        self.faults: list[tuple[LintLayer, str]] = []
        if definition is not None:
            self._infer(definition, state)

    def _infer(self, definition: Definition, state: Any) -> None:
        from ..shapes import infer_shapes  # brings the engine, and so PyTorch

        definition.param.state.Clear()
        try:
            net = infer_shapes(definition, phase=state.phase, level=state.level, stages=state.stage, tolerant=True)
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
        for layer in self._layers:
            title = f"{layer.origin}: layer '{layer.name}'"
            if text.startswith(title):
                known = all(blob is not None for blob in self._bottoms[layer.index])
                if known and not layer.incomplete:
                    self.faults.append((layer, text[len(title) :].partition(": ")[2]))
                return

    def of(self, blob: LintBlob | None) -> Shape | None:
        """The shape of a blob, None where it is not known."""
        if blob is None:
            return None
        found = self._found.get(blob.maker.origin)
        shapes = found.top_shapes if found else []
        return shapes[blob.index] if blob.index < len(shapes) else None

    def params(self, layer: LintLayer) -> list[Shape]:
        """The shapes of a layer's parameters; none where it cannot be set up."""
        found = self._found.get(layer.origin)
        return found.params if found else []
