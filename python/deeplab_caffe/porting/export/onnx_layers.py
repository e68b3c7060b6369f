"""ONNX nodes of layers with parameters, and of those with windows or another output size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .graph import Node, check_segnet, unpooled_sizes
from .onnx_registry import writes

if TYPE_CHECKING:
    from .onnx_graph import OnnxGraph

_MAX_POOL, _AVERAGE_POOL = 0, 1
_SPATIAL = (2, 3)


# -- layers with parameters


@writes("Convolution", "ConvolutionDepthwise", "DepthwiseConv", "DepthwiseConvolution", "Deconvolution")
def _convolution(g: OnnxGraph, node: Node) -> None:
    layer: Any = node.layer
    if layer.spatial != 2 or layer.channel_axis != 1:
        node.fail("is not a convolution over (N, C, H, W); others are not supported in exports")
    if 0 in layer.dilation:
        node.fail("has dilation 0, which PyTorch and ONNX do not support")
    g.add(
        "ConvTranspose" if node.type == "Deconvolution" else "Conv",
        [node.bottoms[0], *g.parameters(node)],
        node.tops,
        kernel_shape=layer.kernel,
        strides=layer.stride,
        pads=[*layer.pad, *layer.pad],
        dilations=layer.dilation,
        group=layer.param.convolution_param.group,
    )


@writes("InnerProduct")
def _inner_product(g: OnnxGraph, node: Node) -> None:
    layer: Any = node.layer
    if layer.split != 1:
        node.fail("does not begin at axis 1, which is not supported in exports")
    flat = g.add("Flatten", node.bottoms, axis=1)
    g.add("Gemm", [*flat, *g.parameters(node)], node.tops, transB=int(not layer.param.inner_product_param.transpose))


@writes("BatchNorm")
def _batch_norm(g: OnnxGraph, node: Node) -> None:
    p = node.layer.param.batch_norm_param
    if p.HasField("use_global_stats") and not p.use_global_stats:
        node.fail("uses the statistics of the batch; only stored statistics can be exported")
    mean, variance, factor = node.blobs
    scale = np.float32(0 if factor[0] == 0 else 1 / factor[0])
    values = {"slope": np.ones_like(mean), "offset": np.zeros_like(mean), "mean": mean * scale, "var": variance * scale}
    g.add("BatchNormalization", [node.bottoms[0], *_constants(g, node, values)], node.tops, epsilon=p.eps)


@writes("BN")
def _bn(g: OnnxGraph, node: Node) -> None:
    if node.layer.segnet:  # type: ignore[attr-defined]
        check_segnet(node)
        scale, shift = g.parameters(node)
        g.add("Add", [g.call("Mul", node.bottoms[0], scale), shift], node.tops)
        return
    names = ("slope", "offset", "mean", "var")
    values = {name: blob.reshape(-1) for name, blob in zip(names, node.blobs, strict=True)}
    eps = node.layer.param.bn_param.eps
    g.add("BatchNormalization", [node.bottoms[0], *_constants(g, node, values)], node.tops, epsilon=eps)


def _constants(g: OnnxGraph, node: Node, values: dict[str, np.ndarray]) -> list[str]:
    return [g.constant(f"{node.owner}.{name}", value) for name, value in values.items()]


@writes("Scale", "Bias")
def _scale(g: OnnxGraph, node: Node) -> None:
    if len(node.bottoms) == 2:
        _scale_by_bottom(g, node)
        return
    at = node.layer.at  # type: ignore[attr-defined]
    behind = len(node.bottom_shapes[0]) - at - node.blobs[0].ndim
    operators = ("Mul", "Add")[: len(node.blobs)] if node.type == "Scale" else ("Add",)
    value = node.bottoms[0]
    for i, (operator, blob) in enumerate(zip(operators, node.blobs, strict=True)):
        spread = g.constant(f"{node.owner}.{operator.lower()}", blob.reshape(blob.shape + (1,) * behind))
        last = i == len(operators) - 1
        (value,) = g.add(operator, [value, spread], node.tops if last else None)


def _scale_by_bottom(g: OnnxGraph, node: Node) -> None:
    if node.blobs:
        node.fail("has a second bottom and its own bias, which is not supported in exports")
    x, values = node.bottoms
    axes = len(node.bottom_shapes[1])
    behind = range(axes, len(node.bottom_shapes[0]) - node.layer.at)  # type: ignore[attr-defined]
    if behind:
        (values,) = g.add("Unsqueeze", [values, g.integers(behind)])
    g.add("Mul" if node.type == "Scale" else "Add", [x, values], node.tops)


@writes("PReLU")
def _prelu(g: OnnxGraph, node: Node) -> None:
    slope = node.blobs[0].reshape((-1,) + (1,) * (len(node.bottom_shapes[0]) - 2))
    g.add("PRelu", [node.bottoms[0], g.constant(f"{node.owner}.slope", slope)], node.tops)


# -- windows


@writes("Pooling")
def _pooling(g: OnnxGraph, node: Node) -> None:
    layer: Any = node.layer
    p = layer.param.pooling_param
    if p.pool not in (_MAX_POOL, _AVERAGE_POOL):
        node.fail("is stochastic; only maximum and average pooling can be exported")
    if p.global_pooling and len(node.tops) > 1:
        node.fail("is global and has a mask, which is not supported in exports")
    kind = "MaxPool" if p.pool == _MAX_POOL else "AveragePool"
    if p.global_pooling:
        g.add(f"Global{kind}", node.bottoms, node.tops)
        return
    if any(2 * pad > k or s > k for k, s, pad in zip(layer.kernel, layer.stride, layer.pad, strict=True)):
        node.fail("pads by more than half its kernel, or has a stride above it, which is not supported in exports")
    counting = {} if p.pool == _MAX_POOL else {"count_include_pad": 1}
    sizes = {"kernel_shape": layer.kernel, "strides": layer.stride, "pads": [*layer.pad, *layer.pad]}
    tops = [node.tops[0], *g.names(len(node.tops) - 1)]
    g.add(kind, node.bottoms, tops, ceil_mode=int(p.round_mode != 1), **sizes, **counting)
    if len(tops) > 1:  # ONNX counts the values of the maps before, too
        count = g.call("ReduceProd", g.shape(node.bottoms[0], _SPATIAL), keepdims=0)
        g.add("Cast", [g.call("Mod", tops[1], count)], node.tops[1:], to=g.FLOAT)


@writes("Upsample", "Unpooling")
def _upsample(g: OnnxGraph, node: Node) -> None:
    x, mask = node.bottoms
    sides = []
    for axis, (scale, more) in zip(_SPATIAL, unpooled_sizes(node), strict=True):
        side = g.call("Mul", g.shape(x, [axis]), g.integers([scale]))
        sides.append(g.call("Add", side, g.integers([more])))
    flat = g.integers([0, 0, -1])
    count = g.call("Mul", *sides)
    (empty,) = g.filled([g.call("Concat", g.shape(x, (0, 1)), count, axis=0)], 0.0, g.names(1))
    places = g.call("Cast", g.call("Reshape", mask, flat), to=g.INT64)
    filled = g.call("ScatterElements", empty, places, g.call("Reshape", x, flat), axis=2)
    g.add("Reshape", [filled, g.call("Concat", g.integers([0, 0]), *sides, axis=0)], node.tops)


@writes("Interp")
def _interp(g: OnnxGraph, node: Node) -> None:
    if len(node.bottom_shapes[0]) != 4:
        node.fail("is not an Interp of (N, C, H, W); other axes are not supported in exports")
    p = node.layer.param.interp_param
    x = node.bottoms[0]
    if p.pad_beg or p.pad_end:
        end = p.pad_end if p.pad_end else np.iinfo(np.int64).max
        x = g.sliced(x, [-p.pad_beg] * 2, [end] * 2, _SPATIAL)
    shrink, zoom = p.HasField("shrink_factor"), p.HasField("zoom_factor")
    if p.HasField("height") and p.HasField("width") and shrink == zoom:
        size = g.integers([p.height, p.width])
    else:
        size = g.shape(x, _SPATIAL)
        for factor, operator in ((p.shrink_factor if shrink else 1, "Div"), (p.zoom_factor if zoom else 1, "Mul")):
            if factor != 1:
                (less,) = g.add("Sub", [size, g.integers([1])])
                (scaled,) = g.add(operator, [less, g.integers([factor])])
                (size,) = g.add("Add", [scaled, g.integers([1])])
    g.resize(x, size, node.tops)


@writes("Crop")
def _crop(g: OnnxGraph, node: Node) -> None:
    layer: Any = node.layer
    axes = list(range(layer.at, len(node.bottom_shapes[0])))
    starts = g.integers(layer.offset)
    (ends,) = g.add("Add", [starts, g.shape(node.bottoms[1], axes)])
    g.add("Slice", [node.bottoms[0], starts, ends, g.integers(axes)], node.tops)


@writes("Padding")
def _padding(g: OnnxGraph, node: Node) -> None:
    p = node.layer.param.padding_param
    g.add("Pad", [node.bottoms[0], g.integers([0, 0, p.pad_beg, p.pad_beg, 0, 0, p.pad_end, p.pad_end])], node.tops)
