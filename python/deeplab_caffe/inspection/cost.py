"""What a net costs: parameters and multiply-adds of every layer."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .shapes import LayerShapes, NetShapes


@dataclass(frozen=True)
class Cost:
    """What one layer costs.

    params: number of elements of its parameters, without those shared with an earlier layer; learned: those of them
    whose lr_mult is above 0; shared: those shared with an earlier layer; multiply_adds: of one forward pass.
    """

    params: int
    learned: int
    shared: int
    multiply_adds: int


def costs(shapes: NetShapes) -> list[Cost]:
    """The cost of every layer, in order; 0 for a layer that could not be set up."""
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

    Convolution, Deconvolution, InnerProduct and the recurrent layers: one per weight and position it is applied to,
    padding included. Scale, BatchNorm, BN, SpatialProduct, Swish and HardSwish: one per element; Interp: four; average
    pooling and LRN: one per element of a window; Eltwise: one per factor or coefficient. All other types count as 0.
    The numbers come from the layer classes (`Layer.multiply_adds`).
    """
    if layer.layer is None:
        return 0
    return layer.layer.multiply_adds([s or () for s in layer.bottom_shapes], [s or () for s in layer.top_shapes])
