"""A convolution with the affine layers and the ReLU behind it as one operation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F

from ..blob import Blob
from ..layer_types.base import Layer, TensorLayer
from ..layer_types.convolution import Convolution

#: values are far from overflowing below this bound, in whatever order they are summed
_SAFE = 1e30
#: a parameter's tensor, its version, and a copy where writing through a numpy view would leave the version alone
_Seen = tuple[torch.Tensor, int, "torch.Tensor | None"]


class FusedConvolution:
    """max(0, conv(x)) for (N, C, H, W), with factors and shifts of the channels folded into weights and bias.

    layers: a Convolution, then affine layers, ReLU and idle Dropout; dtype: what to compute in, None for float32.
    Folding is done in float64, and again when a parameter has changed. After a call, `bound` is what no absolute value
    of the result is greater than, None if that is not known.
    """

    bound: float | None = None

    def __init__(self, layers: Sequence[Layer], dtype: torch.dtype | None) -> None:
        self._convolution = cast(Convolution, layers[0])
        self._affine = [layer for layer in layers[1:] if isinstance(layer, TensorLayer) and layer.is_affine]
        relus = [layer.param.relu_param.negative_slope for layer in layers if layer.type == "ReLU"]
        self._slope: float | None = relus[0] if relus else None
        self._dtype = dtype or torch.float32
        self._watch = Watch([blob for layer in (layers[0], *self._affine) for blob in layer.blobs])
        self._weight = torch.empty(0)
        self._bias: torch.Tensor | None = None
        self._packed = self._finite = False

    def __call__(self, x: torch.Tensor, bound: float | None = None) -> torch.Tensor:
        """The result for x (N, C, H, W); bound: what no absolute value of x is greater than, if that is known."""
        layer = self._convolution
        x = layer.filled(x).to(self._dtype, memory_format=torch.channels_last)
        if self._watch.changed():
            self._fold()
        self.bound = self._bound_above(bound)
        if x.device.type == "cpu" and _packs(self._dtype) and x.numel():
            return self._by_packed_weights(x)
        if self._packed:
            self._fold()
        return self._rectified(F.conv2d(x, self._weight, self._bias, *self._geometry()))

    def _rectified(self, y: torch.Tensor) -> torch.Tensor:
        if self._slope is None:
            return y
        return F.leaky_relu_(y, self._slope) if self._slope else y.relu_()

    def _geometry(self) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], int]:
        layer = self._convolution
        return layer.stride, layer.pad, layer.positive_dilation, layer.param.convolution_param.group

    def _fold(self) -> None:
        weight, *rest = (blob.data_tensor().detach() for blob in self._convolution.blobs)
        weight, bias = self._convolution.added_up(weight), rest[0] if rest else None
        if self._affine:
            weight, bias = folded(weight, bias, self._affine)
        self._weight = weight.to(self._dtype, memory_format=torch.channels_last)
        self._bias = None if bias is None else bias.to(self._dtype)
        self._finite = all(bool(p.sum().isfinite()) for p in (self._weight, self._bias) if p is not None)
        sums = self._weight.double().abs().sum((1, 2, 3))
        self._growth = float(sums.max()) * max(1.0, abs(self._slope or 0))
        self._offset = 0.0 if self._bias is None else float(self._bias.double().abs().max())
        self._packed = False

    def _bound_above(self, bound: float | None) -> float | None:
        """The bound of the result of what has a bound, if both are finite and safe."""
        if bound is None or not self._finite or not bound < _SAFE:
            return None
        above = self._growth * bound + self._offset * max(1.0, abs(self._slope or 0))
        return above if above < _SAFE else None

    def _by_packed_weights(self, x: torch.Tensor) -> torch.Tensor:
        """As oneDNN computes it fastest: weights in a layout of its own, the ReLU in the same pass where safe."""
        stride, pad, dilation, group = self._geometry()
        if not self._packed:
            self._weight = torch.ops.mkldnn._reorder_convolution_weight(
                self._weight, pad, stride, dilation, group, list(x.shape)
            )
            self._packed = True
        fused = self._fuses_rectifier(x)
        rectifier = "none" if not fused else "leaky_relu" if self._slope else "relu"
        slopes = [self._slope] if fused and self._slope else []
        y = torch.ops.mkldnn._convolution_pointwise(
            x, self._weight, self._bias, pad, stride, dilation, group, rectifier, slopes, ""
        )
        return y if fused else self._rectified(y)

    def _fuses_rectifier(self, x: torch.Tensor) -> bool:
        """Whether the ReLU may be part of the convolution: oneDNN's makes 0 of NaN (its leaky ReLU does not).

        So what is read must be finite: it has a bound, or is looked at. That costs less than another pass over a result
        of no fewer values.
        """
        if self._slope is None or self._slope:
            return self._slope is not None
        if self.bound is not None:
            return True
        layer = self._convolution
        values = layer.param.convolution_param.num_output * math.prod(layer.window_counts(tuple(x.shape)))
        if not self._finite or x[0].numel() > values:
            return False
        low, high = torch.aminmax(x.permute(0, 2, 3, 1).reshape(-1))  # as it lies in memory: many times as fast
        largest = max(-float(low), float(high))
        self.bound = self._bound_above(largest)
        return math.isfinite(largest)


def _packs(dtype: torch.dtype) -> bool:
    if not (torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled):
        return False
    return dtype == torch.float32 or torch.ops.mkldnn._is_mkldnn_bf16_supported()


class Watch:
    """Tells whether parameters were changed, by the engine or through numpy views."""

    def __init__(self, blobs: Sequence[Blob]) -> None:
        self._blobs = list(blobs)
        self._seen: list[_Seen] = []

    def changed(self) -> bool:
        """Whether anything changed since the last call (always at the first one)."""
        present = [(blob.data_tensor(), blob.data_memory.viewed) for blob in self._blobs]
        if self._seen and all(_same(seen, *now) for seen, now in zip(self._seen, present, strict=True)):
            return False
        self._seen = [(tensor, tensor._version, tensor.clone() if viewed else None) for tensor, viewed in present]
        return True


def _same(seen: _Seen, tensor: torch.Tensor, viewed: bool) -> bool:
    before, version, copy = seen
    if tensor is not before or tensor._version != version:
        return False
    return not viewed or (copy is not None and torch.equal(copy, tensor))


def folded(
    weight: torch.Tensor, bias: torch.Tensor | None, layers: Sequence[TensorLayer]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight (N, …) and bias (N) of a convolution that does what affine layers after it did, float64."""
    weight = weight.double()
    bias = torch.zeros_like(weight[:, 0, 0, 0]) if bias is None else bias.double()
    for layer in layers:
        factor, shift = layer.factor_and_shift(*(blob.data_tensor().detach().double() for blob in layer.blobs))
        weight = weight * factor.reshape(-1, 1, 1, 1)
        bias = bias * factor + shift
    return weight, bias
