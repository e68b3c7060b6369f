"""What a net costs: parameters and multiply-adds of every layer."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..arrays import Shape
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
    to, padding included. Of the others: Scale, BatchNorm and BN one for each element, Interp four, average pooling and
    LRN one for each element of a window, Eltwise one for each factor or coefficient. The rest is counted as none.
    """
    count = _COUNTS.get(layer.type)
    if count is None or layer.layer is None:
        return 0
    return count(layer, [s or () for s in layer.bottom_shapes], [s or () for s in layer.top_shapes])


def _size(shapes: Iterable[Shape]) -> int:
    return sum(math.prod(shape) for shape in shapes)


def _convolution(layer: LayerShapes, bottoms: list[Shape], tops: list[Shape]) -> int:
    """Every element of a top is a sum over the weights of its output channel."""
    weight = layer.params[0]
    return _size(tops) * math.prod(weight[1:])


def _deconvolution(layer: LayerShapes, bottoms: list[Shape], tops: list[Shape]) -> int:
    """Every element of a bottom is spread by the weights of its input channel."""
    weight = layer.params[0]
    return _size(bottoms) * math.prod(weight[1:])


def _inner_product(layer: LayerShapes, bottoms: list[Shape], tops: list[Shape]) -> int:
    outputs = layer.param.inner_product_param.num_output
    return _size(tops) * (math.prod(layer.params[0]) // outputs)


def _recurrent(layer: LayerShapes, bottoms: list[Shape], tops: list[Shape]) -> int:
    """The matrices are applied to every step of every stream; one to an input without steps, once."""
    weights = sum(math.prod(shape) for shape in layer.params if len(shape) > 1)
    return weights * math.prod(bottoms[0][:2])


def _one_each(layer: LayerShapes, bottoms: list[Shape], tops: list[Shape]) -> int:
    return _size(tops)


def _interp(layer: LayerShapes, bottoms: list[Shape], tops: list[Shape]) -> int:
    return 4 * _size(tops)


def _pooling(layer: LayerShapes, bottoms: list[Shape], tops: list[Shape]) -> int:
    p = layer.param.pooling_param
    kernel: tuple[int, ...] = getattr(layer.layer, "kernel", ())
    return _size(tops) * math.prod(kernel) if p.pool == p.AVE else 0


def _lrn(layer: LayerShapes, bottoms: list[Shape], tops: list[Shape]) -> int:
    p = layer.param.lrn_param
    return _size(tops) * p.local_size ** (2 if p.norm_region == p.WITHIN_CHANNEL else 1)


def _eltwise(layer: LayerShapes, bottoms: list[Shape], tops: list[Shape]) -> int:
    p = layer.param.eltwise_param
    if p.operation == p.PROD:
        return _size(tops) * (len(bottoms) - 1)
    return _size(tops) * sum(c != 1 for c in p.coeff) if p.operation == p.SUM else 0


_COUNTS: dict[str, Callable[[LayerShapes, list[Shape], list[Shape]], int]] = {
    "Convolution": _convolution,
    "Deconvolution": _deconvolution,
    "InnerProduct": _inner_product,
    "RNN": _recurrent,
    "LSTM": _recurrent,
    "Scale": _one_each,
    "BatchNorm": _one_each,
    "BN": _one_each,
    "SpatialProduct": _one_each,
    "Interp": _interp,
    "Pooling": _pooling,
    "LRN": _lrn,
    "Eltwise": _eltwise,
}
