"""Readers of operators that resize."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...arrays import Shape
from .model import LARGEST_CONSTANT, OnnxNode
from .net import CaffeNet
from .registry import reads
from .windows import sides

#: from places of the result (0, 1, …) to places of the input, by coordinate_transformation_mode: scale, both sizes
_PLACES: dict[str, Callable[[np.ndarray, float, int, int], np.ndarray]] = {
    "half_pixel": lambda x, scale, size, wanted: (x + 0.5) / scale - 0.5,
    "half_pixel_symmetric": lambda x, scale, size, wanted: (x + 0.5) / scale - 0.5,  # the same for whole multiples
    "pytorch_half_pixel": lambda x, scale, size, wanted: (x + 0.5) / scale - 0.5 if wanted > 1 else 0 * x,
    "asymmetric": lambda x, scale, size, wanted: x / scale,
    "align_corners": lambda x, scale, size, wanted: x * (size - 1) / max(1, wanted - 1),
}
_NEAREST: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}


@reads("Resize", "Upsample")
def _resize(net: CaffeNet, node: OnnxNode) -> None:
    size, wanted = net.shape(node, node.inputs[0]), net.shape(node, node.outputs[0])
    mode, newer = node.get("mode", "nearest"), node.operator == "Resize" and net.model.opset > 10
    how = node.get("coordinate_transformation_mode", "half_pixel" if newer else "asymmetric")
    if len(size) != 4 or size[:2] != wanted[:2]:
        node.fail(f"resizes {size} to {wanted}; only height and width of images have a counterpart")
    if size == wanted:
        net.alias(node)
    elif mode == "linear" and how == "align_corners":
        fields = {"height": wanted[2], "width": wanted[3]}
        net.add(node, "Interp", [net.blob(node, node.inputs[0])], [node.outputs[0]], interp_param=fields)
    else:
        _enlarge(net, node, size, wanted, mode, how)


def _enlarge(net: CaffeNet, node: OnnxNode, size: Shape, wanted: Shape, mode: str, how: str) -> None:
    """Enlarge by whole numbers, with a Deconvolution of each channel.

    Bilinear: at the border a Deconvolution lacks the pixels outside, where ONNX repeats the last one. Its values
    divided by those of an image of ones are ONNX's; the divisors are the fixed weights of a Scale.
    """
    factors = _factors(net, node, size, wanted)
    repeats = _repeats(net, node, size, wanted, how) if mode == "nearest" else tuple(size[2:]) == (1, 1)
    if not (repeats or (mode == "linear" and how in ("half_pixel", "pytorch_half_pixel"))):
        rounding = f", {node.get('nearest_mode', 'as the default rounds')}" if mode == "nearest" else ""
        node.fail(f"has the mode {mode}, {how}{rounding}, which has no counterpart in BVLC's layers")
    if size[1] * 4 * factors[0] * factors[1] > LARGEST_CONSTANT:
        node.fail(f"enlarges {size[1]} channels {factors[0]} x {factors[1]} times; the weights would be too large")
    kernels = [np.ones(f) if repeats else _bilinear(f) for f in factors]
    pads = [0 if repeats else (len(k) - f) // 2 for k, f in zip(kernels, factors, strict=True)]
    weights = np.broadcast_to(np.outer(*kernels), (size[1], 1, len(kernels[0]), len(kernels[1])))
    fields = {
        "num_output": size[1],
        "group": size[1],
        "bias_term": False,
        **sides("kernel", weights.shape[2:]),
        **sides("stride", factors),
        **sides("pad", pads, unless=0),
    }
    top = node.outputs[0] if repeats else net.fresh(node, "enlarged")
    net.add(node, "Deconvolution", [net.blob(node, node.inputs[0])], [top], blobs=[weights], convolution_param=fields)
    if not repeats:
        sums = [_column_sums(k, n, f) for k, n, f in zip(kernels, size[2:], factors, strict=True)]
        net.add(
            node, "Scale", [top], [node.outputs[0]], f"{node.name}_border", [1 / np.outer(*sums)],
            scale_param={"axis": 2, "num_axes": 2},
        )  # fmt: skip


def _factors(net: CaffeNet, node: OnnxNode, size: Shape, wanted: Shape) -> list[int]:
    """How many times height and width become larger; whole numbers."""
    factors = [b // a for a, b in zip(size[2:], wanted[2:], strict=True)]
    scales = _scales(net, node)
    change = f"{tuple(size[2:])} to {tuple(wanted[2:])}"
    if any(a * f != b for a, f, b in zip(size[2:], factors, wanted[2:], strict=True)):
        node.fail(f"resizes {change}; only whole multiples have a counterpart in BVLC's layers")
    if len(scales) and scales[-2:] != factors:
        node.fail(f"resizes {change} by {scales[-2:]}; only whole multiples have a counterpart in BVLC's layers")
    return factors


def _scales(net: CaffeNet, node: OnnxNode) -> list[float]:
    """The scales of the axes, the last two those of height and width; none if sizes are stated."""
    place = 2 if node.operator == "Resize" and net.model.opset > 10 else 1
    stated = np.ravel(net.model.argument(node, "scales", place, ()))
    if "axes" not in node.attributes:
        return [float(scale) for scale in stated]
    return [float(dict(zip((axis % 4 for axis in node.get("axes")), stated, strict=True)).get(i, 1)) for i in (2, 3)]


def _repeats(net: CaffeNet, node: OnnxNode, size: Shape, wanted: Shape, how: str) -> bool:
    """Whether the mode nearest makes equal blocks of each pixel; other modes shift the image by parts of a pixel."""
    newer = node.operator == "Resize" and net.model.opset > 10
    rounding = node.get("nearest_mode", "round_prefer_floor" if newer else "floor")
    if how not in _PLACES or rounding not in _NEAREST:
        return False
    for a, b in zip(size[2:], wanted[2:], strict=True):
        places = _NEAREST[rounding](_PLACES[how](np.arange(b), b / a, a, b)).clip(0, a - 1)
        if not np.array_equal(places, np.arange(b) // (b // a)):
            return False
    return True


def _bilinear(factor: int) -> np.ndarray:
    """The taps of bilinear enlarging with half-pixel centres, symmetrical: 2 f of them, one less if f is odd."""
    taps = 2 * factor - factor % 2
    return np.asarray(1 - np.abs(np.arange(taps) - (taps - 1) / 2) / factor)


def _column_sums(kernel: np.ndarray, size: int, factor: int) -> np.ndarray:
    """What a Deconvolution makes of a row of ones: (size * factor,)."""
    whole = np.zeros(size * factor + len(kernel))
    for i in range(size):
        whole[i * factor : i * factor + len(kernel)] += kernel
    pad = (len(kernel) - factor) // 2
    return whole[pad : pad + size * factor]
