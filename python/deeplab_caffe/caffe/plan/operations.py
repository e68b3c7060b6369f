"""The operations of a plan: one layer as it is, or a convolution with what follows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from ..blob import SyncedMemory
from ..layer_types.base import TensorLayer
from ..net import passes
from ..net.graph import NetGraph
from .convolution import FusedConvolution


class Operation:
    """Some layers of a net, run as one. frees: memory that is not read after it, each with the reason for messages."""

    def __init__(self, net: NetGraph, layers: Sequence[int]) -> None:
        self.net = net
        self.layers = list(layers)
        self.frees: list[tuple[SyncedMemory, str]] = []

    def run(self) -> None:
        """Compute the tops of the last layer."""
        raise NotImplementedError


class LayerOperation(Operation):
    """One layer, computed by itself; `precisions` tells what it computes in, if it has weights."""

    def __init__(self, net: NetGraph, layer: int, precisions: Mapping[int, torch.dtype | None]) -> None:
        super().__init__(net, [layer])
        self._weighted, self._precision = layer in precisions, precisions.get(layer)

    def run(self) -> None:
        layer = self.net.layers[self.layers[0]]
        if self._weighted and isinstance(layer, TensorLayer):
            before, layer.precision = layer.precision, self._precision
            try:
                passes.run_layer(self.net, self.layers[0])
            finally:
                layer.precision = before
        else:
            passes.run_layer(self.net, self.layers[0])
        layer.release()


class ConvolutionOperation(Operation):
    """A convolution with the layers behind it that go into its weights, and its ReLU."""

    def __init__(self, net: NetGraph, layers: Sequence[int], convolution: FusedConvolution) -> None:
        super().__init__(net, layers)
        self.convolution = convolution

    def run(self) -> None:
        steps = [self.net.steps[i] for i in self.layers]
        for step in steps:
            step.reshape()
        result = self.convolution(steps[0].bottoms[0].data_tensor().detach())
        steps[-1].tops[0].set_data(result)
