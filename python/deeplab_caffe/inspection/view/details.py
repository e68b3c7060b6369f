"""What the picture shows about a layer: pairs of a label and a text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...arrays import Shape
from ...formats.layer_facts import (
    ACTIVATION,
    ARRANGE,
    DATA,
    FUNCTION,
    LOSS,
    MERGE,
    METRIC,
    NORMALISATION,
    POOLING,
    RESULT,
    SINK,
    WEIGHTS,
    facts_of,
)
from ..analysis import Analysis, LayerAnalysis
from ..analysis_text import bytes_text, number_text, pair_text, quantity, shape_text, window_text
from ..receptive_fields import AxisPair, ReceptiveField, field_of_view
from ..sliding_windows import window_sizes

#: kinds of types → the class of their colour
_COLOURS = {
    WEIGHTS: "learned", DATA: "data", POOLING: "pool", NORMALISATION: "norm", ACTIVATION: "unit", FUNCTION: "unit",
    MERGE: "merge", ARRANGE: "resize", RESULT: "end", LOSS: "end", METRIC: "end", SINK: "end",
}  # fmt: skip


def kind(layer_type: str) -> str:
    """The kind of a layer type, for its colour."""
    return _COLOURS.get(facts_of(layer_type).kind, "other")


def details(layer: LayerAnalysis, analysis: Analysis) -> list[tuple[str, str]]:
    """The texts of one layer."""
    return [(label, text) for label, text in _details(layer, analysis) if text]


def _details(layer: LayerAnalysis, analysis: Analysis) -> Iterator[tuple[str, str]]:
    shapes, cost, memory = layer.shapes, layer.cost, layer.activation
    yield "type", shapes.type
    yield "not known", shapes.unknown
    yield "place", shapes.origin
    yield "reads", _blobs(shapes.bottoms, shapes.bottom_shapes)
    yield "makes", _blobs(shapes.tops, shapes.top_shapes)
    yield "window", window_text(layer)
    if shapes.params:
        count = f"{cost.params:,}" if cost.params else ""
        shared = f"{cost.shared:,} shared with an earlier layer" if cost.shared else ""
        each = ", ".join(map(shape_text, shapes.params))
        yield "parameters", f"{' + '.join(filter(None, (count, shared))) or '0'} ({each})"
    yield "multiply-adds", quantity(cost.multiply_adds)
    parts = {"blobs": memory.data, "gradients": memory.diff, "kept for backward": memory.kept}
    yield "memory", ", ".join(f"{name} {bytes_text(count)}" for name, count in parts.items() if count)
    if layer.field:
        yield from _field(layer, layer.field, analysis)


def _field(layer: LayerAnalysis, field: ReceptiveField, analysis: Analysis) -> Iterator[tuple[str, str]]:
    if all(field.stride):
        yield "output stride", pair_text([number_text(s) for s in field.stride])
    yield "receptive field", f"{' × '.join(map(str, field.size))} of {field.source}"
    yield "its centre", f"{_point(field.middle)} in the middle, first unit {_point(field.first)}"
    sizes = window_sizes(layer.shapes)
    if layer.shapes.type == "Convolution" and sizes and sizes[0][0] > 1 and sizes[0][3] > 2:
        kernel, _, _, dilation = sizes[0]
        stride = analysis.fields[layer.shapes.bottoms[0]].stride[0]
        if stride.denominator == 1:
            yield "field of view", f"{field_of_view(kernel, dilation, int(stride))} (as counted in DeepLab's papers)"


def _point(centre: AxisPair) -> str:
    return f"({', '.join(map(number_text, centre))})"


def _blobs(names: Sequence[str], shapes: Sequence[Shape | None]) -> str:
    return ", ".join(f"{name} {shape_text(shape)}" for name, shape in zip(names, shapes, strict=True))


def caption(layer: LayerAnalysis) -> list[str]:
    """The second and third line in a layer's box."""
    first = " ".join(filter(None, (layer.shapes.type, window_text(layer))))
    return [first, *map(shape_text, layer.shapes.top_shapes[:1])]


def totals(analysis: Analysis) -> list[tuple[str, str]]:
    """The texts of a net as a whole."""
    shapes, memory = analysis.shapes, analysis.memory
    each = analysis.multiply_adds // analysis.items
    pairs = [
        ("file", shapes.source),
        ("layers", str(len(analysis.layers))),
        ("parameters", f"{analysis.params:,}"),
        ("multiply-adds", f"{quantity(analysis.multiply_adds)}, {quantity(each)} per image"),
        ("memory to test", bytes_text(memory.planned)),
    ]
    return pairs + ([("memory to train", bytes_text(memory.training))] if memory.diff else [])
