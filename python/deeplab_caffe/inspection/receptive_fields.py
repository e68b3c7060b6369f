"""Output stride and receptive field of every blob, over all paths from the image."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from ..caffe.layer_types.reach import SAME_PLACE, Reach, Reaches, plane
from .open_layers import OpenLayer
from .shapes import LayerShapes, NetShapes
from .sliding_windows import reach

#: at most so many neighbouring units are examined where upsampling makes them differ
_MOST_PHASES = 64
_FAR = 2**40

AxisPair = tuple[Fraction, Fraction]


@dataclass(frozen=True)
class ReceptiveField:
    """The part of an input that a blob's units depend on, along (height, width).

    Borders and batch statistics are ignored.

    source: the input; stride: the output stride, in pixels of the input, 0 if the blob is not a map; size: extent of
    the receptive field in pixels of the input, the largest one if units differ (behind Interp and Deconvolution);
    first: its centre for unit (0, 0), so that the centre of unit i is first + i · stride (on average, if units differ);
    middle: its centre for the unit in the middle of the map.
    """

    source: str
    stride: AxisPair
    size: tuple[int, int]
    first: AxisPair
    middle: AxisPair


def field_of_view(kernel: int, dilation: int, stride: int = 8, cell: int = 32) -> int:
    """The field of view of fc6 as the DeepLab papers state it, in pixels.

    Its outer taps are stride · dilation · (kernel − 1) pixels apart, and each reads a position of the original VGG-16's
    pool5, whose cell is 32 pixels wide. The receptive field (`infer_receptive_fields`) is larger, because that of each
    tap is larger than its cell.

    Args:
        kernel: taps along one axis.
        dilation: the atrous rate.
        stride: output stride of the blob that is read, in pixels.
        cell: width of a position of pool5, in pixels.

    Source: DeepLab v1, table 1.

    Example:
        >>> field_of_view(kernel=7, dilation=4), field_of_view(4, 4), field_of_view(4, 8), field_of_view(3, 12)
        (224, 128, 224, 224)
    """
    return stride * dilation * (kernel - 1) + cell


def infer_receptive_fields(shapes: NetShapes) -> dict[str, ReceptiveField]:
    """The receptive field of every blob that depends on an input, over all paths.

    A blob behind a layer that could not be set up, or whose type is unknown, has none.
    """
    sound = [layer for layer in shapes.layers if layer.layer is not None and not isinstance(layer.layer, OpenLayer)]
    walk = _Walk(sound)
    axes = [walk.run(0), walk.run(1)] if walk.differs else [walk.run(0)] * 2
    return {
        name: _joined(height, width) for (name, height), width in zip(axes[0].items(), axes[1].values(), strict=True)
    }


class _AxisField(NamedTuple):
    """A receptive field along one axis."""

    source: str
    stride: Fraction
    size: int
    first: Fraction
    middle: Fraction


def _joined(y: _AxisField, x: _AxisField) -> ReceptiveField:
    return ReceptiveField(y.source, (y.stride, x.stride), (y.size, x.size), (y.first, x.first), (y.middle, x.middle))


class _Walk:
    """One pass from the last layer to the first that finds the fields of all blobs at once, as arrays over targets.

    A target is a unit of a blob: its middle one and, where upsampling makes neighbours differ, as many units behind it
    as differ.
    """

    def __init__(self, layers: list[LayerShapes]) -> None:
        self.layers = layers
        made = {top for layer in layers for top in layer.tops}
        self.edges = [[edge for edge in self._edges(layer) if edge[0] in made] for layer in layers]
        self.sizes = {top: plane(shape) for layer in layers for top, shape in _tops(layer)}
        self.differs = any(h != w for h, w in self.sizes.values()) or any(
            y != x for edges in self.edges for _, _, (y, x) in edges
        )

    @staticmethod
    def _edges(layer: LayerShapes) -> list[tuple[str, str, Reaches]]:
        """(bottom, top, how the top depends on it), without in-place connections."""
        found = []
        for j, top in enumerate(layer.tops):
            for i, bottom in enumerate(layer.bottoms):
                pair = reach(layer, i, j) if bottom != top else None
                if pair is not None:
                    found.append((bottom, top, pair))
        return found

    def run(self, axis: int) -> dict[str, _AxisField]:
        """The field, along an axis, of every blob that depends on an input."""
        strides, phases = self._forward(axis)
        starts: dict[str, int] = {}
        count = 0
        for name in self.sizes:
            starts[name] = count
            count += phases[name]
        seen = self._backward(axis, starts, phases, count)
        result = {}
        for name in self.sizes:
            found = self._first_seen(starts[name], phases[name], seen)
            if found:
                source, low, high = found
                stride = strides[name].get(source, Fraction(0))
                result[name] = _summary(source, stride, (self.sizes[name][axis] - 1) // 2, low, high)
        return result

    def _forward(self, axis: int) -> tuple[dict[str, dict[str, Fraction]], dict[str, int]]:
        """Of every blob its stride per input, and how many neighbouring units may differ."""
        strides: dict[str, dict[str, Fraction]] = {name: {} for name in self.sizes}
        phases = dict.fromkeys(self.sizes, 1)
        for layer, edges in zip(self.layers, self.edges, strict=True):
            if not layer.bottoms:
                strides.update({top: {top: Fraction(1)} for top in layer.tops})
            for bottom, top, pair in edges:
                scale = pair[axis].scale
                for source, stride in strides[bottom].items():
                    strides[top][source] = max(strides[top].get(source, Fraction(0)), stride * scale)
                both = math.lcm(phases[top], phases[bottom] * scale.denominator)
                phases[top] = min(both, _MOST_PHASES)
        return strides, phases

    def _backward(self, axis: int, starts: dict[str, int], phases: dict[str, int], count: int) -> dict[str, _Seen]:
        """What the targets depend on, of every input."""
        known: dict[str, _Seen] = {}
        inputs: dict[str, _Seen] = {}
        for layer, edges in zip(reversed(self.layers), reversed(self.edges), strict=True):
            for name in dict.fromkeys(layer.tops):
                here = known.setdefault(name, _Seen.nothing(starts[name], count))
                here.add_own((self.sizes[name][axis] - 1) // 2, phases[name])
                for bottom, _, pair in (edge for edge in edges if edge[1] == name):
                    below = known.setdefault(bottom, _Seen.nothing(starts[bottom], count))
                    below.join(here, pair[axis])
                if not layer.bottoms:
                    inputs[name] = here
                if name not in layer.bottoms:
                    del known[name]
        return inputs

    def _first_seen(self, start: int, phases: int, seen: dict[str, _Seen]) -> tuple[str, np.ndarray, np.ndarray] | None:
        """The first input of the net that a blob's units depend on, and what each of them depends on."""
        for source in (name for name in self.sizes if name in seen):
            begin, low, high = seen[source]
            part = slice(start - begin, start - begin + phases)
            if begin <= start and (low[part] <= high[part]).any():
                return source, low[part], high[part]
        return None


