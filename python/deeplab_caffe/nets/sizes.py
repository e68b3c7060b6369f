"""Sizes of a net's input: which ones its strides take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..arrays import Size
from ..errors import InputError

#: (height, width) in pixels


@dataclass(frozen=True)
class SizeRule:
    """The sizes stride * k + offset, k from 1, in pixels; stride 1 takes any size.

    Nets with odd pooling windows keep corner pixels on corners: 8k + 1 becomes k + 1 and zooms back exactly.
    """

    stride: int = 8
    offset: int = 1

    def __str__(self) -> str:
        return "any size" if self.stride == 1 else f"{self.stride}k + {self.offset}"

    def takes(self, pixels: int) -> bool:
        return pixels == self.up(pixels)

    def up(self, pixels: int) -> int:
        """The smallest size from `pixels` on that fits."""
        steps = max(1, -(-(pixels - self.offset) // self.stride))
        return steps * self.stride + self.offset

    def fit(self, size: Size) -> Size:
        """Height and width rounded up to what fits."""
        return self.up(size[0]), self.up(size[1])

    def check(self, size: Size, what: str) -> Size:
        """`size` itself; InputError, which begins with `what`, unless height and width fit."""
        for pixels in size:
            if not self.takes(pixels):
                near = self.up(pixels - self.stride)
                raise InputError(
                    f"{what}: got {pixels}; wanted {self}, such as {near} or {near + self.stride}: scores lie on every "
                    f"{self.stride}th pixel, so labels shrink and scores zoom exactly only for such sizes"
                )
        return size


#: three strides of 2 in windows of odd size
EIGHTH = SizeRule(8, 1)
SIXTEENTH = SizeRule(16, 1)
ANY_SIZE = SizeRule(1, 0)


def as_size(value: Any, what: str) -> Size:
    """(height, width) of a size given as one number or two; InputError for anything else."""
    size = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    if len(size) != 2 or not all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in size):
        raise InputError(f"{what}: got {value!r}; wanted one number of pixels, or height and width")
    return (size[0], size[1])
