"""The operations of a plan: one layer as it is, or a convolution with what follows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from ...arrays import Shape
from ..blob import SyncedMemory
from ..layer_types.base import TensorLayer
from ..net import passes
from ..net.graph import NetGraph
from ..net.step import NetStep
from .convolution import FusedConvolution

#: by the id of memory, what no absolute value in it is greater than, in the present pass; missing where it is not known
Bounds = dict[int, float]


class Operation:
    """Some layers of a net, run as one.

    frees: memory that is not read after it, each with the reason for messages; has_loss: whether it is one layer whose
    tops count in the loss.
    """

    def __init__(self, net: NetGraph, layers: Sequence[int]) -> None:
        self.net = net
        self.layers = list(layers)
        self.frees: list[tuple[SyncedMemory, str]] = []
        self.has_loss = any(any(net.layers[i].loss_weights) for i in layers)

    def run(self) -> None:
        """Compute the tops of the last layer."""
        raise NotImplementedError


class LayerOperation(Operation):
    """One layer, computed by itself; `precisions` tells what it computes in, if it has weights."""

    def __init__(
        self, net: NetGraph, layer: int, precisions: Mapping[int, torch.dtype | None], bounds: Bounds
    ) -> None:
        super().__init__(net, [layer])
        self._bounds = bounds
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
        if layer.type != "Split":  # whose tops are its bottom
            for top in self.net.steps[self.layers[0]].tops:
                self._bounds.pop(id(top.data_memory), None)


class ConvolutionOperation(Operation):
    """A convolution with the layers behind it that go into its weights, and its ReLU."""

    def __init__(
        self, net: NetGraph, layers: Sequence[int], convolution: FusedConvolution, bounds: Bounds
    ) -> None:
        super().__init__(net, layers)
        self.convolution, self._bounds = convolution, bounds
        self._shapes: list[Shape] = []

    def run(self) -> None:
        steps = [self.net.steps[i] for i in self.layers]
        if self._shapes != _shapes(steps):
            for step in steps:
                step.reshape()
            self._shapes = _shapes(steps)
        below, above = steps[0].bottoms[0], steps[-1].tops[0]
        result = self.convolution(below.data_tensor().detach(), self._bounds.get(id(below.data_memory)))
        above.set_data(result)
        self._bounds.pop(id(above.data_memory), None)
        if self.convolution.bound is not None:
            self._bounds[id(above.data_memory)] = self.convolution.bound


def _shapes(steps: Sequence[NetStep]) -> list[Shape]:
    """The shapes of what a chain of steps reads first, and of all that it makes."""
    return [steps[0].bottoms[0].shape, *(step.tops[0].shape for step in steps)]
