"""A blob of a net as Markdown: its shape, who makes it and who reads it, in each state."""

from __future__ import annotations

from collections.abc import Iterable

from ...formats.tree import Field
from ...inspection.lint.layer import LintBlob, LintLayer
from ..buffers import Buffer
from ..states import State, states
from ..text import by_state, code, joined, known_shape, link


def blob_text(buffer: Buffer, layer: Field | None, field: str, name: str) -> str:
    """A blob: its shape, its makers and its readers, with links to them.

    Args:
        buffer: a net.
        layer: the layer in which the name stands; None for a name in the net's `input`.
        field: "bottom", "top" or "input".
        name: the blob's name.
    """
    found = {state: blob for state in states(buffer) if (blob := _blob(state, layer, field, name)) is not None}
    if not found:
        return f"blob {code(name)}\n\n" + ("- made by no layer above" if field == "bottom" else "- not in use")
    shapes = by_state({state.title: known_shape(state.view.shapes.of(blob)) for state, blob in found.items()})
    origins = {state: _origin(blob) for state, blob in found.items()}
    makers = _each(buffer, {state: [origin.maker] for state, origin in origins.items()})
    changers = _each(buffer, {state: _changers(state, origin) for state, origin in origins.items()})
    readers = _each(buffer, {state: _readers(state, origin) for state, origin in origins.items()})
    lines = [
        f"shape {shapes}",
        f"made by {makers}",
        f"changed in place by {changers}" if changers else "",
        f"read by {readers}" if readers else "read by no layer: an output of the net",
    ]
    return "\n".join([f"blob {code(name)}", "", *(f"- {line}" for line in lines if line)])


def _blob(state: State, layer: Field | None, field: str, name: str) -> LintBlob | None:
    """The blob of that name as the layer reads or makes it."""
    own = state.lint_layer(layer) if layer is not None else None
    if layer is not None and own is None:
        return None
    if own is None:
        return next((blob for blob in state.view.blobs if blob.name == name and blob.maker.element is None), None)
    view = state.view
    blobs: Iterable[LintBlob | None] = view.bottoms[own.index] if field == "bottom" else view.tops[own.index]
    return next((blob for blob in blobs if blob is not None and blob.name == name), None)


def _origin(blob: LintBlob) -> LintBlob:
    """What the layer made that is not in place, of which a blob is a later value."""
    while blob.before is not None:
        blob = blob.before
    return blob


def _changers(state: State, origin: LintBlob) -> list[LintLayer]:
    return [blob.maker for blob in state.view.blobs if blob.before is not None and _origin(blob) is origin]


def _readers(state: State, origin: LintBlob) -> list[LintLayer]:
    """The layers that read any of its values, but for those that change it in place."""
    values = [blob for blob in state.view.blobs if blob.name == origin.name and _origin(blob) is origin]
    changers = {layer.index for layer in _changers(state, origin)}
    return [layer for blob in values for layer in blob.readers if layer.index not in changers]


def _each(buffer: Buffer, layers: dict[State, list[LintLayer]]) -> str:
    """The layers with links; one that is not in all the states says in which."""
    titles: dict[int, list[str]] = {}
    by_index = {layer.index: layer for found in layers.values() for layer in found}
    for state, found in layers.items():
        for layer in {layer.index: layer for layer in found}:
            titles.setdefault(layer, []).append(state.title)

    def only(index: int) -> str:
        return f" in {joined(titles[index])}" if len(titles[index]) < len(layers) else ""

    return ", ".join(_layer(buffer, by_index[i]) + only(i) for i in sorted(by_index))


def _layer(buffer: Buffer, layer: LintLayer) -> str:
    if layer.element is None:
        return "the net's `input`"
    return f"{code(layer.name or '?')} ({layer.type}, {link(buffer, layer.element.start)})"
