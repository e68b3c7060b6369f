"""Rules about sizes: what the engine refuses, and sizes that it accepts but that are probably not intended."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from fractions import Fraction
from functools import partial
from math import lcm

from ...arrays import Shape
from ...formats.layer_facts import BY_AXIS, SAME
from ...formats.upgrade_crop import misaligned_crops
from .findings import ERROR, WARNING, Hit, rule
from .layer import LintBlob, LintLayer
from .net_file import View
from .offers import naming, setting

Axes = Iterator[tuple[int, ...]]
#: rule → the engine's errors that it reports; all others are reported by does-not-fit
_KINDS = {
    "shared-shape": re.compile(r"which it shares it with"),
    "shared-multiplier": re.compile(r"^shared parameter"),
    "param-count": re.compile(r"param blocks, the layer has"),
    "label-size": re.compile(r"labels \(.*\) for .*(positions|scores)|^scores \(.*\) and labels \("),
    "filler": re.compile(r"filler"),
    # what rules of other modules say
    "in-place-type": re.compile(r"^cannot work in place(;|: Caffe)"),
}
_ADVICE = {
    "shared-shape": "give the parameter another name, or both layers the same shape",
    "shared-multiplier": "set it once, or to the same value in each layer",
    "param-count": "remove the surplus ones",
    "label-size": "give scores and labels the same size, with Interp's shrink_factor or zoom_factor",
    "filler": "set a filler that supports the parameter's shape",
    "does-not-fit": "fix its parameters or bottoms; deeplab prototxt inspect shows the shapes",
}


def _kind(message: str) -> str:
    return next((name for name, pattern in _KINDS.items() if pattern.search(message)), "does-not-fit")


def _faults(view: View, kind: str) -> Iterator[Hit]:
    for layer, message in view.shapes.faults:
        if _kind(message) == kind:
            yield layer.hit(message, _ADVICE[kind])


_SUMMARIES = {
    "does-not-fit": "shapes or parameters with which a layer cannot be set up",
    "shared-shape": "parameters with the same name and different shapes",
    "shared-multiplier": "parameters with the same name and different multipliers",
    "param-count": "more param blocks than the layer has parameters",
    "label-size": "scores and labels of different sizes",
    "filler": "a filler that does not exist, or does not support the parameter's shape",
}
_REASONS = {
    "does-not-fit": "The engine cannot set the layer up; training or testing would stop with the same message.",
    "shared-shape": "Layers that share a parameter use one array, so its shape must be the same in all of them.",
    "shared-multiplier": "A shared parameter has one learning rate. Caffe refuses different values.",
    "param-count": (
        "A param block belongs to one parameter, in order. One too many means that something was misunderstood."
    ),
    "label-size": "The loss compares scores and labels position by position.",
    "filler": "The parameter cannot be initialised.",
}
for _name, _summary in _SUMMARIES.items():
    rule(_name, ERROR, _summary, reason=_REASONS[_name])(partial(_faults, kind=_name))


@rule("dilation-pad", WARNING, "a dilated convolution whose pad does not keep the size")
def dilation_pad(view: View) -> Iterator[Hit]:
    """DeepLab's nets keep the size of the score map where they replace stride by dilation; another pad shifts or
    shrinks it. A net in which no convolution is padded is meant to shrink it.
    """
    for layer in view.layers if _pads(view) else ():
        if layer.type != "Convolution" or layer.incomplete:
            continue
        p = layer.param.convolution_param
        if max(p.dilation, default=1) < 2 or max(p.stride, default=1) > 1 or p.kernel_h or p.pad_h or p.pad_w:
            continue
        for kernel, dilation, pad, _ in _by_axis(p.kernel_size, p.dilation, p.pad):
            wanted = dilation * (kernel - 1) // 2
            if kernel > 1 and dilation > 1 and pad != wanted:
                message = f"kernel {kernel} with dilation {dilation} keeps the size with pad {wanted}, not {pad}"
                offers = setting(layer, f"{wanted}", "convolution_param", "pad")
                yield layer.hit(message, f"set pad: {wanted}", "convolution_param", "pad", offers=offers)
                break


def _pads(view: View) -> bool:
    """Whether any convolution of a net is padded."""
    params = [layer.param.convolution_param for layer in view.layers if layer.type == "Convolution"]
    return any(any(p.pad) or p.pad_h or p.pad_w for p in params)


def _by_axis(kernel: Iterable[int], dilation: Iterable[int], pad: Iterable[int], stride: Iterable[int] = ()) -> Axes:
    """Kernel, dilation, pad and stride per spatial axis; a single value holds for all axes, none is the default."""
    fields = ((kernel, 1), (dilation, 1), (pad, 0), (stride, 1))
    values = [list(stated) or [default] for stated, default in fields]
    for i in range(max(map(len, values))):
        yield tuple(v[min(i, len(v) - 1)] for v in values)


# -- maps that are not where they should be


@rule("crop-offset", WARNING, "a Crop that states nothing, whose upper left corner is not where its reference lies")
def crop_offset(view: View) -> Iterator[Hit]:
    """Some Caffes of 2015 (HED's, FCN's) aligned the bottoms of a Crop; BVLC's takes the corner without an offset."""
    for index, offset in misaligned_crops([layer.param for layer in view.layers]):
        layer = view.layers[index]
        message = f"takes the upper left corner, but '{layer.bottoms[1]}' lies at {offset.replace(' offset: ', ', ')}"
        yield layer.hit(message, f"state crop_param {{ axis: 2 offset: {offset} }}")


