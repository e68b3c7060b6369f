"""What a unit of a layer looks at along one axis: the positions below that a range of positions above depends on."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

#: first and last positions
Span = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class WindowReach:
    """Convolution and pooling: unit i reads stride · i − pad + dilation · {0, …, kernel − 1}."""

    kernel: int = 1
    stride: int = 1
    pad: int = 0
    dilation: int = 1

    @property
    def scale(self) -> Fraction:
        """Steps below for one step above."""
        return Fraction(self.stride)

    def below(self, low: np.ndarray, high: np.ndarray) -> Span:
        """The first and last position below that positions `low` to `high` above depend on."""
        start = self.stride * low - self.pad
        return start, start + self.stride * (high - low) + self.dilation * (self.kernel - 1)


@dataclass(frozen=True)
class TransposedReach(WindowReach):
    """Deconvolution: unit i is given by those below whose window, upsampled, covers it."""

    @property
    def scale(self) -> Fraction:
        return Fraction(1, self.stride)

    def below(self, low: np.ndarray, high: np.ndarray) -> Span:
        reach = self.dilation * (self.kernel - 1)
        return -((reach - low - self.pad) // self.stride), (high + self.pad) // self.stride


@dataclass(frozen=True)
class ResampledReach:
    """Interp: unit i lies at begin + i · scale and reads the positions on both sides of it."""

    scale: Fraction
    begin: int = 0

    def below(self, low: np.ndarray, high: np.ndarray) -> Span:
        up, down = self.scale.numerator, self.scale.denominator
        return low * up // down + self.begin, -(-high * up // down) + self.begin


@dataclass(frozen=True)
class WholeReach:
    """Every unit depends on the whole axis of that size."""

    size: int
    scale: Fraction = Fraction(0)

    def below(self, low: np.ndarray, high: np.ndarray) -> Span:
        return np.zeros_like(low), np.full_like(high, self.size - 1)


Reach = WindowReach | ResampledReach | WholeReach
#: along height and width
Reaches = tuple[Reach, Reach]
SAME_PLACE = WindowReach()


def plane(shape: tuple[int, ...]) -> tuple[int, int]:
    """Height and width of a map (N, C, H, W); a blob of other axes counts as one position."""
    return (shape[2], shape[3]) if len(shape) == 4 else (1, 1)
