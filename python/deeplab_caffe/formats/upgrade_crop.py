"""Offsets of the Crop layers of 2014, which had none: the Caffe in which FCN was released aligned maps by itself.

Such a layer takes the part of its first bottom whose positions are those of the second. The offset follows from the
strides, kernels and pads on the ways from a blob that both come from. `caffe.coord_map` computes it in the same way for
nets that are written in Python.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any

from ..errors import InputError
from .layer_facts import SAME, facts_of
from .wiring import Maker, Wiring

#: for one axis: top = factor · bottom + shift
_Line = tuple[Fraction, Fraction]
_SAME_PLACE: _Line = (Fraction(1), Fraction(0))
_MESSAGES = {"Convolution": "convolution_param", "Deconvolution": "convolution_param", "Pooling": "pooling_param"}


def align_crops(layers: Sequence[Any], crops: Sequence[int], error: Callable[[int, str], InputError]) -> None:
    """Give Crop layers their offsets.

    Args:
        layers: the LayerParameters of a net, in today's form.
        crops: which of them are Crop layers of 2014, in their order.
        error: makes the exception about one of them from a message.

    Raises:
        InputError: the two bottoms come from no common blob by layers that move positions evenly, differ in their
            scale, or would be aligned between two positions or outside of the first.
    """
    wiring = Wiring(layers)
    for index in crops:
        offsets = [_offset(layers, wiring, index, axis, error) for axis in (0, 1)]
        p = layers[index].crop_param
        p.axis = 2
        p.offset.extend(offsets[:1] if offsets[0] == offsets[1] else offsets)


def misaligned_crops(layers: Sequence[Any]) -> Iterator[tuple[int, str]]:
    """The Crop layers of today's form that state nothing, and so take a corner that is not where their reference lies.

    Files of 2015 (HED's, FCN's before its release for BVLC's Caffe) have such layers: their Caffe aligned them.

    Returns:
        For each its index and the offset that would align it: `34`, or `34 offset: 35` for height and width.
    """
    wiring = Wiring(layers)
    for index, layer in enumerate(layers):
        if layer.type != "Crop" or layer.HasField("crop_param"):
            continue
        try:
            offsets = [_offset(layers, wiring, index, axis, lambda _, text: InputError(text)) for axis in (0, 1)]
        except InputError:
            continue
        if any(offsets):
            yield index, " offset: ".join(map(str, offsets[:1] if offsets[0] == offsets[1] else offsets))


def _offset(
    layers: Sequence[Any], wiring: Wiring, index: int, axis: int, error: Callable[[int, str], InputError]
) -> int:
    makers = wiring.makers[index]
    if len(makers) != 2:
        raise error(index, f"has {len(makers)} bottoms, expected the map to crop and the one that it is aligned with")
    bottoms = zip(makers, layers[index].bottom, strict=True)
    cropped, wanted = (_lines(layers, wiring, found, name, axis) for found, name in bottoms)
    common = next((place for place in wanted if place in cropped), None)
    if common is None:
        raise error(index, "cannot be aligned: its bottoms come from no common blob; use Crop with an offset")
    (factor, shift), (other, base) = cropped[common], wanted[common]
    offset = shift - base * factor / other
    if factor != other:
        raise error(index, f"cannot be aligned: its first bottom has {factor / other} times the second's positions")
    if offset < 0 or offset.denominator != 1:
        raise error(index, f"cannot be aligned: the offset would be {float(offset):g}, expected a whole number from 0")
    return int(offset)


def _lines(
    layers: Sequence[Any], wiring: Wiring, makers: list[Maker], name: str, axis: int
) -> dict[Maker | str, _Line]:
    """Of every blob that a bottom comes from, nearest first: where its positions lie in the bottom.

    A blob is the top that makes it, or its name if no layer does.
    """
    found: dict[Maker | str, _Line] = {}
    todo: list[tuple[Maker | str, _Line]] = [(makers[-1] if makers else name, _SAME_PLACE)]
    while todo:
        place, (factor, shift) = todo.pop(0)
        if place in found:
            continue
        found[place] = (factor, shift)
        if isinstance(place, str):
            continue
        layer = layers[place[0]]
        line = _line(layer, axis)
        if line is None:
            continue
        below = list(zip(wiring.makers[place[0]], layer.bottom, strict=True))[: 1 if layer.type == "Crop" else None]
        moved = (factor * line[0], factor * line[1] + shift)
        todo += [(made[-1] if made else bottom, moved) for made, bottom in below]
    return found


def _line(layer: Any, axis: int) -> _Line | None:
    """Where a layer's tops lie in terms of its bottoms; None where that is no straight line."""
    if layer.type in _MESSAGES:
        p = getattr(layer, _MESSAGES[layer.type])
        kernel, stride, pad = (_side(p, *names, axis) for names in _SIDES)
        dilation = (list(getattr(p, "dilation", ())) or [1])[-1]
        shift = Fraction(dilation * (kernel - 1), 2) - pad
        return (Fraction(stride), shift) if layer.type == "Deconvolution" else (Fraction(1, stride), -shift / stride)
    if layer.type == "Crop":
        stated = list(layer.crop_param.offset) or [0]
        return Fraction(1), Fraction(-stated[min(axis, len(stated) - 1)])
    return _SAME_PLACE if facts_of(layer.type).positions == SAME or layer.type == "Concat" else None


#: the field for both axes, those for one, and the default
_SIDES = (("kernel_size", "kernel", 1), ("stride", "stride", 1), ("pad", "pad", 0))


def _side(p: Any, both: str, stem: str, default: int, axis: int) -> int:
    """Kernel, stride or pad along an axis: 0 for height, 1 for width."""
    own = f"{stem}_{'hw'[axis]}"
    if p.HasField(own):
        return int(getattr(p, own))
    stated = getattr(p, both)
    if isinstance(stated, int):
        return stated if p.HasField(both) else default
    return int(stated[min(axis, len(stated) - 1)]) if len(stated) else default
