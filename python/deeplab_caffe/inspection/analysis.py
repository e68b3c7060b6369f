"""What can be known of a net without running it, by layer and in total."""

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
    """One layer: its shapes, cost and memory; the receptive field of its first top, None if it depends on no input."""

    shapes: LayerShapes
    cost: Cost
    activation: Activation
    field: ReceptiveField | None


@dataclass(frozen=True)
class Analysis:
    """A net: its layers in order, the receptive field of every blob, and the memory of the whole net."""

    shapes: NetShapes
    layers: list[LayerAnalysis]
    fields: dict[str, ReceptiveField]
    memory: Memory

    @property
    def params(self) -> int:
        """Number of elements of all parameters; shared ones count once."""
        return sum(layer.cost.params for layer in self.layers)

    @property
    def learned(self) -> int:
        """Number of elements of the parameters whose lr_mult is above 0."""
        return sum(layer.cost.learned for layer in self.layers)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of one forward pass over a batch."""
        return sum(layer.cost.multiply_adds for layer in self.layers)

    @property
    def items(self) -> int:
        """Images in a batch: the first dimension of the net's first input."""
        first = next((shape for shape in self.shapes.blobs.values() if shape), (1,))
        return max(first[0], 1)


def analyse(
    source: str | os.PathLike[str] | Definition, *, variables: Mapping[str, str] | None = None, **wishes: Any
) -> Analysis:
    """Analyse a net.

    Args:
        source: the path of a net's prototxt, or of a solver's, whose training net is analysed; or a definition.
        variables: values of template variables, by name.
        wishes: the keyword arguments of `infer_shapes`.

    Raises:
        InputError: if the file cannot be read, or its layers do not fit together.

    Example:
        >>> from deeplab_caffe.formats.definition import definition_in
        >>> from deeplab_caffe.formats.prototxt import Document
        >>> net = definition_in(Document('''
        ...   layer { name: "data" type: "Input" top: "data" input_param { shape { dim: [1, 3, 9, 9] } } }
        ...   layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        ...           convolution_param { num_output: 2 kernel_size: 3 } }
        ... '''))
        >>> found = analyse(net)
        >>> found.params, found.multiply_adds, found.fields["conv"].size
        (56, 2646, (3, 3))
    """
    keep = bool(wishes.get("keep_unknown") or wishes.get("tolerant"))
    found = NetSource(source) if isinstance(source, Definition) else read_source(source, variables, keep)
    return analyse_shapes(infer_shapes(found.definition, **wishes), found.histories)


def analyse_shapes(shapes: NetShapes, histories: int = 1) -> Analysis:
    """The analysis of a net whose shapes are known.

    Args:
        shapes: the net in one state.
        histories: arrays that the solver keeps for each parameter.
    """
    seen = infer_receptive_fields(shapes)
    rows = zip(shapes.layers, costs(shapes), activations(shapes), strict=True)
    layers = [LayerAnalysis(s, c, a, seen.get(s.tops[0]) if s.tops else None) for s, c, a in rows]
    return Analysis(shapes, layers, seen, memory(shapes, histories))


def as_json(analysis: Analysis) -> dict[str, Any]:
    """The analysis as numbers, lists and dictionaries; memory in bytes, positions in pixels of the input."""
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
        "unknown": shapes.unknown,
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
