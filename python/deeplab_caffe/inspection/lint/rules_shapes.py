"""Rules about sizes: what the engine refuses, and sizes that fit but not as they are meant to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from math import lcm

from .findings import ERROR, WARNING, Hit, rule
from .net_file import Layer
from .shape_view import Shape
from .views import Blob, View

#: what the engine says → the rule that it falls under; the rest is does-not-fit
_KINDS = {
    "unknown-type": re.compile(r"^unknown type"),
    "shared-shape": re.compile(r"which it shares it with"),
    "shared-multiplier": re.compile(r"^shared parameter"),
    "param-count": re.compile(r"param blocks, the layer has"),
    "label-size": re.compile(r"labels \(.*\) for .*(positions|scores)|^scores \(.*\) and labels \("),
    "filler": re.compile(r"filler"),
}
_ADVICE = {
    "unknown-type": "write a type that there is",
    "shared-shape": "give the parameter another name, or the layers one shape",
    "shared-multiplier": "state it once, or the same in each",
    "param-count": "take out those that are too many",
    "label-size": "bring scores and labels to one size, with Interp's shrink_factor or zoom_factor",
    "filler": "state a filler that goes with the parameter's shape",
    "does-not-fit": "see what the layers before it make: deeplab prototxt inspect",
}


def _kind(message: str) -> str:
    return next((name for name, pattern in _KINDS.items() if pattern.search(message)), "does-not-fit")


def _faults(view: View, kind: str) -> Iterator[Hit]:
    for layer, message in view.shapes.faults:
        if _kind(message) == kind:
            yield layer.hit(message, _ADVICE[kind])


_SUMMARIES = {
    "does-not-fit": "shapes or parameters with which the layer cannot be set up",
    "unknown-type": "a layer type that there is not",
    "shared-shape": "parameters of one name and different shapes",
    "shared-multiplier": "parameters of one name and different multipliers",
    "param-count": "more param blocks than the layer has parameters",
    "label-size": "scores and labels of different sizes",
    "filler": "a filler that there is not, or that does not go with the parameter",
}
for _name, _summary in _SUMMARIES.items():
    rule(_name, ERROR, _summary)(partial(_faults, kind=_name))


@rule("dilation-pad", WARNING, "a dilated convolution whose pad does not keep the size")
def dilation_pad(view: View) -> Iterator[Hit]:
    for layer in view.layers:
        if layer.type != "Convolution" or layer.incomplete:
            continue
        p = layer.param.convolution_param
        if max(p.dilation, default=1) < 2 or max(p.stride, default=1) > 1 or p.kernel_h or p.pad_h or p.pad_w:
            continue
        for kernel, dilation, pad in _by_axis(p.kernel_size, p.dilation, p.pad):
            wanted = dilation * (kernel - 1) // 2
            if kernel > 1 and dilation > 1 and pad != wanted:
                message = f"kernel {kernel} with dilation {dilation} keeps the size with pad {wanted}, not {pad}"
                yield layer.hit(message, f"state pad: {wanted}", "convolution_param", "pad")
                break


def _by_axis(*fields: object) -> Iterator[tuple[int, ...]]:
    """The values of repeated fields for each spatial axis, of one stated value for all; 0 and 1 where none is."""
    defaults = (1, 1, 0)
    values = [list(f) or [d] for f, d in zip(fields, defaults, strict=True)]  # type: ignore[call-overload]
    for i in range(max(map(len, values))):
        yield tuple(v[min(i, len(v) - 1)] for v in values)


# -- sizes that fit by rounding


@rule("crop-size", WARNING, "a size that is not 8k + 1 (32k + 1 …), so that scores do not lie on pixels")
def crop_size(view: View) -> Iterator[Hit]:
    if not any(layer.type == "Interp" for layer in view.layers):
        return
    spacings = _spacings(view)
    for source in view.sources:
        steps = {spacing.numerator for name, spacing in spacings.items() if name[0] == source.index}
        modulus = lcm(*steps) if steps else 1
        for blob in view.tops[source.index]:
            shape = view.shapes.of(blob)
            if shape is None or len(shape) != 4 or modulus == 1 or (source.index, blob.name, 0) not in spacings:
                continue
            wrong = [size for size in shape[2:] if size > modulus and (size - 1) % modulus]
            if wrong:
                lower = (wrong[0] - 1) // modulus * modulus + 1
                form = f"{modulus}k + 1"
                message = f"'{blob.name}' is {wrong[0]} pixels, not {form}: scores and labels do not lie on pixels"
                advice = f"take {lower} or {lower + modulus}"
                yield source.hit(message, advice, *_size_field(source))
                break


def _size_field(source: Layer) -> tuple[str, ...]:
    return {"Input": ("input_param", "shape")}.get(source.type, ("transform_param", "crop_size"))


def _spacings(view: View) -> dict[tuple[int, str, int], Fraction]:
    """How many pixels of its source two neighbours of a blob are apart, for blobs whose corners are the source's.

    Keys are the source's index, the blob's name and how many layers have written it. A layer keeps the corners if its
    padding is half its window's span, or if it is an Interp without padding by a factor.
    """
    found: dict[tuple[int, str, int], Fraction] = {}
    at: dict[int, tuple[int, Fraction]] = {}
    for number, blob in enumerate(view.blobs):
        layer = blob.maker
        if not layer.bottoms and layer.tops:
            origin, spacing = layer.index, Fraction(1)
            found[origin, blob.name, 0] = spacing
        else:
            before = view.bottom(layer, 0)
            step = _step(layer)
            if before is None or id(before) not in at or step is None:
                continue
            origin, spacing = at[id(before)]
            spacing *= step
            found[origin, blob.name, number] = spacing
        at[id(blob)] = origin, spacing
    return found


def _step(layer: Layer) -> Fraction | None:
    """By how much a layer spaces its top wider than its bottom; None where it does not keep the corners."""
    if layer.type == "Interp":
        p = layer.param.interp_param
        if p.pad_beg or p.pad_end or p.height or p.width:
            return None
        return Fraction(p.shrink_factor, max(p.zoom_factor, 1))
    if layer.type in ("Convolution", "Pooling"):
        p = getattr(layer.param, "convolution_param" if layer.type == "Convolution" else "pooling_param")
        if layer.type == "Pooling":
            if p.global_pooling or p.kernel_h or p.stride_h or p.pad_h:
                return None
            kernel, stride, pad, dilation = p.kernel_size, p.stride, p.pad, 1
        else:
            if p.kernel_h or p.stride_h or p.pad_h or max(map(len, (p.kernel_size, p.stride, p.pad, p.dilation))) > 1:
                return None
            kernel, stride, pad, dilation = (
                (list(f) or [d])[0] for f, d in ((p.kernel_size, 1), (p.stride, 1), (p.pad, 0), (p.dilation, 1))
            )
        return Fraction(stride) if 2 * pad == dilation * (kernel - 1) else None
    same_size = {"Deconvolution", "Crop", "Padding", "InnerProduct", "Reshape", "Flatten", "Reduction", "Tile"}
    return None if layer.type in same_size else Fraction(1)


@rule("output-size", WARNING, "scores zoomed to a size that is not the image's")
def output_size(view: View) -> Iterator[Hit]:
    if view.losses:
        return
    for blob in view.blobs:
        if blob.readers or blob.maker.type != "Interp":
            continue
        shape, image = view.shapes.of(blob), _image(view, blob)
        if shape and image and len(shape) == len(image) == 4 and shape[2:] != image[2:]:
            message = f"'{blob.name}' is {_size(shape)}, but the image {_size(image)}"
            yield blob.maker.hit(message, "look at zoom_factor, or cut it with Crop", "interp_param")


def _image(view: View, blob: Blob) -> Shape | None:
    """The shape of the image that a blob is made from."""
    for item in view.ancestors(blob):
        if not item.maker.bottoms and item.maker.tops and item.index == 0:
            return view.shapes.of(item)
    return None


def _size(shape: Shape) -> str:
    return "×".join(map(str, shape[2:]))
