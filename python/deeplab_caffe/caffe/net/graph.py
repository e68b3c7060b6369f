"""The graph of a net's layers, and how it comes about from their definitions. Mirrors `net.cpp`, Init."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

import torch

from ...formats.definition import Entry
from .. import mode
from ..blob import Blob, BlobVec
from ..layer_types.base import Layer, blobs_from_proto, layer_class
from ..layer_types.python import python_layer
from . import log
from .backward_flags import allow_overwriting, decide_backward, prune_backward
from .deferred_checks import DeferredChecks
from .params import ParamTable
from .splits import filter_layers
from .step import AUTOMATIC, NetStep


class NetGraph:
    """Layers in order, the blobs between them, and their parameters, by name as in pycaffe."""

    name: str
    state: Any
    force_backward: bool
    #: whether passes print what flows through them
    debug_info: bool
    #: whether `solver.step` keeps the diffs of blobs for who reads them, as Caffe does; the commands that train do not
    keeps_diffs: bool = True
    #: called with the index of a layer before it runs forward (`<f`), after it (`f>`), and likewise backward
    callbacks: dict[str, list[Callable[[int], Any]]]

    def choose(self, entries: list[Entry]) -> list[Entry]:
        """The layers of a definition that this net has, copied."""
        return filter_layers(entries, self.state)

    def _build(self, entries: list[Entry]) -> None:
        #: the layers in order, each with its blobs
        self.steps: list[NetStep] = []
        self._loss_weight_of: dict[int, float] = {}
        self.inputs: list[str] = []
        self._log = log.NetLog()
        params = ParamTable(self.force_backward)
        made: dict[str, Blob] = {}
        available: dict[str, None] = {}
        needs: dict[int, bool] = {}
        for entry in entries:
            with entry.named():
                self._add_layer(entry, made, available, needs, params)
        self.learnable_params = params.learnable
        #: parameters (by id) that belong to an earlier layer
        self.borrowed = params.borrowed
        self.layers: list[Layer] = [step.layer for step in self.steps]
        self.blobs: OrderedDict[str, Blob] = OrderedDict(made)
        self.params: OrderedDict[str, BlobVec] = OrderedDict(
            (s.name, s.layer.blobs) for s in self.steps if s.layer.blobs
        )
        self.layer_dict: OrderedDict[str, Layer] = OrderedDict((s.name, s.layer) for s in self.steps)
        #: labels whose check is not finished yet
        self.deferred_checks = DeferredChecks(self.layers)
        self.outputs: list[str] = sorted(available, key=str.encode)
        self.top_names: OrderedDict[str, list[str]] = OrderedDict((s.name, s.top_names) for s in self.steps)
        self.bottom_names: OrderedDict[str, list[str]] = OrderedDict((s.name, s.bottom_names) for s in self.steps)
        prune_backward(self.steps, self.force_backward)
        allow_overwriting(self.steps)
        log.finished(self.layers, self.outputs)

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
        layer.check_in_place(bottoms, tops)
        with entry.named():
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
        top_names = [*p.top, *[AUTOMATIC] * anonymous]
        self.steps.append(NetStep(layer, p.name, bottoms, tops, list(p.bottom), top_names))

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

    def call_back(self, when: str, index: int) -> None:
        """Call the callbacks of a moment with a layer's index."""
        for callback in self.callbacks[when]:
            callback(index)

    def index_of(self, layer: str) -> int:
        """The place of a layer, by name; ValueError for a name that no layer has."""
        if layer not in self.layer_dict:
            raise ValueError(f"the net has no layer '{layer}'")
        return self._layer_names.index(layer)

    # -- pycaffe's private names, which scripts read

    _layer_names = property(lambda self: [step.name for step in self.steps])
    _bottoms = property(lambda self: [step.bottoms for step in self.steps])
    _tops = property(lambda self: [step.tops for step in self.steps])
    _bottom_names = property(lambda self: [step.bottom_names for step in self.steps])
    _top_names = property(lambda self: [step.top_names for step in self.steps])
    _blob_names = property(lambda self: list(self.blobs))
    _blobs = property(lambda self: list(self.blobs.values()))
    _blob_loss_weights = property(lambda self: [self._loss_weight_of.get(id(b), 0.0) for b in self.blobs.values()])
    _inputs = property(lambda self: self._ids(self.inputs))
    _outputs = property(lambda self: self._ids(self.outputs))

    def _top_ids(self, layer: int) -> list[int]:
        return self._ids(self.steps[layer].top_names)

    def _bottom_ids(self, layer: int) -> list[int]:
        return self._ids(self.steps[layer].bottom_names)

    def _ids(self, names: Iterable[str]) -> list[int]:
        places = {name: i for i, name in enumerate(self.blobs)}
        return [places[name] for name in names if name != AUTOMATIC]
