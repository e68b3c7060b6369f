"""Which input sizes fit the strides of a net."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..arrays import Size
from ..errors import InputError

#: (height, width) in pixels


@dataclass(frozen=True)
class SizeRule:
    """The sizes stride * k + offset with k from 1, in pixels; stride 1 takes any size.

    Nets with odd pooling windows keep corner pixels on corners: 8k + 1 becomes k + 1 and zooms back exactly.

    Example:
        >>> rule = SizeRule(8, 1)
        >>> str(rule), rule.takes(321), rule.up(322), rule.fit((320, 500))
        ('8k + 1', True, 329, (321, 505))
    """

    stride: int = 8
    offset: int = 1

    def __str__(self) -> str:
        return "any size" if self.stride == 1 else f"{self.stride}k + {self.offset}"

    def takes(self, pixels: int) -> bool:
        """Whether a side of so many pixels fits."""
        return pixels == self.up(pixels)

    def up(self, pixels: int) -> int:
        """The smallest size that fits and is at least `pixels`."""
        steps = max(1, -(-(pixels - self.offset) // self.stride))
        return steps * self.stride + self.offset

    def fit(self, size: Size) -> Size:
        """Height and width, each rounded up to what fits."""
        return self.up(size[0]), self.up(size[1])

    def check(self, size: Size, what: str) -> Size:
        """`size` itself, if it fits.

        Raises:
            InputError: height or width does not fit; the message begins with `what`.
        """
        for pixels in size:
            if not self.takes(pixels):
                near = self.up(pixels - self.stride)
                raise InputError(
                    f"{what}: got {pixels}; wanted {self}, such as {near} or {near + self.stride}: scores lie on every "
                    f"{self.stride}th pixel, so labels shrink and scores zoom exactly only for such sizes"
                )
        return size


#: sizes for three strides of 2 in windows of odd size
EIGHTH = SizeRule(8, 1)
SIXTEENTH = SizeRule(16, 1)
ANY_SIZE = SizeRule(1, 0)


def as_size(value: Any, what: str) -> Size:
    """(height, width) of a size that is given as one number or two.

    Raises:
        InputError: it is neither; the message begins with `what`.

    Example:
        >>> as_size(321, "crop"), as_size((321, 481), "crop")
        ((321, 321), (321, 481))
    """
    size = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    if len(size) != 2 or not all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in size):
        raise InputError(f"{what}: got {value!r}; wanted one number of pixels, or height and width")
    return (size[0], size[1])
