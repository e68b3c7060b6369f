"""The learnable parameters of a net and which layers share them. Mirrors `net.cpp`, AppendParam."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...formats import schema
from ...formats.definition import Entry
from .. import log
from ..blob import Blob
from ..layer_types.base import Layer


@dataclass
class LearnableParam:
    """A parameter that a solver updates, with its multipliers; several layers may share it."""

    blob: Blob
    name: str
    lr_mult: float
    decay_mult: float


@dataclass
class _Owner:
    """The first layer that stated a parameter's name."""

    learnable: LearnableParam
    spec: Any
    layer: str
    index: int


class ParamTable:
    """Collects the parameters of layers in order; a parameter whose name was seen before is shared.

    learnable: the owners, in order of appearance (also those with lr_mult 0); borrowed: ids of the other blobs.
    """

    def __init__(self, force_backward: bool) -> None:
        self.learnable: list[LearnableParam] = []
        self.borrowed: set[int] = set()
        self._owners: dict[str, _Owner] = {}
        self._force_backward = force_backward

    def add_layer(self, layer: Layer, entry: Entry) -> None:
        """Add a layer's blobs, and set which of them want a gradient."""
        stated = entry.param.param
        if len(stated) > len(layer.blobs):
            raise entry.error(f"states {len(stated)} param blocks, the layer has {len(layer.blobs)} parameters")
        layer.param_propagate = []
        for i, blob in enumerate(layer.blobs):
            spec = stated[i] if i < len(stated) else schema.ParamSpec()
            if spec.name in self._owners:
                self._share(entry, i, spec, blob)
            else:
                self._own(entry, i, spec, blob)
            # its own multiplier, not the group's: so Caffe decides it
            layer.param_propagate.append(spec.lr_mult != 0 or self._force_backward)

    def _own(self, entry: Entry, index: int, spec: Any, blob: Blob) -> None:
        learnable = LearnableParam(blob, spec.name or str(index), spec.lr_mult, spec.decay_mult)
        self.learnable.append(learnable)
        if spec.name:
            self._owners[spec.name] = _Owner(learnable, spec, entry.param.name, index)

    def _share(self, entry: Entry, index: int, spec: Any, blob: Blob) -> None:
        owner = self._owners[spec.name]
        theirs = owner.learnable.blob
        log.detail(
            f"Sharing parameters '{spec.name}' owned by layer '{owner.layer}', param index {owner.index}", "net.cpp:493"
        )
        permissive = spec.share_mode == schema.ParamSpec.PERMISSIVE
        if (blob.count != theirs.count) if permissive else (blob.shape != theirs.shape):
            raise entry.error(
                f"parameter {index} ('{spec.name}') is {blob.shape}, but layer '{owner.layer}', which it shares it "
                f"with, has {theirs.shape}"
            )
        self.borrowed.add(id(blob))
        blob.share_data(theirs)
        blob.share_diff(theirs)
        for field in ("lr_mult", "decay_mult"):
            if spec.HasField(field):
                self._adopt(entry, owner, field, getattr(spec, field))

    @staticmethod
    def _adopt(entry: Entry, owner: _Owner, field: str, value: float) -> None:
        """A multiplier that only one of the layers states holds for all; two that differ are an error."""
        before = getattr(owner.spec, field)
        if owner.spec.HasField(field) and before != value:
            theirs = f"layer '{owner.layer}' states {before:g}"
            raise entry.error(f"shared parameter '{owner.spec.name}' states {field} {value:g}, {theirs}")
        setattr(owner.learnable, field, value)
        setattr(owner.spec, field, value)
