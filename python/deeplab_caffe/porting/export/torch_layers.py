"""How each layer type is written in PyTorch: a module with its parameters, if it has any, and a call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ...caffe.layer_types.base import registered
from .graph import Node, check_segnet, reshaped_sizes, unpooled_sizes

_PROD, _SUM = 0, 1
_MAX_POOL, _AVERAGE_POOL = 0, 1


@dataclass(frozen=True)
class Written:
    """One layer as PyTorch code.

    call: an expression in which {0}, {1}, … are the bottoms and {module} is the module with the parameters; several
    tops are a tuple. module: an expression that makes the module, or "". parameters: the module's names for the layer's
    blobs, in order. parts: names in torch_parts that it uses.
    """

    call: str
    module: str = ""
    parameters: Sequence[str] = ()
    parts: Sequence[str] = ()


Writer = Callable[[Node], Written]
WRITERS: dict[str, Writer] = {}


def writes(*types: str) -> Callable[[Writer], Writer]:
    """Decorator: the function writes layers of these types."""

    def register(writer: Writer) -> Writer:
        WRITERS.update(dict.fromkeys(types, writer))
        return writer

    return register


def write(node: Node) -> Written:
    """A layer as PyTorch code; InputError if its type or an option has no counterpart in PyTorch."""
    if node.type in WRITERS:
        return WRITERS[node.type](node)
    if not node.layer.torch_call:
        node.fail_of_type("PyTorch", written_types())
    return Written(node.layer.torch_call)


def written_types() -> list[str]:
    """The types that are written: those with a writer, and those whose class states a `torch_call`."""
    return sorted({*WRITERS, *(name for name, cls in registered().items() if cls.torch_call)})


def _pair(values: Sequence[int]) -> int | tuple[int, ...]:
    """3 for (3, 3)."""
    return values[0] if len(set(values)) == 1 else tuple(values)


def _arguments(given: dict[str, Any], defaults: dict[str, Any]) -> str:
    return "".join(f", {name}={value!r}" for name, value in given.items() if value != defaults.get(name))


# -- layers with parameters


@writes("Convolution", "ConvolutionDepthwise", "DepthwiseConv", "DepthwiseConvolution", "Deconvolution")
def _convolution(node: Node) -> Written:
    layer: Any = node.layer
    if layer.spatial != 2 or layer.channel_axis != 1:
        node.fail("is not a convolution over (N, C, H, W); others are not supported in exports")
    if 0 in layer.dilation:
        node.fail("has dilation 0, which PyTorch and ONNX do not support")
    p = layer.param.convolution_param
    given = {"stride": layer.stride, "padding": layer.pad, "dilation": layer.dilation, "groups": (p.group,)}
    options = {name: _pair(values) for name, values in given.items()} | {"bias": len(node.blobs) > 1}
    kind = "nn.ConvTranspose2d" if node.type == "Deconvolution" else "nn.Conv2d"
    sizes = f"{layer.channels}, {p.num_output}, {_pair(layer.kernel)!r}"
    defaults = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "bias": True}
    module = f"{kind}({sizes}{_arguments(options, defaults)})"
    return Written("{module}({0})", module, ("weight", "bias")[: len(node.blobs)])


@writes("InnerProduct")
def _inner_product(node: Node) -> Written:
    p, layer = node.layer.param.inner_product_param, node.layer
    if p.transpose:
        node.fail("has transposed weights, which are not supported in exports; use a net without `transpose`")
    bias = "" if len(node.blobs) > 1 else ", bias=False"
    module = f"nn.Linear({layer.inputs}, {p.num_output}{bias})"  # type: ignore[attr-defined]
    flat = "{0}" if len(node.bottom_shapes[0]) == layer.split + 1 else f"{{0}}.flatten({layer.split})"  # type: ignore[attr-defined]
    return Written(f"{{module}}({flat})", module, ("weight", "bias")[: len(node.blobs)])


@writes("BatchNorm")
def _batch_norm(node: Node) -> Written:
    p = node.layer.param.batch_norm_param
    if p.HasField("use_global_stats") and not p.use_global_stats:
        node.fail("uses the statistics of the batch; only stored statistics can be exported")
    module = f"BatchNorm({node.bottom_shapes[0][1]}, eps={p.eps:.9g})"
    return Written("{module}({0})", module, ("mean", "variance", "factor"), ("BatchNorm",))


@writes("BN")
def _bn(node: Node) -> Written:
    if node.layer.segnet:  # type: ignore[attr-defined]
        check_segnet(node)
        return Written("{module}({0})", f"Scale({node.blobs[0].shape!r}, axis=0)", ("weight", "bias"), ("Scale",))
    module = f"FrozenBN({node.bottom_shapes[0][1]}, eps={node.layer.param.bn_param.eps:.9g})"
    return Written("{module}({0})", module, ("weight", "bias", "mean", "variance"), ("FrozenBN",))


@writes("Scale", "Bias")
def _scale(node: Node) -> Written:
    if len(node.bottoms) == 2:
        return _scale_by_bottom(node)
    kept = ("weight", "bias") if node.type == "Scale" else ("bias",)
    names = kept[: len(node.blobs)]
    lacks = "".join(f", {name}=False" for name in ("weight", "bias") if name not in names)
    module = f"Scale({node.blobs[0].shape!r}, axis={node.layer.at}{lacks})"  # type: ignore[attr-defined]
    return Written("{module}({0})", module, names, ("Scale",))


def _scale_by_bottom(node: Node) -> Written:
    if node.blobs:
        node.fail("has a second bottom and its own bias, which is not supported in exports")
    behind = len(node.bottom_shapes[0]) - node.layer.at - len(node.bottom_shapes[1])  # type: ignore[attr-defined]
    operator = "*" if node.type == "Scale" else "+"
    spread = f"[(..., *(None,) * {behind})]" if behind else ""
    return Written(f"{{0}} {operator} {{1}}{spread}")


@writes("PReLU")
def _prelu(node: Node) -> Written:
    if not node.blobs[0].shape:
        node.fail("shares one slope among its channels, which is not supported in exports")
    return Written("{module}({0})", f"nn.PReLU({len(node.blobs[0])})", ("weight",))


# -- functions


@writes("Pooling")
def _pooling(node: Node) -> Written:
    layer: Any = node.layer
    p = layer.param.pooling_param
    if p.pool not in (_MAX_POOL, _AVERAGE_POOL):
        node.fail("is stochastic; only maximum and average pooling can be exported")
    if p.global_pooling and len(node.tops) > 1:
        node.fail("is global and has a mask, which is not supported in exports")
    if p.global_pooling:
        return Written("{0}.amax((2, 3), keepdim=True)" if p.pool == _MAX_POOL else "{0}.mean((2, 3), keepdim=True)")
    if any(2 * pad > k or s > k for k, s, pad in zip(layer.kernel, layer.stride, layer.pad, strict=True)):
        node.fail("pads by more than half its kernel, or has a stride above it, which PyTorch does differently")
    kind = "max_pool2d" if p.pool == _MAX_POOL else "avg_pool2d"
    rounding = "" if p.round_mode == 1 else ", ceil_mode=True"
    sizes = ", ".join(repr(_pair(values)) for values in (layer.kernel, layer.stride, layer.pad))
    if len(node.tops) > 1:
        return Written(f"max_pool_mask({{0}}, {sizes}{rounding})", parts=("max_pool_mask",))
    return Written(f"F.{kind}({{0}}, {sizes}{rounding})")


@writes("Upsample", "Unpooling")
def _upsample(node: Node) -> Written:
    sides = zip((2, 3), unpooled_sizes(node), strict=True)
    height, width = (f"{{0}}.shape[{axis}] * {scale} + {more}" if scale else str(more) for axis, (scale, more) in sides)
    return Written(f"unpool({{0}}, {{1}}, ({height}, {width}))", parts=("unpool",))


@writes("Interp")
def _interp(node: Node) -> Written:
    if len(node.bottom_shapes[0]) != 4:
        node.fail("is not an Interp of (N, C, H, W); other axes are not supported in exports")
    p = node.layer.param.interp_param
    shrink, zoom = p.HasField("shrink_factor"), p.HasField("zoom_factor")
    given: dict[str, Any] = {"pads": (p.pad_beg, p.pad_end)}
    if p.HasField("height") and p.HasField("width") and shrink == zoom:
        given["size"] = (p.height, p.width)
    else:
        given |= {"zoom": p.zoom_factor if zoom else 1, "shrink": p.shrink_factor if shrink else 1}
    defaults = {"pads": (0, 0), "zoom": 1, "shrink": 1}
    return Written(f"interp({{0}}{_arguments(given, defaults)})", parts=("interp",))


@writes("ReLU")
def _relu(node: Node) -> Written:
    slope = node.layer.param.relu_param.negative_slope
    return Written(f"F.leaky_relu({{0}}, {slope:.9g})" if slope else "F.relu({0})")


@writes("ELU")
def _elu(node: Node) -> Written:
    return Written(f"F.elu({{0}}, {node.layer.param.elu_param.alpha:.9g})")


@writes("Clip")
def _clip(node: Node) -> Written:
    p = node.layer.param.clip_param
    return Written(f"{{0}}.clamp({p.min:.9g}, {p.max:.9g})")


@writes("Power")
def _power(node: Node) -> Written:
    p = node.layer.param.power_param
    if p.power * p.scale == 0:
        return Written(f"torch.full_like({{0}}, {p.shift**p.power:.9g})")
    inner = "{0}" + (f" * {p.scale:.9g}" if p.scale != 1 else "") + (f" + {p.shift:.9g}" if p.shift else "")
    return Written(inner if p.power == 1 else f"({inner}) ** {p.power:.9g}")


@writes("Exp", "Log")
def _exponential(node: Node) -> Written:
    p = node.layer.param.exp_param if node.type == "Exp" else node.layer.param.log_param
    inner = "{0}" + (f" * {p.scale:.9g}" if p.scale != 1 else "") + (f" + {p.shift:.9g}" if p.shift else "")
    if p.base != -1:
        base = f"{p.base:.9g}"
        return Written(f"{base} ** ({inner})" if node.type == "Exp" else f"torch.log({inner}) / math.log({base})")
    return Written(f"torch.{node.type.lower()}({inner})")


@writes("Eltwise")
def _eltwise(node: Node) -> Written:
    p = node.layer.param.eltwise_param
    places = [f"{{{i}}}" for i in range(len(node.bottoms))]
    if p.operation == _PROD:
        return Written(" * ".join(places))
    if p.operation == _SUM:
        factors = p.coeff or [1.0] * len(places)
        return Written(" + ".join(x if c == 1 else f"{c:.9g} * {x}" for c, x in zip(factors, places, strict=True)))
    call = places[0]
    for place in places[1:]:
        call = f"torch.maximum({call}, {place})"
    return Written(call)


@writes("Concat")
def _concat(node: Node) -> Written:
    places = ", ".join(f"{{{i}}}" for i in range(len(node.bottoms)))
    return Written(f"torch.cat([{places}], {node.layer.at})")  # type: ignore[attr-defined]


@writes("Slice")
def _slice(node: Node) -> Written:
    at = node.layer.at  # type: ignore[attr-defined]
    return Written(f"{{0}}.split({[shape[at] for shape in node.top_shapes]!r}, {at})")


@writes("Crop")
def _crop(node: Node) -> Written:
    layer: Any = node.layer
    return Written(f"crop({{0}}, {{1}}, {layer.at}, {tuple(layer.offset)!r})", parts=("crop",))


@writes("Softmax")
def _softmax(node: Node) -> Written:
    return Written(f"{{0}}.softmax({node.layer.param.softmax_param.axis})")


@writes("ArgMax")
def _argmax(node: Node) -> Written:
    p = node.layer.param.argmax_param
    if not p.HasField("axis") or p.top_k != 1:
        node.fail("can only be exported with an axis and a top_k of 1")
    return Written(
        f"{{0}}.amax({p.axis}, keepdim=True)" if p.out_max_val else f"argmax({{0}}, {p.axis})",
        parts=() if p.out_max_val else ("argmax",),
    )


@writes("LRN")
def _lrn(node: Node) -> Written:
    p = node.layer.param.lrn_param
    if p.norm_region != 0:
        node.fail("normalises within channels, which is not supported in exports")
    numbers = f"{p.local_size}, {p.alpha:.9g}, {p.beta:.9g}, {p.k:.9g}"
    return Written(f"local_response({{0}}, {numbers})", parts=("local_response",))


@writes("Flatten")
def _flatten(node: Node) -> Written:
    p = node.layer.param.flatten_param
    return Written(f"{{0}}.flatten({p.axis}, {p.end_axis})")


@writes("Reshape")
def _reshape(node: Node) -> Written:
    sizes = [str(size) if size else f"{{0}}.shape[{axis}]" for axis, size in enumerate(reshaped_sizes(node))]
    return Written(f"{{0}}.reshape({', '.join(sizes)})")


@writes("Padding")
def _padding(node: Node) -> Written:
    p = node.layer.param.padding_param
    return Written(f"F.pad({{0}}, {(p.pad_beg, p.pad_end) * 2!r})")


@writes("Tile")
def _tile(node: Node) -> Written:
    return Written(f"torch.cat([{{0}}] * {node.layer.param.tile_param.tiles}, {node.layer.at})")  # type: ignore[attr-defined]
