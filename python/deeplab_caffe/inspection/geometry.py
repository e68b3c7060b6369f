"""Output stride and receptive field of every blob, over all paths from the image."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from ..caffe.layer_types.reach import SAME_PLACE, Reach, Reaches, plane
from .shapes import LayerShapes, NetShapes
from .windows import reach

#: most neighbouring units that are looked at where upsampling makes them differ
_MOST_PHASES = 64
_FAR = 2**40

Pair = tuple[Fraction, Fraction]


@dataclass(frozen=True)
class Field:
    """What a blob's units see of an input, along (height, width), without regard to borders and batch statistics.

    source: the input; stride: steps of the input for one of the blob (its output stride), 0 where the blob is no map;
    size: extent of the receptive field in positions of the input, the largest where units differ (behind Interp and
    Deconvolution); first: its centre for unit (0, 0), so that unit i's is first + i · stride (on average, where units
    differ); middle: its centre for the unit in the middle of the map.
    """

    source: str
    stride: Pair
    size: tuple[int, int]
    first: Pair
    middle: Pair


def field_of_view(kernel: int, dilation: int, stride: int = 8, cell: int = 32) -> int:
    """The field of view of fc6 as the DeepLab papers state it, in pixels.

    Its outer taps are stride · dilation · (kernel − 1) pixels apart, and each looks at a position of the original
    VGG-16's pool5, whose cell is 32 pixels wide. v1, table 1: 7×7 at rate 4 gives 224, 4×4 at rate 4 128, 4×4 at rate
    8 224, 3×3 at rate 12 224. The receptive field (`fields`) is larger: each tap's own is.
    """
    return stride * dilation * (kernel - 1) + cell


def fields(shapes: NetShapes) -> dict[str, Field]:
    """The Field of every blob that depends on an input; blobs behind a layer that could not be set up have none."""
    sound = [layer for layer in shapes.layers if layer.layer is not None]
    walk = _Walk(sound)
    axes = [walk.run(0), walk.run(1)] if walk.differs else [walk.run(0)] * 2
    return {
        name: _joined(height, width) for (name, height), width in zip(axes[0].items(), axes[1].values(), strict=True)
    }


class _AxisField(NamedTuple):
    """A Field along one axis."""

    source: str
    stride: Fraction
    size: int
    first: Fraction
    middle: Fraction


def _joined(y: _AxisField, x: _AxisField) -> Field:
    return Field(y.source, (y.stride, x.stride), (y.size, x.size), (y.first, x.first), (y.middle, x.middle))


class _Walk:
    """One way from the last layer to the first, all blobs' fields at once, as arrays over targets.

    A target is a unit of a blob. A blob's units are its middle one and, where upsampling makes neighbours differ, as
    many behind it as differ.
    """

    def __init__(self, layers: list[LayerShapes]) -> None:
        self.layers = layers
        self.edges = [self._edges(layer) for layer in layers]
        self.sizes = {top: plane(shape) for layer in layers for top, shape in _tops(layer)}
        self.differs = any(h != w for h, w in self.sizes.values()) or any(
            y != x for edges in self.edges for _, _, (y, x) in edges
        )

    @staticmethod
    def _edges(layer: LayerShapes) -> list[tuple[str, str, Reaches]]:
        """(bottom, top, how the top depends on it), without what works in place."""
        found = []
        for j, top in enumerate(layer.tops):
            for i, bottom in enumerate(layer.bottoms):
                pair = reach(layer, i, j) if bottom != top else None
                if pair is not None:
                    found.append((bottom, top, pair))
        return found

    def run(self, axis: int) -> dict[str, _AxisField]:
        """What every blob that sees an input sees of it along an axis."""
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
        """Of every blob its strides, by input, and how many neighbouring units may differ."""
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
        """What the targets see of every input."""
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
        """The first input of the net that a blob's units see, and what each sees of it."""
        for source in (name for name in self.sizes if name in seen):
            begin, low, high = seen[source]
            part = slice(start - begin, start - begin + phases)
            if begin <= start and (low[part] <= high[part]).any():
                return source, low[part], high[part]
        return None


def _summary(source: str, stride: Fraction, unit: int, low: np.ndarray, high: np.ndarray) -> _AxisField:
    """From the ends of what `unit` and those behind it see; some, not all, may see nothing."""
    seeing = np.flatnonzero(low <= high)
    centres = [Fraction(int(low[i] + high[i]), 2) for i in seeing]
    firsts = [centre - stride * (unit + int(i)) for i, centre in zip(seeing, centres, strict=True)]
    size = int((high - low).max()) + 1
    return _AxisField(source, stride, size, sum(firsts, Fraction(0)) / len(firsts), centres[0])


class _Seen(NamedTuple):
    """The first and last position of one blob that the targets from `start` on see; `low` > `high` for none."""

    start: int
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def nothing(cls, start: int, count: int) -> _Seen:
        return cls(start, np.full(count - start, _FAR), np.full(count - start, -_FAR))

    def add_own(self, first: int, phases: int) -> None:
        """Let the blob's own targets, which are the first ones, see themselves."""
        self.low[:phases] = self.high[:phases] = first + np.arange(phases)

    def join(self, above: _Seen, view: Reach) -> None:
        """Widen this by what the targets see of it through a blob above."""
        low, high = view.below(above.low, above.high) if view != SAME_PLACE else (above.low, above.high)
        nothing = (above.low > above.high) | (low > high)
        mine = slice(above.start - self.start, None)
        np.minimum(self.low[mine], np.where(nothing, _FAR, low), out=self.low[mine])
        np.maximum(self.high[mine], np.where(nothing, -_FAR, high), out=self.high[mine])


def _tops(layer: LayerShapes) -> Iterable[tuple[str, tuple[int, ...]]]:
    return ((top, shape or ()) for top, shape in zip(layer.tops, layer.top_shapes, strict=True))
