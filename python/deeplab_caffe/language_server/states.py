"""The states in which a net is used, with the shapes and the numbers of its layers in each."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from ..errors import InputError
from ..formats.prototxt import Field
from ..inspection.analysis import Analysis, LayerAnalysis, analyse_shapes
from ..inspection.lint.layer import LintLayer
from ..inspection.lint.net_file import View
from ..inspection.shapes import LayerShapes, NetShapes
from .buffers import Buffer


class State:
    """A net in one state.

    Attributes:
        view: the layers and blobs of the state, as lint sees them.
        title: `TRAIN`, or `TEST deploy` with its stages.
    """

    def __init__(self, buffer: Buffer, view: View) -> None:
        self.buffer, self.view = buffer, view
        self.title = view.title

    @cached_property
    def shapes(self) -> NetShapes | None:
        """The shapes of all that can be set up; None if nothing can."""
        return self.view.shapes.net

    @cached_property
    def analysis(self) -> Analysis | None:
        """Cost, memory and receptive fields; None where they cannot be told."""
        if self.shapes is None:
            return None
        try:
            return analyse_shapes(self.shapes)
        except InputError:
            return None

    def layer_at(self, element: Field) -> LayerShapes | None:
        """The shapes of the layer whose element in the text this is; None if it is not in this state."""
        return self._by_origin.get(self.buffer.document.where(element.start))

    def analysis_at(self, element: Field) -> LayerAnalysis | None:
        """The numbers of the layer whose element in the text this is."""
        origin = self.buffer.document.where(element.start)
        layers = self.analysis.layers if self.analysis else []
        return next((layer for layer in layers if layer.shapes.origin == origin), None)

    def lint_layer(self, element: Field) -> LintLayer | None:
        """The layer as lint sees it."""
        return next((layer for layer in self.view.layers if layer.element is element), None)

    @cached_property
    def _by_origin(self) -> Mapping[str, LayerShapes]:
        return {layer.origin: layer for layer in self.shapes.layers} if self.shapes else {}


def states(buffer: Buffer) -> list[State]:
    """The states of a net, each once; of a solver none."""
    if buffer.kind == "solver":
        return []
    return buffer.once("states", lambda: [State(buffer, view) for view in buffer.net.views])
