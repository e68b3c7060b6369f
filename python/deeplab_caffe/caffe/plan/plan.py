"""Plan: the operations in which a net is run, and what is freed after each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch

from ...errors import InputError
from ...spelling import did_you_mean
from .. import log, mode
from ..net import batches, passes
from ..net.graph import NetGraph
from ..net.precision import layer_precisions
from . import lifetimes
from .chains import find_chains
from .convolution import FusedConvolution
from .operations import Bounds, ConvolutionOperation, Operation, layer_operation


class Plan:
    """A net's forward pass for testing and prediction; made by `Net.plan`, where the arguments are explained.

    It uses the net's own blobs, layers and parameters: inputs may be written into `net.blobs` before a pass, shapes
    may change, and weights that change are noticed. Inputs and data, outputs, and what `keep` names hold their values
    after a pass; asking another blob for its data raises InputError until a pass of `net.forward()` fills it.
    Callbacks and debug_info belong to the plain execution. There is no backward.

    outputs: the names of the blobs that `forward` returns; kept: these and the others that hold their values.
    """

    def __init__(
        self, net: NetGraph, outputs: Iterable[str] | None, keep: Iterable[str], precision: str, exact: bool
    ) -> None:
        self.net = net
        self.precision = precision
        self._exact, self._says_what_is_faster = exact, precision != "float32"
        self.outputs = _known(net, net.outputs if outputs is None else outputs)
        self.kept = list(dict.fromkeys([*self.outputs, *_known(net, keep)]))
        everything = list(range(len(net.layers)))
        run = everything if outputs is None else lifetimes.needed_layers(net, self.kept)
        self.operations = self._make_operations(run)
        lifetimes.plan_frees(net, self.operations, self.kept)

    def _make_operations(self, run: Sequence[int]) -> list[Operation]:
        net, precisions = self.net, layer_precisions(self.net.steps, self.precision)
        chains = find_chains(net, run, self.kept)
        members = {i for chain in chains.values() for i in chain[1:]}
        self._bounds: Bounds = {}
        operations: list[Operation] = []
        for i in run:
            if i in chains:
                convolution = FusedConvolution([net.layers[j] for j in chains[i]], precisions[i], self._exact)
                operations.append(ConvolutionOperation(net, chains[i], convolution, self._bounds))
            elif i not in members:
                operations.append(layer_operation(net, i, precisions, self._bounds, self.kept))
        return operations

    def forward(self, blobs: Sequence[str] | None = None, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        """Copy the inputs in and run; returns live views of the outputs and of `blobs`, as `Net.forward` does.

        Raises InputError for a blob that is not kept.
        """
        batches.fill_inputs(self.net, inputs)
        self.run()
        return {name: self.net.blobs[name].data for name in dict.fromkeys([*self.outputs, *(blobs or [])])}

    def run(self) -> torch.Tensor:
        """Run on what is in the inputs; the weighted sum of the losses, left on the device."""
        loss: torch.Tensor | None = None
        self._bounds.clear()
        with torch.no_grad(), self._memory():
            for operation in self.operations:
                operation.run()
                if operation.has_loss:
                    loss = passes.plus_loss(loss, self.net, operation.layers[0])
                for memory, why in operation.frees:
                    memory.release(why)
        if self._says_what_is_faster:
            self._say_what_is_faster()
        return torch.zeros((), device=mode.device()) if loss is None else loss

    def _memory(self) -> AbstractContextManager[None]:
        """Where Winograd's algorithm has large results in memory of its own, the other ones are few."""
        return nullcontext() if self._exact or self.precision != "float32" else mode.large_blocks_returned()

    def _say_what_is_faster(self) -> None:
        """Say once that float32 is faster here, as on processors without products of bfloat16."""
        compared = [o.convolution.on_cpu.compared for o in self.operations if isinstance(o, ConvolutionOperation)]
        lower, whole = (sum(seconds) for seconds in zip(*compared, strict=True)) if compared else (0.0, 0.0)
        if lower > whole:
            times = f"takes {lower / whole:.1f} times as long as float32 on this processor"
            log.warning(f"precision bf16 {times}, in the convolutions measured: float32 is faster, and closer")
        self._says_what_is_faster = False


def _known(net: NetGraph, names: Iterable[str]) -> list[str]:
    """The names, each once; InputError for a name that is not a blob of the net."""
    given = [names] if isinstance(names, str) else list(dict.fromkeys(names))
    for name in given:
        if name not in net.blobs:
            raise InputError(f"the net has no blob '{name}' to plan for{did_you_mean(name, net.blobs)}")
    return given
