"""A convolution as oneDNN computes it fastest: weights in a layout of its own, the ReLU in the same pass where safe."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F

from .folded import Folded, Growth


class Direct:
    """A direct sum, of inputs (N, C, H, W) in channels_last and of the weights' type.

    Args:
        convolution: on the CPU, of a type that oneDNN computes in.
        shape: of an input, for which the layout of the weights is chosen.

    Attributes:
        bound: what no absolute value of the latest result is greater than, None if that is not known.
    """

    bound: float | None = None

    def __init__(self, convolution: Folded, shape: Sequence[int]) -> None:
        weight, self._bias, self._geometry, self._slope = convolution
        g = self._geometry
        self._numbers = g.pad, g.stride, g.dilation, g.group
        self._growth = Growth(convolution)
        self._weight = torch.ops.mkldnn._reorder_convolution_weight(
            weight.contiguous(memory_format=torch.channels_last), *self._numbers, list(shape)
        )

    def __call__(self, x: torch.Tensor, bound: float | None = None) -> torch.Tensor:
        """The result for x; bound: what no absolute value of x is greater than, if that is known."""
        self.bound = self._growth.above(bound)
        fused = self._fuses_rectifier(x)
        rectifier = "none" if not fused else "leaky_relu" if self._slope else "relu"
        slopes = [self._slope] if fused and self._slope else []
        y = torch.ops.mkldnn._convolution_pointwise(
            x, self._weight, self._bias, *self._numbers, rectifier, slopes, ""
        )
        return y if fused else rectified(y, self._slope)

    def _fuses_rectifier(self, x: torch.Tensor) -> bool:
        """Whether the ReLU may be part of the convolution: oneDNN's makes 0 of NaN (its leaky ReLU does not).

        So what is read must be finite: it has a bound, or is looked at. That costs less than another pass over a result
        of no fewer values.
        """
        if self._slope is None or self._slope:
            return self._slope is not None
        if self.bound is not None:
            return True
        height, width = self._geometry.out_size(x.shape[2:])
        if not self._growth.finite or x[0].numel() > self._geometry.outputs * height * width:
            return False
        low, high = torch.aminmax(x.permute(0, 2, 3, 1).reshape(-1))  # as it lies in memory: many times as fast
        largest = max(-float(low), float(high))
        self.bound = self._growth.above(largest)
        return math.isfinite(largest)


def rectified(y: torch.Tensor, slope: float | None) -> torch.Tensor:
    """In place: negative values times the slope; unchanged if it is None."""
    if slope is None:
        return y
    return F.leaky_relu_(y, slope) if slope else y.relu_()
