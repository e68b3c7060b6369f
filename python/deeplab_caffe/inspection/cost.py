"""What a net costs: parameters and multiply-adds of every layer."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .shapes import LayerShapes, NetShapes


@dataclass(frozen=True)
class Cost:
    """Of one layer. params: elements of its parameters, without those that belong to an earlier layer; learned: those
    of them with an lr_mult above 0; shared: those that belong to an earlier layer; multiply_adds: of one forward pass.
    """

    params: int
    learned: int
    shared: int
    multiply_adds: int


def costs(shapes: NetShapes) -> list[Cost]:
    """The Cost of every layer, in order; nothing for one that could not be set up."""
    return [_cost(layer) for layer in shapes.layers]


def _cost(layer: LayerShapes) -> Cost:
    counts = [math.prod(shape) for shape in layer.params]
    own = [count for count, borrowed in zip(counts, layer.borrowed, strict=True) if not borrowed]
    stated = layer.layer.param.param if layer.layer else ()  # with what the layer itself fixes
    learned = (
        count
        for i, (count, borrowed) in enumerate(zip(counts, layer.borrowed, strict=True))
        if not borrowed and (stated[i].lr_mult != 0 if i < len(stated) else True)
    )
    return Cost(sum(own), sum(learned), sum(counts) - sum(own), multiply_adds(layer))


def multiply_adds(layer: LayerShapes) -> int:
    """Multiplications (with the addition that goes with each) of a forward pass, by the layer's definition.

    Convolution, Deconvolution, InnerProduct and the recurrent layers: one for each weight and position it is applied
    to, padding included. Of the others: Scale, BatchNorm, BN, SpatialProduct, Swish and HardSwish one for each element,
    Interp four, average pooling and LRN one for each element of a window, Eltwise one for each factor or coefficient.
    The rest is counted as none. The numbers are those of the layer classes (`Layer.multiply_adds`).
    """
    if layer.layer is None:
        return 0
    return layer.layer.multiply_adds([s or () for s in layer.bottom_shapes], [s or () for s in layer.top_shapes])
