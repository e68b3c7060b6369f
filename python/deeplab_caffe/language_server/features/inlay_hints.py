"""The shapes of a layer's tops, shown behind its name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lsprotocol import types

from ...formats.tree import Block, Field
from ...inspection.analysis_text import shape_text
from ...inspection.shapes import LayerShapes
from ..buffers import Buffer
from ..states import states
from ..workspace import Workspace


def register(server: Any) -> None:
    """Put it on a server."""

    @server.feature(types.TEXT_DOCUMENT_INLAY_HINT)
    @server.thread()
    def on_inlay_hint(params: types.InlayHintParams) -> list[types.InlayHint]:
        workspace = server.workspace_of_nets
        buffer = workspace.buffer(params.text_document.uri)
        return inlay_hints(workspace, buffer, params.range) if buffer is not None else []


def inlay_hints(workspace: Workspace, buffer: Buffer, range: types.Range) -> list[types.InlayHint]:
    """The hints of the layers whose names end in a range; none if they are turned off, and in solvers."""
    if not workspace.settings.inlay_hints or buffer.kind != "net":
        return []
    start, end = buffer.offset(range.start), buffer.offset(range.end)
    names = [(element, name.value.end) for element in buffer.net.elements if (name := _name(element)) is not None]
    shown = [(element, at) for element, at in names if start <= at <= end]
    hints = [(at, _label(buffer, element)) for element, at in shown]
    return [
        types.InlayHint(buffer.position(at), label, types.InlayHintKind.Type, padding_left=True)
        for at, label in hints
        if label
    ]


def _name(element: Field) -> Field | None:
    """The field with a layer's name; of 2013 it is in the inner block."""
    block = element.value
    inner = block.last("layer") if isinstance(block, Block) else None
    block = inner.value if inner is not None else block
    return block.last("name") if isinstance(block, Block) else None


def _label(buffer: Buffer, element: Field) -> str:
    """`10×64×321×321`; where states differ `TRAIN 10×64×321×321 · TEST 1×64×513×513`."""
    layers = {state.title: state.layer_at(element) for state in states(buffer)}
    texts = {title: text for title, layer in layers.items() if layer is not None and (text := _shapes(layer))}
    if len(set(texts.values())) == 1:
        return next(iter(texts.values()))
    return " · ".join(f"{title} {text}" for title, text in texts.items())


def _shapes(layer: LayerShapes) -> str:
    shapes: Sequence[Any] = layer.top_shapes
    if not shapes or all(shape is None for shape in shapes):
        return ""
    if len(shapes) == 1:
        return shape_text(shapes[0])
    return ", ".join(f"{name} {shape_text(shape)}" for name, shape in zip(layer.tops, shapes, strict=False))
