"""The protocol of a test: at which scales, mirrored or not, whole or in overlapping regions."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..arrays import Size
from ..errors import InputError
from ..lazy import imported_on_use
from ..nets.input_sizes import as_size

if TYPE_CHECKING:
    import numpy as np
else:
    np = imported_on_use("numpy")

#: a larger scale is more likely a mistake than meant
_LARGEST_SCALE = 16
#: a region must be left with something new to see
_LARGEST_OVERLAP = 0.9
#: what `str` makes of a protocol
_IN_WORDS = re.compile(
    r"scales? (?P<scales>[^;]+)(?P<flip>; mirrored too)?"
    r"(; regions of (?P<height>\d+) x (?P<width>\d+) pixels \(H x W\), overlap (?P<overlap>[\d.]+))?"
)


@dataclass(frozen=True)
class Protocol:
    """How an image is tested; the result is the mean of the probabilities of all passes.

    Attributes:
        scales: factors on the sides of the image.
        flip: whether each scale is also tested mirrored, left to right.
        tile: (height, width) in pixels of the regions that each scaled image is split into; one number for a square;
            None for whole images.
        overlap: the part of a region's side that it shares with the next region, at least; 0 to 0.9.

    Raises:
        InputError: a value is out of range.

    Source: DeepLab v3, section 4.1 and Tables 4 and 6 (scales 0.5 to 1.75, mirrored); DeepLab v2, section 4.4
    (overlapping regions at full resolution).

    Example:
        >>> protocol = Protocol(scales=(0.5, 1), flip=True, tile=513)
        >>> protocol.passes, str(protocol)
        (4, 'scales 0.5, 1; mirrored too; regions of 513 x 513 pixels (H x W), overlap 0.25')
    """

    scales: tuple[float, ...] = (1.0,)
    flip: bool = False
    tile: int | Size | None = None
    overlap: float = 0.25

    def __post_init__(self) -> None:
        object.__setattr__(self, "scales", _scales(self.scales))
        if self.tile is not None:
            object.__setattr__(self, "tile", as_size(self.tile, "tile"))
        if not _is_number(self.overlap) or not 0 <= self.overlap <= _LARGEST_OVERLAP:
            raise InputError(f"overlap: got {self.overlap!r}; wanted a part of the tile, 0 to {_LARGEST_OVERLAP}")
        object.__setattr__(self, "overlap", float(self.overlap))

    @property
    def is_plain(self) -> bool:
        """Whether the image is tested once: whole, as it is."""
        return self == Protocol(overlap=self.overlap)

    @property
    def passes(self) -> int:
        """How often each part of the image is computed."""
        return len(self.scales) * (2 if self.flip else 1)

    @property
    def regions(self) -> Size | None:
        """(height, width) of the regions, or None."""
        return as_size(self.tile, "tile") if self.tile is not None else None

    @property
    def regions_in_words(self) -> str:
        """`regions of 513 x 513 pixels (H x W), overlap 0.25`; "" for whole images."""
        if self.regions is None:
            return ""
        return f"regions of {self.regions[0]} x {self.regions[1]} pixels (H x W), overlap {self.overlap:g}"

    def __str__(self) -> str:
        scales = ", ".join(f"{scale:g}" for scale in self.scales)
        first = f"scale{'s' * (len(self.scales) > 1)} {scales}"
        return "; ".join(filter(None, (first, "mirrored too" * self.flip, self.regions_in_words)))

    @classmethod
    def parse(cls, text: str) -> Protocol:
        """The protocol that `str` put into words; raises ValueError for other text."""
        match = _IN_WORDS.fullmatch(text)
        if match is None:
            raise ValueError(f"not a protocol in words: {text!r}")
        scales = tuple(float(scale) for scale in match["scales"].split(", "))
        if match["height"] is None:
            return cls(scales, bool(match["flip"]))
        return cls(scales, bool(match["flip"]), (int(match["height"]), int(match["width"])), float(match["overlap"]))


def scaled_size(size: Size, scale: float) -> Size:
    """The size of an image times a scale, truncated as in training with scale_factors, at least 1 x 1.

    Example:
        >>> scaled_size((375, 500), 0.75)
        (281, 375)
    """
    height, width = (max(1, int(np.float32(side) * np.float32(scale))) for side in size)
    return height, width


def _scales(given: Any) -> tuple[float, ...]:
    values = tuple(given) if isinstance(given, (tuple, list)) else (given,)
    if not values or not all(_is_number(value) and 0 < value <= _LARGEST_SCALE for value in values):
        raise InputError(f"scales: got {given!r}; wanted numbers above 0, up to {_LARGEST_SCALE}, as in 0.5,0.75,1")
    if len(set(values)) < len(values):
        raise InputError(f"scales: got {given!r}; a scale is there twice, so it would count twice; remove one")
    return tuple(map(float, values))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
