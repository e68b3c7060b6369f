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
from . import largest_of_windows
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
            self._forget_bounds()

    def _forget_bounds(self) -> None:
        """The tops have values whose bounds are not known."""
        for top in self.net.steps[self.layers[0]].tops:
            self._bounds.pop(id(top.data_memory), None)


class MaximaOperation(LayerOperation):
    """A MAX Pooling without a second top: large images in one pass over memory that is used again."""

    def run(self) -> None:
        step = self.net.steps[self.layers[0]]
        x = step.bottoms[0].data_tensor()
        if not largest_of_windows.fits(x):
            super().run()
            return
        step.reshape()
        step.tops[0].set_data(largest_of_windows.maxima(x, step.layer, step.tops[0].shape))
        self._forget_bounds()


class EnlargedOperation(LayerOperation):
    """An Interp whose top is kept: who reads it, reads it class by class, so it is computed in that layout."""

    def run(self) -> None:
        bottom = self.net.steps[self.layers[0]].bottoms[0]
        bottom.set_data(bottom.data_tensor().contiguous())
        super().run()


def layer_operation(
    net: NetGraph, layer: int, precisions: Mapping[int, torch.dtype | None], bounds: Bounds, kept: Sequence[str]
) -> LayerOperation:
    """The operation of one layer that is computed by itself."""
    step = net.steps[layer]
    kind: type[LayerOperation] = LayerOperation
    if step.layer.type == "Pooling" and len(step.tops) == 1 and getattr(step.layer, "takes_maxima", False):
        kind = MaximaOperation
    elif step.layer.type == "Interp" and any(net.blobs[name] is step.tops[0] for name in kept):
        kind = EnlargedOperation
    return kind(net, layer, precisions, bounds)


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
