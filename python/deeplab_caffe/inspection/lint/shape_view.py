"""The shapes of a view's blobs, and the engine's errors about its layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...arrays import Shape
from ...errors import InputError
from ...formats.definition import Definition
from .layer import LintBlob, LintLayer

if TYPE_CHECKING:
    from ..shapes import LayerShapes, NetShapes

#: parts of engine errors that say nothing against a layer: it needs files, the user's code, or an omitted layer
_NOT_ITS_FAULT = ("--input ", "--allow-python-layers", "is made by no layer")


class ShapeView:
    """The shapes that can be inferred; without a definition, none.

    Args:
        definition: the net, without incomplete layers.
        state: the NetState in which it is built.
        layers: the layers of that state.
        bottoms: by a layer's index; a bottom that no layer makes is None.

    faults: (layer, the engine's error), for layers whose values and bottoms are all known. net: what could be inferred,
    None if nothing could.
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
        self.net: NetShapes | None = None
        if definition is not None:
            self._infer(definition, state)

    def _infer(self, definition: Definition, state: Any) -> None:
        from ..shapes import infer_shapes  # imports the engine, and so PyTorch

        definition.param.state.Clear()
        try:
            net = infer_shapes(definition, phase=state.phase, level=state.level, stages=state.stage, tolerant=True)
        except InputError as error:
            net = None
            self._note(error)
        if net is not None:
            self.net = net
            self._found = {layer.origin: layer for layer in net.layers}
            for fault in net.errors:
                self._note(fault)

    def _note(self, error: InputError) -> None:
        """Add an error to the faults, at the layer whose place the message begins with."""
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
        """The shape of a blob, None if it is not known."""
        if blob is None:
            return None
        found = self._found.get(blob.maker.origin)
        shapes = found.top_shapes if found else []
        return shapes[blob.index] if blob.index < len(shapes) else None

    def params(self, layer: LintLayer) -> list[Shape]:
        """The shapes of a layer's parameters; empty if it cannot be set up."""
        found = self._found.get(layer.origin)
        return found.params if found else []