# -- sizes that only fit by rounding


@rule("crop-size", WARNING, "an image size that is not 8k + 1 (32k + 1 …), so that scores do not align with pixels")
def crop_size(view: View) -> Iterator[Hit]:
    """Interp aligns corners. With 8k + 1 pixels a stride of 8 puts scores exactly on pixels, without a shift."""
    if not any(layer.type == "Interp" for layer in view.layers):
        return
    spacings = _spacings(view)
    for source in view.sources:
        modulus = lcm(*(spacing.numerator for spacing in spacings[source.index]))
        for blob in view.tops[source.index]:
            shape = view.shapes.of(blob)
            sizes = shape[2:] if shape is not None and len(shape) == 4 else ()
            wrong = [size for size in sizes if size > modulus and (size - 1) % modulus]
            if wrong:
                lower = (wrong[0] - 1) // modulus * modulus + 1
                form = f"{modulus}k + 1"
                message = f"'{blob.name}' is {wrong[0]} pixels, not {form}: scores and labels do not align with pixels"
                path, sizes = _size_field(source), (lower, lower + modulus)
                stated = source.find(*path) if source.type != "Input" else None
                offers = naming(stated, map(str, sizes))
                yield source.hit(message, f"use {lower} or {lower + modulus}", *path, offers=offers)
                break


def _size_field(source: LintLayer) -> tuple[str, ...]:
    return {"Input": ("input_param", "shape")}.get(source.type, ("transform_param", "crop_size"))


def _spacings(view: View) -> dict[int, set[Fraction]]:
    """By source: the distances, in its pixels, of neighbouring units of the blobs whose corners are on its corners.

    A layer keeps the corners if its padding is half its window's span, or if it is an Interp by a factor, without
    padding.
    """
    found: dict[int, set[Fraction]] = {}
    at: dict[int, tuple[int, Fraction]] = {}
    for blob in view.blobs:
        layer = blob.maker
        if not layer.bottoms:
            at[id(blob)] = layer.index, Fraction(1)
        else:
            before, step = view.bottom(layer, 0), _step(layer)
            if before is None or id(before) not in at or step is None or step <= 0:
                continue
            source, spacing = at[id(before)]
            at[id(blob)] = source, spacing * step
        source, spacing = at[id(blob)]
        found.setdefault(source, set()).add(spacing)
    return found


def _step(layer: LintLayer) -> Fraction | None:
    """The factor by which a layer increases the distance of units; None if it does not keep the corners."""
    if layer.type == "Interp":
        p = layer.param.interp_param
        if p.pad_beg or p.pad_end or p.height or p.width:
            return None
        return Fraction(p.shrink_factor, max(p.zoom_factor, 1))
    if layer.type in ("Convolution", "Pooling"):
        return _window_step(layer)
    return Fraction(1) if _keeps_positions(layer) else None


def _keeps_positions(layer: LintLayer) -> bool:
    """Whether its top's positions are its bottom's."""
    if layer.facts.positions != BY_AXIS:
        return layer.facts.positions == SAME
    param = getattr(layer.param, layer.facts.params[0])
    return param.axis in (0, 1)


def _window_step(layer: LintLayer) -> Fraction | None:
    """The stride of a layer that keeps the corners, because its padding is half its window's span; else None."""
    p = layer.param.convolution_param if layer.type == "Convolution" else layer.param.pooling_param
    if p.kernel_h or p.stride_h or p.pad_h or (layer.type == "Pooling" and p.global_pooling):
        return None
    if layer.type == "Pooling":
        kernel, stride, pad, dilation = p.kernel_size, p.stride, p.pad, 1
    else:
        axes = set(_by_axis(p.kernel_size, p.dilation, p.pad, p.stride))
        if len(axes) > 1:
            return None
        kernel, dilation, pad, stride = axes.pop()
    return Fraction(stride) if 2 * pad == dilation * (kernel - 1) else None


@rule("output-size", WARNING, "scores resized to a size other than the image's")
def output_size(view: View) -> Iterator[Hit]:
    """Scores of another size than the image cannot be compared with its labels or given to the CRF."""
    if view.losses:
        return
    for blob in view.blobs:
        if blob.readers or blob.maker.type != "Interp":
            continue
        shape, image = view.shapes.of(blob), _image(view, blob)
        small = view.shapes.of(view.bottom(blob.maker, 0))
        enlarged = shape is not None and small is not None and shape[2:] > small[2:]
        if shape and image and enlarged and len(image) == 4 and shape[2:] != image[2:]:
            message = f"'{blob.name}' is {_size(shape)}, but the image is {_size(image)}"
            yield blob.maker.hit(message, "check zoom_factor, or crop the scores with Crop", "interp_param")


def _image(view: View, blob: LintBlob) -> Shape | None:
    """The shape of the image that a blob is computed from."""
    for item in view.ancestors(blob):
        if not item.maker.bottoms and item.maker.tops and item.index == 0:
            return view.shapes.of(item)
    return None


def _size(shape: Shape) -> str:
    return "×".join(map(str, shape[2:]))
