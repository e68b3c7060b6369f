"""Plan: what is run in which order, and what is freed when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from .. import batches

if TYPE_CHECKING:
    from ..net import Net


class Plan:
    """A net's forward pass for testing and prediction; made by `Net.plan`, where the arguments are explained.

    It uses the net's own blobs, layers and parameters: inputs may be written into `net.blobs` before a pass, shapes
    may change, and weights that change are noticed. Sources (tops of layers without bottoms), outputs and what
    `keep` names hold their values after a pass; asking another blob for its data raises InputError until a pass of
    `net.forward()` fills it. Callbacks and debug_info belong to the plain execution. There is no backward.
    """

    def __init__(self, net: Net, outputs: Iterable[str] | None, keep: Iterable[str], precision: str) -> None:
        self.net = net
        self.precision = precision
        #: blobs that forward returns, and those that hold their values as well
        self.outputs: list[str] = list(net.outputs if outputs is None else outputs)
        self.kept: list[str] = [*self.outputs, *keep]

    def forward(self, blobs: Sequence[str] | None = None, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        """Copy the inputs in and run; returns live views of the outputs and of `blobs`, as `Net.forward` does."""
        if inputs:
            batches.check(self.net, inputs, self.net.inputs, "Input blob arguments do not match net inputs.", "Input")
            for name, value in inputs.items():
                self.net.blobs[name].data[...] = value
        self.run()
        return {name: self.net.blobs[name].data for name in [*self.outputs, *(blobs or [])]}

    def run(self) -> torch.Tensor:
        """Run on what is in the inputs; the weighted sum of the losses, left on the device."""
        return self.net.forward_range(0, len(self.net.layers) - 1)
