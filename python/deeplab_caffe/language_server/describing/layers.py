"""A layer of a net as Markdown: what it computes, and its shapes and numbers in each state."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from ...formats.tree import Block, Field
from ...inspection.analysis import LayerAnalysis
from ...inspection.analysis_text import bytes_text, number_text, pair_text, quantity, shape_text
from ...inspection.shapes import LayerShapes
from ..buffers import Buffer
from ..states import State, states
from ..text import by_state, code, joined, known_shape
from .fields import type_meaning, type_origin


def layer_text(buffer: Buffer, element: Field) -> str:
    """A layer: type, meaning, and in each state the shapes of its tops, parameters, cost, memory and field.

    Args:
        buffer: a net.
        element: the layer's block in its text.
    """
    block = element.value
    assert isinstance(block, Block)
    inner = block.last("layer")  # of 2013
    named = inner.value if inner is not None and isinstance(inner.value, Block) else block
    name, layer_type = named.text_of("name"), named.text_of("type") or ""
    in_states = [state for state in states(buffer) if state.lint_layer(element) is not None]
    meaning = type_meaning(layer_type)
    title = f"**{layer_type}**" if meaning else code(layer_type) if layer_type else "layer without a type"
    title += f" {code(name)}" if name else ""
    facts = [*_tops(in_states, element), *_numbers(in_states, element), *_exceptions(buffer, in_states, element)]
    return "\n\n".join(
        part for part in (title, meaning, "\n".join(f"- {f}" for f in facts), type_origin(layer_type)) if part
    )


def _tops(in_states: Sequence[State], element: Field) -> list[str]:
    shapes = {state.title: state.layer_at(element) for state in in_states}
    names = list(dict.fromkeys(top for layer in shapes.values() if layer for top in layer.tops))
    return [f"top {code(name)}: {by_state({t: _shape(layer, name) for t, layer in shapes.items()})}" for name in names]


def _shape(layer: LayerShapes | None, top: str) -> str:
    if layer is None or top not in layer.tops:
        return ""
    place = layer.tops.index(top)
    return known_shape(layer.top_shapes[place] if place < len(layer.top_shapes) else None)


def _numbers(in_states: Sequence[State], element: Field) -> list[str]:
    found = {state.title: state.analysis_at(element) for state in in_states}

    def each(text: Callable[[LayerAnalysis], str]) -> str:
        return by_state({title: text(layer) if layer else "" for title, layer in found.items()})

    lines = {
        "parameters": each(_params),
        "multiply-adds": each(lambda layer: quantity(layer.cost.multiply_adds)),
        "memory": each(_memory),
        "output stride": each(_stride),
        "receptive field": each(_field),
    }
    return [f"{what}: {text}" for what, text in lines.items() if text]


def _params(layer: LayerAnalysis) -> str:
    shapes = layer.shapes.params
    if not shapes:
        return ""
    cost = layer.cost
    notes = [f"{cost.shared:,} shared with an earlier layer"] * bool(cost.shared)
    frozen = cost.params - cost.learned
    notes += (["not learned"] if not cost.learned else [f"{frozen:,} of them not learned"]) if frozen else []
    more = f" ({', '.join(notes)})" if notes else ""
    return f"{sum(map(math.prod, shapes)):,} = {' + '.join(map(shape_text, shapes))}{more}"


def _memory(layer: LayerAnalysis) -> str:
    memory = layer.activation
    parts = {"values": memory.data, "gradients": memory.diff, "kept for backward": memory.kept}
    return " + ".join(f"{bytes_text(count)} {what}" for what, count in parts.items() if count)


def _stride(layer: LayerAnalysis) -> str:
    field = layer.field if layer.shapes.bottoms else None
    return pair_text([number_text(s) for s in field.stride]) if field and all(field.stride) else ""


def _field(layer: LayerAnalysis) -> str:
    field = layer.field if layer.shapes.bottoms else None
    return f"{'×'.join(map(str, field.size))} pixels of {code(field.source)}" if field else ""


def _exceptions(buffer: Buffer, in_states: Sequence[State], element: Field) -> list[str]:
    """In which states alone it exists, and why its shapes are not known."""
    every = states(buffer)
    if not in_states:
        return ["in no state in which the net is used"] * bool(every)
    lines = [f"only in {joined([state.title for state in in_states])}"] * (len(in_states) < len(every))
    layers = [layer for state in in_states if (layer := state.layer_at(element)) is not None]
    return lines + list(dict.fromkeys(layer.unknown for layer in layers if layer.unknown))
