"""Net: a graph of layers with pycaffe's interface. Mirrors `net.cpp` and `pycaffe.py`."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch

from ...formats import schema
from ...formats.definition import Definition, definition_of, read_definition
from ..layer_types.base import DataLayer
from ..plan import Plan
from ..recompute import Recomputation
from . import batches, log, passes, weights
from .graph import NetGraph
from .precision import set_precision
from .splits import insert_splits
from .step import AUTOMATIC


class Net(NetGraph):
    """A net: `Net(file, phase, level=0, stages=None, weights=None)`, or pycaffe's old `Net(file, weights, phase)`.

    Args:
        network_file: a prototxt of any dialect since 2013, or a Definition.
        phase: `caffe.TRAIN` or `caffe.TEST`; with `level` and `stages` it decides which layers are included.
        weights: a weight file to copy from, see `copy_from`.
        state: a NetState in place of phase, level and stages.

    Raises:
        InputError: naming file, line and layer, where a definition is invalid or does not fit the others.

    Example:
        >>> from deeplab_caffe.caffe import TEST, NetSpec, layers
        >>> spec = NetSpec()
        >>> spec.data = layers.Input(shape={"dim": [1, 3]})
        >>> spec.relu = layers.ReLU(spec.data)
        >>> net = Net.from_param(spec.to_proto(), TEST)
        >>> net.forward(data=[[-1, 0, 2]])["relu"]
        array([[0., 0., 2.]], dtype=float32)
    """

    def __init__(
        self,
        network_file: str | os.PathLike[str] | Definition,
        *args: Any,
        phase: int | None = None,
        level: int = 0,
        stages: Iterable[str] | None = None,
        weights: str | os.PathLike[str] | None = None,
        state: Any = None,
    ) -> None:
        given: dict[str, Any] = {"phase": phase, "level": level, "stages": stages, "weights": weights}
        order = ("weights", "phase") if args and isinstance(args[0], str | os.PathLike) else tuple(given)
        given.update(zip(order, args, strict=False))
        if given["phase"] is None and state is None:
            raise TypeError("Net(network_file, phase, ...): the phase is missing; give caffe.TRAIN or caffe.TEST")
        definition = network_file if isinstance(network_file, Definition) else read_definition(network_file)
        if state is None:
            state = schema.NetState()
            state.CopyFrom(definition.param.state)
            state.phase, state.level = given["phase"], given["level"]
            state.stage.extend(given["stages"] or [])
        self.state = state
        self.name = definition.param.name
        self.source = definition.source
        self.force_backward = definition.param.force_backward
        self.debug_info = definition.param.debug_info
        entries = self.choose(definition.entries)
        self.callbacks = {when: [] for when in ("<f", "f>", "<b", "b>")}
        self._recomputation: Recomputation | None = None
        log.begun(definition.param, self.state, [entry.param for entry in entries])
        self._build(insert_splits(entries, definition.entries))
        if given["weights"]:
            self.copy_from(given["weights"])

    @classmethod
    def from_param(cls, param: Any, phase: int, source: str = "") -> Net:
        """A net from a NetParameter in memory."""
        return cls(definition_of(param, source), phase=phase)

    # -- running

    def forward_range(self, start: int, end: int) -> torch.Tensor:
        """Run layers start to end (inclusive); the loss of those layers, left on the device."""
        return passes.forward(self, start, end)

    def backward_range(self, start: int, end: int, release: bool = False) -> None:
        """Run backward from layer start down to end (inclusive); `release` frees what forward kept for it."""
        passes.backward(self, start, end, release)

    def _forward(self, start: int, end: int) -> float:
        loss = float(self.forward_range(start, end))
        self.deferred_checks.finish()
        return loss

    def _backward(self, start: int, end: int) -> None:
        self.backward_range(start, end)

    def forward(
        self,
        blobs: Sequence[str] | None = None,
        start: str | None = None,
        end: str | None = None,
        **inputs: np.ndarray,
    ) -> dict[str, np.ndarray]:
        """Copy the inputs in and run the layers `start` to `end`.

        Args:
            blobs: names of further blobs to return.
            start, end: names of the first and the last layer that is run; all layers if they are None.
            inputs: an array for each input of the net, in the shape of its blob, or none at all.

        Returns:
            Live numpy views, by name: of the net's outputs (of `end`'s tops if it is given) and of `blobs`.

        Raises:
            InputError: where inputs do not match the net's, or a layer refuses its bottoms.
        """
        first = self.index_of(start) if start else 0
        last = self.index_of(end) if end else len(self.layers) - 1
        names = dict.fromkeys([*(self.top_names[end] if end else self.outputs), *(blobs or [])])
        batches.fill_inputs(self, inputs)
        self._forward(first, last)
        return {name: self.blobs[name].data for name in names if name != AUTOMATIC}

    def backward(
        self,
        diffs: Sequence[str] | None = None,
        start: str | None = None,
        end: str | None = None,
        **tops: np.ndarray,
    ) -> dict[str, np.ndarray]:
        """Copy diffs of the outputs in and run backward from layer `start` down to `end`.

        Args:
            diffs: names of further blobs whose diffs are returned.
            start, end: names of the layers between which backward runs; from the last to the first if they are None.
            tops: a gradient for each output of the net, or none at all.

        Returns:
            Live numpy views of diffs, by name: of the net's inputs (of `end`'s bottoms if it is given) and of `diffs`.
        """
        first = self.index_of(start) if start else len(self.layers) - 1
        last = self.index_of(end) if end else 0
        names = dict.fromkeys([*(self.bottom_names[end] if end else self.inputs), *(diffs or [])])
        if tops:
            batches.check(self, tops, self.outputs, "Top diff arguments do not match net outputs.", "Diff")
            for name, value in tops.items():
                self.blobs[name].diff[...] = value
        self._backward(first, last)
        return {name: self.blobs[name].diff for name in names}

    def forward_all(self, blobs: Sequence[str] | None = None, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        """Run over inputs of any number of items, batch by batch; returns copies of outputs and `blobs`, joined."""
        return batches.forward_all(self, self.forward, blobs, inputs)

    def forward_backward_all(
        self, blobs: Sequence[str] | None = None, diffs: Sequence[str] | None = None, **arrays: np.ndarray
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Likewise forward and backward, from inputs and diffs of the outputs; returns (blobs, diffs)."""
        return batches.forward_backward_all(self, self.forward, self.backward, blobs, diffs, arrays)

    def set_input_arrays(self, data: np.ndarray, labels: np.ndarray) -> None:
        """Give a net that begins with MemoryData its items: float32 (n, C, H, W), and labels (n, 1, 1, 1) or (n,).

        n is a multiple of the batch size; the arrays are used as they are, not copied. Raises InputError.
        """
        batches.set_input_arrays(self, data, labels)

    def _batch(self, blobs: dict[str, np.ndarray]) -> Iterator[dict[str, np.ndarray]]:
        return batches.batches(self, blobs)

    def _set_input_arrays(self, data: np.ndarray, labels: np.ndarray) -> None:
        self.set_input_arrays(data, labels)

    def plan(
        self,
        outputs: Iterable[str] | None = None,
        keep: Iterable[str] = (),
        precision: str = "float32",
        exact: bool = False,
    ) -> Plan:
        """A fast forward pass that keeps the values of some blobs alone.

        Args:
            outputs: the blobs that its `forward` returns, the net's outputs if None. Layers that no named output needs
                are not run.
            keep: further blobs that hold their values after a pass.
            precision: `float32`, which agrees with `Net.forward` to rounding, or `bf16`.
            exact: whether convolutions are computed by the direct sum, as in `Net.forward`, even where Winograd's
                algorithm, which rounds differently, is faster.

        Raises:
            InputError: for a blob that the net does not have.
        """
        return Plan(self, outputs, keep, precision, exact)

    def reshape(self) -> None:
        """Let every layer give its tops their shapes again."""
        for step in self.steps:
            step.reshape()

    def recompute(self, ends: Sequence[str] | None = None) -> None:
        """From now on keep few activations for backward, which computes the others again: less memory, more time.

        Blobs inside a segment hold nothing after a pass.

        Args:
            ends: the layers that segments end with, whose tops are kept; chosen if None, and () keeps everything again.

        Raises:
            InputError: for a layer that no segment can end with.
        """
        if self._recomputation:
            self._recomputation.withdraw()
        self._recomputation = Recomputation(self, ends)

    def set_precision(self, precision: str) -> None:
        """Compute convolutions and inner products in `float32` or `bf16`, but the last ones, which give the scores.

        Parameters, their gradients and losses stay float32. Raises InputError for an unknown precision.
        """
        set_precision(self.steps, precision)

    def clear_param_diffs(self) -> None:
        """Make the gradients of all learnable parameters zero."""
        for param in self.learnable_params:
            param.blob.diff_memory.clear()

    def before_forward(self, callback: Callable[[int], Any]) -> None:
        """Call `callback(layer index)` before every layer's forward."""
        self.callbacks["<f"].append(callback)

    def after_forward(self, callback: Callable[[int], Any]) -> None:
        """Call `callback(layer index)` after every layer's forward."""
        self.callbacks["f>"].append(callback)

    def before_backward(self, callback: Callable[[int], Any]) -> None:
        """Call `callback(layer index)` before every layer's turn in backward."""
        self.callbacks["<b"].append(callback)

    def after_backward(self, callback: Callable[[int], Any]) -> None:
        """Call `callback(layer index)` after every layer's turn in backward."""
        self.callbacks["b>"].append(callback)

    # -- names and numbers

    @property
    def blob_loss_weights(self) -> OrderedDict[str, float]:
        """Loss weight of every blob, 0 for most."""
        return OrderedDict(zip(self._blob_names, self._blob_loss_weights, strict=True))

    # -- weights

    def copy_from(self, path: str | os.PathLike[str]) -> list[str]:
        """Copy the weights of layers found by name in a `.caffemodel` of any year, or a `.caffemodel.h5`.

        Args:
            path: a file, or several separated by commas; later ones override.

        Returns:
            The names of the layers that got weights.

        Raises:
            InputError: where a layer's number of blobs or a shape differs; then nothing of that file is copied.
        """
        return weights.copy_from(self, path)

    def load_hdf5(self, path: str | os.PathLike[str]) -> None:
        """Copy the weights of layers found by name in a `.caffemodel.h5`; raises InputError as `copy_from` does."""
        weights.load_hdf5(self, path)

    def share_with(self, other: Net) -> None:
        """Use the other net's memory for the parameters of layers of the same name."""
        weights.share_with(self, other)

    def save(self, path: str | os.PathLike[str], diffs: bool = False) -> None:
        """Write a binary `.caffemodel` that Caffe reads."""
        weights.save(self, path, diffs)

    def save_hdf5(self, path: str | os.PathLike[str], diffs: bool = False) -> None:
        """Write a `.caffemodel.h5` that Caffe reads; raises InputError for layer names with '/'."""
        weights.save_hdf5(self, path, diffs)

    def close(self) -> None:
        """Stop the threads of the data layers."""
        for layer in self.layers:
            if isinstance(layer, DataLayer):
                layer.close()
