"""Net: a graph of layers with pycaffe's interface. Mirrors `net.cpp` and `pycaffe.py`."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch

from ..errors import InputError
from ..formats import schema
from ..formats.weights import LayerWeights, encode_blob, read_caffemodel, write_caffemodel
from . import log, mode
from .blob import Blob, BlobVec
from .gradient_flow import decide_backward, prune_backward
from .layers.base import DataLayer, LabelError, Layer, blobs_from_proto, layer_class
from .layers.python import python_layer
from .net_building import Definition, Entry, definition_of, filter_layers, insert_splits, read_definition
from .net_params import ParamTable


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
        self._build(insert_splits(filter_layers(definition.entries, self.state)))
        if given["weights"]:
            self.copy_from(given["weights"])

    @classmethod
    def from_param(cls, param: Any, phase: int, source: str = "") -> Net:
        """A net from a NetParameter in memory."""
        return cls(definition_of(param, source), phase=phase)

    # -- construction

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
        self._inputs: list[str] = []
        params = ParamTable(self.force_backward)
        made: dict[str, Blob] = {}
        available: dict[str, None] = {}
        needs: dict[int, bool] = {}
        for entry in entries:
            self._add_layer(entry, made, available, needs, params)
        self.learnable_params = params.learnable
        self.blobs: OrderedDict[str, Blob] = OrderedDict(zip(self._blob_names, self._blobs, strict=True))
        self.params: OrderedDict[str, BlobVec] = OrderedDict(
            (n, layer.blobs) for n, layer in zip(self._layer_names, self.layers, strict=True) if layer.blobs
        )
        self.layer_dict = OrderedDict(zip(self._layer_names, self.layers, strict=True))
        self.inputs: list[str] = self._inputs
        self.outputs: list[str] = sorted(available, key=str.encode)
        self.top_names = OrderedDict(zip(self._layer_names, self._top_names, strict=True))
        self.bottom_names = OrderedDict(zip(self._layer_names, self._bottom_names, strict=True))
        prune_backward(self.layers, self._bottoms, self._tops, self.force_backward)

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
        layer = _create(p, entry.origin)
        if len(p.propagate_down) not in (0, len(p.bottom)):
            raise entry.error(f"states propagate_down {len(p.propagate_down)} times for {len(p.bottom)} bottoms")
        bottoms = [self._take_bottom(entry, name, made, available) for name in p.bottom]
        tops = [self._make_top(entry, i, name, made, available) for i, name in enumerate(p.top)]
        names = list(p.top)
        if layer.auto_top:
            while len(tops) < layer.tops[0]:
                tops.append(Blob())
                names.append("(automatic)")
        layer.check_counts(len(bottoms), len(tops))
        layer.blobs = blobs_from_proto(p)
        layer.setup(bottoms, tops)
        layer.reshape(bottoms, tops)
        self._set_loss_weights(layer, tops)
        params.add_layer(layer, entry)
        decide_backward(layer, bottoms, tops, needs, self.force_backward)
        if p.type == "Input":
            self._inputs += list(p.top)
        self.layers.append(layer)
        self._layer_names.append(p.name)
        self._bottoms.append(bottoms)
        self._tops.append(tops)
        self._bottom_names.append(list(p.bottom))
        self._top_names.append(names)

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
        loss: torch.Tensor | None = None
        for i in range(start, end + 1):
            layer, bottoms, tops = self.layers[i], self._bottoms[i], self._tops[i]
            layer.reshape(bottoms, tops)
            try:
                layer.forward(bottoms, tops)
            except LabelError as error:
                raise self._explained(error) from None
            for blob, weight in zip(tops, layer.loss_weights, strict=True):
                if weight:
                    data = blob.data_tensor()
                    term = data * weight if data.dim() == 0 else (data * blob.diff_tensor()).sum()
                    loss = term if loss is None else loss + term
        return torch.zeros((), device=mode.device()) if loss is None else loss

    def _explained(self, error: LabelError) -> InputError:
        for layer in self.layers:
            if isinstance(layer, DataLayer):
                text = layer.explain_label(error.item, error.num_classes, error.ignored)
                if text:
                    return InputError(f"{error}: {text}")
        return error

    def backward_range(self, start: int, end: int, release: bool = False) -> None:
        """Run backward from layer start down to end (inclusive); `release` frees what forward kept for it."""
        for i in range(start, end - 1, -1):
            layer = self.layers[i]
            if layer.needs_backward:
                layer.backward(self._tops[i], layer.propagate_down, self._bottoms[i])
                if release:
                    layer.release()

    def _forward(self, start: int, end: int) -> float:
        return float(self.forward_range(start, end))

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
        names = set(self.top_names[end] if end else self.outputs) | set(blobs or [])
        if inputs:
            if set(inputs) != set(self.inputs):
                raise ValueError("Input blob arguments do not match net inputs.")
            for name, value in inputs.items():
                if value.shape[0] != self.blobs[name].shape[0]:
                    raise ValueError("Input is not batch sized")
                self.blobs[name].data[...] = value
        self._forward(first, last)
        return {name: self.blobs[name].data for name in names}

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
        names = set(self.bottom_names[end] if end else self.inputs) | set(diffs or [])
        if tops:
            if set(tops) != set(self.outputs):
                raise ValueError("Top diff arguments do not match net outputs.")
            for name, value in tops.items():
                if value.shape[0] != self.blobs[name].shape[0]:
                    raise ValueError("Diff is not batch sized")
                self.blobs[name].diff[...] = value
        self._backward(first, last)
        return {name: self.blobs[name].diff for name in names}

    def reshape(self) -> None:
        """Let every layer give its tops their shapes again."""
        for layer, bottoms, tops in zip(self.layers, self._bottoms, self._tops, strict=True):
            layer.reshape(bottoms, tops)

    def clear_param_diffs(self) -> None:
        """Make the gradients of all learnable parameters zero."""
        for param in self.learnable_params:
            param.blob.diff_memory.clear()

    @property
    def blob_loss_weights(self) -> OrderedDict[str, float]:
        """Loss weight of every blob, 0 for most."""
        return OrderedDict((n, self._loss_weight_of.get(id(b), 0.0)) for n, b in self.blobs.items())

    # -- weights

    def copy_from(self, path: str | os.PathLike[str]) -> list[str]:
        """Copy the weights of layers found by name in a `.caffemodel`; returns the names of layers that got some.

        Several files may be given, separated by commas; later ones override. Raises InputError where a layer's
        number of blobs or a shape differs.
        """
        loaded: dict[str, None] = {}
        for part in os.fspath(path).split(","):
            for source in read_caffemodel(part):
                layer = self.layer_dict.get(source.name)
                if layer is None:
                    if source.blobs:
                        log.info(f"Ignoring source layer {source.name}")
                    continue
                self._copy_layer(layer, source, part)
                if source.blobs:
                    loaded[source.name] = None
        return list(loaded)

    @staticmethod
    def _copy_layer(layer: Layer, source: LayerWeights, path: str) -> None:
        if len(source.blobs) != len(layer.blobs):
            layer.fail(f"{path} has {len(source.blobs)} blobs for it, the net {len(layer.blobs)}")
        for i, (blob, stored) in enumerate(zip(layer.blobs, source.blobs, strict=True)):
            wanted = (1,) * (4 - len(blob.shape)) + blob.shape if stored.legacy else blob.shape
            if stored.data.shape != wanted:
                layer.fail(
                    f"{path} has shape {stored.data.shape} for blob {i}, the net {blob.shape}; to start this layer "
                    "afresh, rename it"
                )
            with torch.no_grad():
                blob.data_tensor().copy_(torch.from_numpy(stored.data.reshape(blob.shape).copy()))

    def share_with(self, other: Net) -> None:
        """Use the other net's memory for the parameters of layers of the same name."""
        for name, blobs in other.params.items():
            mine = self.params.get(name)
            if mine is None:
                continue
            if [b.shape for b in mine] != [b.shape for b in blobs]:
                self.layer_dict[name].fail(
                    f"cannot share parameters: {[b.shape for b in mine]} here, {[b.shape for b in blobs]} there"
                )
            for own, theirs in zip(mine, blobs, strict=True):
                own.share_data(theirs)

    def save(self, path: str | os.PathLike[str], diffs: bool = False) -> None:
        """Write a binary `.caffemodel` that Caffe reads."""
        layers = []
        for layer in self.layers:
            definition = schema.LayerParameter()
            definition.CopyFrom(layer.param)
            definition.ClearField("blobs")
            blobs = [
                encode_blob(
                    b.data_tensor().detach().cpu().numpy(), b.diff_tensor().detach().cpu().numpy() if diffs else None
                )
                for b in layer.blobs
            ]
            layers.append((definition.SerializeToString(), blobs))
        write_caffemodel(path, self.name, layers)

    def close(self) -> None:
        """Stop the threads of the data layers."""
        for layer in self.layers:
            if isinstance(layer, DataLayer):
                layer.close()


def _create(param: Any, origin: str) -> Layer:
    cls = layer_class(param, origin)
    if param.type == "Python":
        return python_layer(param, param.phase, origin)
    return cls(param, param.phase, origin)
