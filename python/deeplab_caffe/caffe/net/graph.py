"""The graph of a net's layers, and how it comes about from their definitions. Mirrors `net.cpp`, Init."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch

from ...formats.definition import Entry
from .. import mode
from ..blob import Blob, BlobVec
from ..layer_types.base import Layer, blobs_from_proto, layer_class
from ..layer_types.python import python_layer
from . import log
from .backward_flags import allow_overwriting, decide_backward, prune_backward
from .params import ParamTable
from .splits import filter_layers


class NetGraph:
    """Layers in order, the blobs between them, and their parameters, by name as in pycaffe."""

    name: str
    state: Any
    force_backward: bool

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
        self._log = log.NetLog()
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
        log.finished(self)

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
