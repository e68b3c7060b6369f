"""All that can be told of a net without running it, by layer and in total."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

from ..formats import schema
from ..formats.definition import Definition
from .cost import Cost, costs
from .memory import Activation, Memory, activations, memory
from .net_source import NetSource, read_source
from .receptive_fields import ReceptiveField, infer_receptive_fields
from .shapes import LayerShapes, NetShapes, infer_shapes
from .sliding_windows import window_sizes


@dataclass(frozen=True)
class LayerAnalysis:
    """One layer: its shapes, cost and memory; the ReceptiveField of its first top, None where it sees no input."""

    shapes: LayerShapes
    cost: Cost
    activation: Activation
    field: ReceptiveField | None


@dataclass(frozen=True)
class Analysis:
    """A net: its layers in order, and the memory of the whole."""

    shapes: NetShapes
    layers: list[LayerAnalysis]
    fields: dict[str, ReceptiveField]
    memory: Memory

    @property
    def params(self) -> int:
        """Elements of all parameters, those that layers share once."""
        return sum(layer.cost.params for layer in self.layers)

    @property
    def learned(self) -> int:
        """Elements of the parameters with an lr_mult above 0."""
        return sum(layer.cost.learned for layer in self.layers)

    @property
    def multiply_adds(self) -> int:
        """Of one forward pass over a batch."""
        return sum(layer.cost.multiply_adds for layer in self.layers)

    @property
    def items(self) -> int:
        """Images in a batch: the first size of the net's first input."""
        first = next((shape for shape in self.shapes.blobs.values() if shape), (1,))
        return max(first[0], 1)


def analyse(
    source: str | os.PathLike[str] | Definition, *, variables: Mapping[str, str] | None = None, **wishes: Any
) -> Analysis:
    """The Analysis of a net; arguments and errors are those of `infer_shapes`. Of a solver's file, its net's."""
    found = NetSource(source) if isinstance(source, Definition) else read_source(source, variables)
    shapes = infer_shapes(found.definition, **wishes)
    seen = infer_receptive_fields(shapes)
    rows = zip(shapes.layers, costs(shapes), activations(shapes), strict=True)
    layers = [LayerAnalysis(s, c, a, seen.get(s.tops[0]) if s.tops else None) for s, c, a in rows]
    return Analysis(shapes, layers, seen, memory(shapes, found.histories))


def as_json(analysis: Analysis) -> dict[str, Any]:
    """The analysis as plain numbers, lists and dictionaries; memory in bytes, positions in pixels of the input."""
    shapes, total = analysis.shapes, analysis.memory
    return {
        "name": shapes.name,
        "source": shapes.source,
        "phase": "TRAIN" if shapes.state.phase == schema.TRAIN else "TEST",
        "layers": [_layer_json(layer) for layer in analysis.layers],
        "blobs": {name: shape and list(shape) for name, shape in shapes.blobs.items()},
        "params": analysis.params,
        "learned": analysis.learned,
        "multiply_adds": analysis.multiply_adds,
        "memory": {**asdict(total), "training": total.training, "testing": total.testing, "planned": total.planned},
    }


def _layer_json(layer: LayerAnalysis) -> dict[str, Any]:
    shapes = layer.shapes
    names = ("kernel", "stride", "pad", "dilation")
    return {
        "name": shapes.name,
        "type": shapes.type,
        "origin": shapes.origin,
        "bottoms": shapes.bottoms,
        "tops": shapes.tops,
        "top_shapes": [shape and list(shape) for shape in shapes.top_shapes],
        "param_shapes": [list(shape) for shape in shapes.params],
        "window": {
            name: list(sizes) for name, sizes in zip(names, zip(*window_sizes(shapes), strict=True), strict=False)
        },
        **asdict(layer.cost),
        "activation": asdict(layer.activation),
        "field": _field_json(layer.field) if layer.field else None,
    }


def _field_json(field: ReceptiveField) -> dict[str, Any]:
    return {
        "input": field.source,
        "output_stride": [_number(x) for x in field.stride],
        "receptive_field": list(field.size),
        "first_centre": [_number(x) for x in field.first],
        "middle_centre": [_number(x) for x in field.middle],
    }


def _number(value: Fraction) -> int | float:
    return int(value) if value.denominator == 1 else float(value)
