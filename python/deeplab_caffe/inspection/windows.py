"""What a layer's units look at: for every bottom, the positions below that a range of positions above depends on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from ..arrays import Shape
from .shapes import LayerShapes

Ends = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Window:
    """Convolution and pooling along one axis: unit i reads stride · i − pad + dilation · {0, …, kernel − 1}."""

    kernel: int = 1
    stride: int = 1
    pad: int = 0
    dilation: int = 1

    @property
    def scale(self) -> Fraction:
        """Steps below for one step above."""
        return Fraction(self.stride)

    def below(self, low: np.ndarray, high: np.ndarray) -> Ends:
        """The first and last position below that positions `low` to `high` above depend on."""
        start = self.stride * low - self.pad
        return start, start + self.stride * (high - low) + self.dilation * (self.kernel - 1)


@dataclass(frozen=True)
class Transposed(Window):
    """Deconvolution along one axis: unit i is given by those below whose window, upsampled, covers it."""

    @property
    def scale(self) -> Fraction:
        return Fraction(1, self.stride)

    def below(self, low: np.ndarray, high: np.ndarray) -> Ends:
        reach = self.dilation * (self.kernel - 1)
        return -((reach - low - self.pad) // self.stride), (high + self.pad) // self.stride


@dataclass(frozen=True)
class Resampled:
    """Interp along one axis: unit i lies at begin + i · scale and reads the positions on both sides of it."""

    scale: Fraction
    begin: int = 0

    def below(self, low: np.ndarray, high: np.ndarray) -> Ends:
        up, down = self.scale.numerator, self.scale.denominator
        return low * up // down + self.begin, -(-high * up // down) + self.begin


@dataclass(frozen=True)
class Whole:
    """Every unit depends on the whole axis of that size."""

    size: int
    scale: Fraction = Fraction(0)

    def below(self, low: np.ndarray, high: np.ndarray) -> Ends:
        return np.zeros_like(low), np.full_like(high, self.size - 1)


View = Window | Resampled | Whole
SAME = Window()


def views(layer: LayerShapes, bottom: int, top: int) -> tuple[View, View] | None:
    """How a top depends on a bottom along height and width; None where only the bottom's shape counts."""
    below, above = layer.bottom_shapes[bottom], layer.top_shapes[top]
    assert below is not None and above is not None
    if layer.type == "Crop" and bottom == 1:
        return None
    rule = _RULES.get(layer.type)
    found = rule(layer, bottom, top) if rule and len(below) == 4 and len(above) == 4 else None
    if found is not None:
        return found
    old, new = plane(below), plane(above)
    if layer.type in _GLOBAL or old != new:
        return Whole(old[0]), Whole(old[1])
    return SAME, SAME


def window_sizes(layer: LayerShapes) -> list[tuple[int, int, int, int]]:
    """Kernel, stride, pad and dilation along every spatial axis of a layer with windows; of another none."""
    made: Any = layer.layer
    if not hasattr(made, "kernel"):
        return []
    dilation = getattr(made, "dilation", (1,) * len(made.kernel))
    return list(zip(made.kernel, made.stride, made.pad, dilation, strict=True))


def plane(shape: Shape) -> tuple[int, int]:
    """Height and width of a map (N, C, H, W); a blob of other axes counts as one position."""
    return (shape[2], shape[3]) if len(shape) == 4 else (1, 1)


Rule = Callable[[LayerShapes, int, int], tuple[View, View] | None]


def _window(layer: LayerShapes, bottom: int, top: int) -> tuple[View, View] | None:
    kind = Transposed if layer.type == "Deconvolution" else Window
    sizes = [kind(*axis) for axis in window_sizes(layer)]
    return (sizes[0], sizes[1]) if len(sizes) == 2 else None


def _interp(layer: LayerShapes, bottom: int, top: int) -> tuple[View, View]:
    p = layer.param.interp_param
    sizes = zip(plane(layer.bottom_shapes[0] or ()), plane(layer.top_shapes[0] or ()), strict=True)
    begin, cropped = -p.pad_beg, p.pad_beg + p.pad_end
    # a map of one unit is that of the first corner
    scales = (Fraction(old + cropped - 1, new - 1) if new > 1 else Fraction(0) for old, new in sizes)
    y, x = (Resampled(scale, begin) for scale in scales)
    return y, x


def _upsample(layer: LayerShapes, bottom: int, top: int) -> tuple[View, View]:
    """Each value of the small map lies somewhere in its cell of the large one."""
    sizes = zip(plane(layer.bottom_shapes[0] or ()), plane(layer.top_shapes[0] or ()), strict=True)
    y, x = (Transposed(-(-new // old), -(-new // old)) for old, new in sizes)
    return y, x


def _padding(layer: LayerShapes, bottom: int, top: int) -> tuple[View, View]:
    shift = Window(pad=layer.param.padding_param.pad_beg)
    return shift, shift


def _crop(layer: LayerShapes, bottom: int, top: int) -> tuple[View, View]:
    made: Any = layer.layer
    offsets = dict(enumerate(made.offset, made.at))
    return Window(pad=-offsets.get(2, 0)), Window(pad=-offsets.get(3, 0))


def _slice(layer: LayerShapes, bottom: int, top: int) -> tuple[View, View]:
    made: Any = layer.layer
    at = made.at
    offset = sum((shape or ())[at] for shape in layer.top_shapes[:top])
    return (Window(pad=-offset) if at == 2 else SAME), (Window(pad=-offset) if at == 3 else SAME)


def _lrn(layer: LayerShapes, bottom: int, top: int) -> tuple[View, View]:
    p = layer.param.lrn_param
    view = Window(p.local_size, 1, p.local_size // 2) if p.norm_region == p.WITHIN_CHANNEL else SAME
    return view, view


_RULES: dict[str, Rule] = {
    "Convolution": _window,
    "Deconvolution": _window,
    "Im2col": _window,
    "Pooling": _window,
    "Interp": _interp,
    "Upsample": _upsample,
    "Padding": _padding,
    "Crop": _crop,
    "Slice": _slice,
    "LRN": _lrn,
}
#: types whose units look at everything although the map's size stays; Python layers may
_GLOBAL = {"MVN", "DomainTransform", "DomainTransformForwardOnly", "DenseCRF", "AdaptiveBiasChannel", "Python"}
