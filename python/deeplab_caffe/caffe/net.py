"""Net: a graph of layers with pycaffe's interface. Mirrors `net.cpp` and `pycaffe.py`."""

from __future__ import annotations

import os
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch

from ..formats import schema
from ..formats.definition import Definition, Entry, definition_of, read_definition
from . import batches, doubts, mode, net_log, net_weights, passes
from .blob import Blob, BlobVec
from .gradient_flow import allow_overwriting, decide_backward, prune_backward
from .layers.base import DataLayer, Layer, blobs_from_proto, layer_class
from .layers.python import python_layer
from .net_building import filter_layers, insert_splits
from .net_params import ParamTable
from .plan import Plan
from .precision import set_precision
from .recompute import Recomputation


class Net:
    """`Net(file, phase, level=0, stages=None, weights=None)`, or pycaffe's old `Net(file, weights, phase)`.

    Raises InputError, naming file, line and layer, for whatever does not fit together.
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
        #: whether passes print what flows through them
        self.debug_info: bool = definition.param.debug_info
        entries = self.choose(definition.entries)
        net_log.begun(definition.param, self.state, [entry.param for entry in entries])
        self._build(insert_splits(entries))
        if given["weights"]:
            self.copy_from(given["weights"])

    @classmethod
    def from_param(cls, param: Any, phase: int, source: str = "") -> Net:
        """A net from a NetParameter in memory."""
        return cls(definition_of(param, source), phase=phase)

    # -- construction

    def choose(self, entries: list[Entry]) -> list[Entry]:
        """The layers of a definition that this net has, copied."""
        return filter_layers(entries, self.state)

    def _build(self, entries: list[Entry]) -> None:
        self.layers: list[Layer] = []
        self._layer_names: list[str] = []
        self._bottoms: list[list[Blob]] = []
        self._tops: list[list[Blob]] = []
        self._bottom_names: list[list[str]] = []
        self._top_names: list[list[str]] = []
        self._blob_names: list[str] = []
        self._blobs: list[Blob] = []
        self._loss_weight_of: dict[int, float] = {}
        self.inputs: list[str] = []
        #: called with the index of a layer before it runs forward, after it, and so backward
        self._callbacks: dict[str, list[Callable[[int], Any]]] = {w: [] for w in ("<f", "f>", "<b", "b>")}
        self._recomputation: Recomputation | None = None
        #: labels that are not known to be right yet
        self.doubts: doubts.Doubts = deque()
        self._log = net_log.NetLog()
        params = ParamTable(self.force_backward)
        made: dict[str, Blob] = {}
        available: dict[str, None] = {}
        needs: dict[int, bool] = {}
        for entry in entries:
            self._add_layer(entry, made, available, needs, params)
        self.learnable_params = params.learnable
        #: parameters (by id) that belong to an earlier layer
        self._borrowed = params.borrowed
        self.blobs: OrderedDict[str, Blob] = OrderedDict(zip(self._blob_names, self._blobs, strict=True))
        self.params: OrderedDict[str, BlobVec] = OrderedDict(
            (n, layer.blobs) for n, layer in zip(self._layer_names, self.layers, strict=True) if layer.blobs
        )
        self.layer_dict = OrderedDict(zip(self._layer_names, self.layers, strict=True))
        self.outputs: list[str] = sorted(available, key=str.encode)
        self.top_names = OrderedDict(zip(self._layer_names, self._top_names, strict=True))
        self.bottom_names = OrderedDict(zip(self._layer_names, self._bottom_names, strict=True))
        prune_backward(self.layers, self._bottoms, self._tops, self.force_backward)
        allow_overwriting(self.layers, self._bottoms, self._tops)
        net_log.finished(self)

    def _add_layer(
        self,
        entry: Entry,
        made: dict[str, Blob],
        available: dict[str, None],
        needs: dict[int, bool],
        params: ParamTable,
    ) -> None:
        p = entry.param
        if not p.HasField("phase"):
            p.phase = self.state.phase
        layer = self.create_layer(entry)
        if len(p.propagate_down) not in (0, len(p.bottom)):
            raise entry.error(f"states propagate_down {len(p.propagate_down)} times for {len(p.bottom)} bottoms")
        bottoms = [self._take_bottom(entry, name, made, available) for name in p.bottom]
        tops = [self._make_top(entry, i, name, made, available) for i, name in enumerate(p.top)]
        anonymous = max(0, layer.tops[0] - len(tops)) if layer.auto_top else 0
        tops += [Blob() for _ in range(anonymous)]
        self._log.creating(p, anonymous)
        layer.check_counts(len(bottoms), len(tops))
        layer.blobs = blobs_from_proto(p)
        layer.setup(bottoms, tops)
        if p.blobs and layer.declared not in (0, len(p.blobs)):
            layer.fail(f"its definition carries {len(p.blobs)} blobs, wanted {layer.declared}")
        layer.reshape(bottoms, tops)
        self._set_loss_weights(layer, tops)
        self._log.set_up(layer, tops)
        params.add_layer(layer, entry)
        decide_backward(layer, bottoms, tops, needs, self.force_backward)
        if p.type == "Input":
            self.inputs += list(p.top)
        self.layers.append(layer)
        self._layer_names.append(p.name)
        self._bottoms.append(bottoms)
        self._tops.append(tops)
        self._bottom_names.append(list(p.bottom))
        self._top_names.append([*p.top, *["(automatic)"] * anonymous])

    def create_layer(self, entry: Entry) -> Layer:
        """The layer of a definition whose phase is set, before its setup."""
        p = entry.param
        cls = layer_class(p, entry.origin)
        if p.type == "Python":
            return python_layer(p, p.phase, entry.origin)
        return cls(p, p.phase, entry.origin)

    @staticmethod
    def _take_bottom(entry: Entry, name: str, made: dict[str, Blob], available: dict[str, None]) -> Blob:
        if name not in available:
            raise entry.error(f"bottom '{name}' is made by no layer before this one, or used up already")
        del available[name]
        return made[name]

    def _make_top(self, entry: Entry, i: int, name: str, made: dict[str, Blob], available: dict[str, None]) -> Blob:
        in_place = i < len(entry.param.bottom) and entry.param.bottom[i] == name
        if not in_place:
            if name in made:
                raise entry.error(f"top '{name}' is made by an earlier layer already; give it another name")
            made[name] = Blob()
            self._blob_names.append(name)
            self._blobs.append(made[name])
        available[name] = None
        return made[name]

    def _set_loss_weights(self, layer: Layer, tops: list[Blob]) -> None:
        stated = list(layer.param.loss_weight)
        if stated and len(stated) != len(tops):
            layer.fail(f"states loss_weight {len(stated)} times for {len(tops)} tops")
        if not stated and layer.is_loss:
            stated = [1.0] + [0.0] * (len(tops) - 1)
            layer.param.loss_weight.extend(stated)
        layer.loss_weights = stated or [0.0] * len(tops)
        for blob, weight in zip(tops, layer.loss_weights, strict=True):
            if weight:
                blob.set_diff(torch.full(blob.shape, weight, device=mode.device()))
                self._loss_weight_of[id(blob)] = weight

    # -- running

    def forward_range(self, start: int, end: int) -> torch.Tensor:
        """Run layers start to end (inclusive); the loss of those layers, left on the device."""
        return passes.forward(self, start, end)

    def backward_range(self, start: int, end: int, release: bool = False) -> None:
        """Run backward from layer start down to end (inclusive); `release` frees what forward kept for it."""
        passes.backward(self, start, end, release)

    def call_back(self, when: str, index: int) -> None:
        """Call the callbacks of a moment with a layer's index."""
        for callback in self._callbacks[when]:
            callback(index)

    def _forward(self, start: int, end: int) -> float:
        loss = float(self.forward_range(start, end))
        doubts.settle(self)
        return loss

    def _backward(self, start: int, end: int) -> None:
        self.backward_range(start, end)

    def _index(self, layer: str) -> int:
        if layer not in self.layer_dict:
            raise ValueError(f"the net has no layer '{layer}'")
        return self._layer_names.index(layer)

    def forward(
        self,
        blobs: Sequence[str] | None = None,
        start: str | None = None,
        end: str | None = None,
        **inputs: np.ndarray,
    ) -> dict[str, np.ndarray]:
        """Copy the inputs in and run; returns live views of the outputs (or of layer `end`'s tops) and of `blobs`."""
        first = self._index(start) if start else 0
        last = self._index(end) if end else len(self.layers) - 1
        names = dict.fromkeys([*(self.top_names[end] if end else self.outputs), *(blobs or [])])
        batches.fill_inputs(self, inputs)
        self._forward(first, last)
        return {name: self.blobs[name].data for name in names if name != "(automatic)"}

    def backward(
        self,
        diffs: Sequence[str] | None = None,
        start: str | None = None,
        end: str | None = None,
        **tops: np.ndarray,
    ) -> dict[str, np.ndarray]:
        """Copy diffs of the outputs in and run backward; returns views of the inputs' diffs and of `diffs`."""
        first = self._index(start) if start else len(self.layers) - 1
        last = self._index(end) if end else 0
        names = dict.fromkeys([*(self.bottom_names[end] if end else self.inputs), *(diffs or [])])
        if tops:
            batches.check(self, tops, self.outputs, "Top diff arguments do not match net outputs.", "Diff")
            for name, value in tops.items():
                self.blobs[name].diff[...] = value
        self._backward(first, last)
        return {name: self.blobs[name].diff for name in names}

    def forward_all(self, blobs: Sequence[str] | None = None, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        """Run over inputs of any number of items, batch by batch; returns copies of outputs and `blobs`, joined."""
        return batches.forward_all(self, blobs, inputs)

    def forward_backward_all(
        self, blobs: Sequence[str] | None = None, diffs: Sequence[str] | None = None, **arrays: np.ndarray
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Likewise forward and backward, from inputs and diffs of the outputs; returns (blobs, diffs)."""
        return batches.forward_backward_all(self, blobs, diffs, arrays)

    def set_input_arrays(self, data: np.ndarray, labels: np.ndarray) -> None:
        """Give a net that begins with MemoryData its items: float32 (n, C, H, W), and labels (n, 1, 1, 1) or (n,).

        n is a multiple of the batch size; the arrays are used as they are, not copied. Raises InputError.
        """
        batches.set_input_arrays(self, data, labels)

    def plan(self, outputs: Iterable[str] | None = None, keep: Iterable[str] = (), precision: str = "float32") -> Plan:
        """A fast forward pass that keeps `outputs` (the net's, if None) and the blobs named in `keep`, no others.

        With outputs stated, layers that they do not need are not run. precision: float32, which agrees with
        `forward` to rounding, or bf16. Raises InputError for blobs that the net does not have.
        """
        return Plan(self, outputs, keep, precision)

    def reshape(self) -> None:
        """Let every layer give its tops their shapes again."""
        for layer, bottoms, tops in zip(self.layers, self._bottoms, self._tops, strict=True):
            layer.reshape(bottoms, tops)

    def recompute(self, ends: Sequence[str] | None = None) -> None:
        """From now on keep few activations for backward, which computes the others once more: less memory, more time.

        ends: the layers that segments end with, whose tops are kept; chosen if None, and () keeps everything again.
        Blobs inside a segment hold nothing after a pass. Raises InputError for layers that no segment can end with.
        """
        if self._recomputation:
            self._recomputation.withdraw()
        self._recomputation = Recomputation(self, ends)

    def set_precision(self, precision: str) -> None:
        """Compute convolutions and inner products in `float32` or `bf16`, but the last ones, which give the scores.

        Parameters, their gradients and losses stay float32. Raises InputError for an unknown precision.
        """
        set_precision(self, precision)

    def clear_param_diffs(self) -> None:
        """Make the gradients of all learnable parameters zero."""
        for param in self.learnable_params:
            param.blob.diff_memory.clear()

    def before_forward(self, callback: Callable[[int], Any]) -> None:
        """Call `callback(layer index)` before every layer's forward."""
        self._callbacks["<f"].append(callback)

    def after_forward(self, callback: Callable[[int], Any]) -> None:
        """Call `callback(layer index)` after every layer's forward."""
        self._callbacks["f>"].append(callback)

    def before_backward(self, callback: Callable[[int], Any]) -> None:
        """Call `callback(layer index)` before every layer's turn in backward."""
        self._callbacks["<b"].append(callback)

    def after_backward(self, callback: Callable[[int], Any]) -> None:
        """Call `callback(layer index)` after every layer's turn in backward."""
        self._callbacks["b>"].append(callback)

    # -- names and numbers

    @property
    def blob_loss_weights(self) -> OrderedDict[str, float]:
        """Loss weight of every blob, 0 for most."""
        return OrderedDict(zip(self._blob_names, self._blob_loss_weights, strict=True))

    @property
    def _blob_loss_weights(self) -> list[float]:
        return [self._loss_weight_of.get(id(b), 0.0) for b in self._blobs]

    _inputs = property(lambda self: self._ids(self.inputs))
    _outputs = property(lambda self: self._ids(self.outputs))

    def _top_ids(self, layer: int) -> list[int]:
        return self._ids(self._top_names[layer])

    def _bottom_ids(self, layer: int) -> list[int]:
        return self._ids(self._bottom_names[layer])

    def _ids(self, names: Iterable[str]) -> list[int]:
        return [self._blob_names.index(name) for name in names if name != "(automatic)"]

    # -- weights

    def copy_from(self, path: str | os.PathLike[str]) -> list[str]:
        """Copy the weights of layers found by name in a `.caffemodel` of any year, or a `.caffemodel.h5`.

        Several files may be given, separated by commas; later ones override. Returns the names of layers that got
        some. Raises InputError, and copies nothing of the file, where a layer's number of blobs or a shape differs.
        """
        return net_weights.copy_from(self, path)

    def load_hdf5(self, path: str | os.PathLike[str]) -> None:
        """Copy the weights of layers found by name in a `.caffemodel.h5`; raises InputError as `copy_from` does."""
        net_weights.load_hdf5(self, path)

    def share_with(self, other: Net) -> None:
        """Use the other net's memory for the parameters of layers of the same name."""
        net_weights.share_with(self, other)

    def save(self, path: str | os.PathLike[str], diffs: bool = False) -> None:
        """Write a binary `.caffemodel` that Caffe reads."""
        net_weights.save(self, path, diffs)

    def save_hdf5(self, path: str | os.PathLike[str], diffs: bool = False) -> None:
        """Write a `.caffemodel.h5` that Caffe reads; raises InputError for layer names with '/'."""
        net_weights.save_hdf5(self, path, diffs)

    def close(self) -> None:
        """Stop the threads of the data layers."""
        for layer in self.layers:
            if isinstance(layer, DataLayer):
                layer.close()
