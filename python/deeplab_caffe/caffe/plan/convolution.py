"""A convolution with the affine layers and the ReLU behind it as one operation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F

from ..blob import Blob
from ..layer_types.base import Layer, TensorLayer
from ..layer_types.convolution import Convolution
from ..net.precision import onednn_computes_in
from .algorithms import Algorithms
from .direct import rectified
from .folded import Folded, fold, geometry_of

#: a parameter's tensor, its version, and a copy where writing through a numpy view would leave the version alone
_Seen = tuple[torch.Tensor, int, "torch.Tensor | None"]


class FusedConvolution:
    """max(0, conv(x)) for (N, C, H, W), with factors and shifts of the channels folded into weights and bias.

    Folding is done in float64, and again when a parameter has changed. After a call, `bound` is what no absolute value
    of the result is greater than, None if that is not known.

    Args:
        layers: a Convolution, then affine layers, ReLU and idle Dropout.
        dtype: what to compute in, None for float32.
        exact: whether only the direct sum will do.
    """

    bound: float | None = None

    def __init__(self, layers: Sequence[Layer], dtype: torch.dtype | None, exact: bool = False) -> None:
        self._convolution = cast(Convolution, layers[0])
        self._affine = [layer for layer in layers[1:] if isinstance(layer, TensorLayer) and layer.is_affine]
        relus = [layer.param.relu_param.negative_slope for layer in layers if layer.type == "ReLU"]
        self._slope: float | None = relus[0] if relus else None
        self._dtype = dtype or torch.float32
        self._watch = Watch([blob for layer in (layers[0], *self._affine) for blob in layer.blobs])
        self._folded: Folded | None = None
        self.on_cpu = Algorithms(self._fold, geometry_of(self._convolution), self._dtype, exact)

    def __call__(self, x: torch.Tensor, bound: float | None = None) -> torch.Tensor:
        """The result for x (N, C, H, W); bound: what no absolute value of x is greater than, if that is known."""
        x = self._convolution.filled(x).to(self._dtype, memory_format=torch.channels_last)
        if self._watch.changed():
            self._folded = None
            self.on_cpu.forget()
        if x.device.type == "cpu" and onednn_computes_in(self._dtype) and x.numel():
            found, self.bound = self.on_cpu(x, bound)
            return found
        self.bound = None
        self._folded = self._folded or self._fold(self._dtype)
        weight, bias, g, slope = self._folded
        return rectified(F.conv2d(x, weight, bias, g.stride, g.pad, g.dilation, g.group), slope)

    def _fold(self, dtype: torch.dtype) -> Folded:
        return fold(self._convolution, self._affine, self._slope, dtype)


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