def _summary(source: str, stride: Fraction, unit: int, low: np.ndarray, high: np.ndarray) -> _AxisField:
    """From what `unit` and those behind it depend on, first and last position; some, not all, may depend on nothing."""
    seeing = np.flatnonzero(low <= high)
    centres = [Fraction(int(low[i] + high[i]), 2) for i in seeing]
    firsts = [centre - stride * (unit + int(i)) for i, centre in zip(seeing, centres, strict=True)]
    size = int((high - low).max()) + 1
    return _AxisField(source, stride, size, sum(firsts, Fraction(0)) / len(firsts), centres[0])


class _Seen(NamedTuple):
    """The first and last position of one blob that the targets from `start` on depend on; `low` > `high` for none."""

    start: int
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def nothing(cls, start: int, count: int) -> _Seen:
        return cls(start, np.full(count - start, _FAR), np.full(count - start, -_FAR))

    def add_own(self, first: int, phases: int) -> None:
        """Let the blob's own targets, which are the first ones, depend on themselves."""
        self.low[:phases] = self.high[:phases] = first + np.arange(phases)

    def join(self, above: _Seen, reached: Reach) -> None:
        """Widen this by what the targets depend on through a blob above."""
        low, high = reached.below(above.low, above.high) if reached != SAME_PLACE else (above.low, above.high)
        nothing = (above.low > above.high) | (low > high)
        mine = slice(above.start - self.start, None)
        np.minimum(self.low[mine], np.where(nothing, _FAR, low), out=self.low[mine])
        np.maximum(self.high[mine], np.where(nothing, -_FAR, high), out=self.high[mine])


def _tops(layer: LayerShapes) -> Iterable[tuple[str, tuple[int, ...]]]:
    return ((top, shape or ()) for top, shape in zip(layer.tops, layer.top_shapes, strict=True))
