"""The registry of layer types. Mirrors `layer_factory.hpp`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import torch

from ...errors import InputError
from ...formats.foreign_types import about
from ...formats.layer_facts import LAYER_FACTS
from .. import mode
from ..blob import BlobVec
from .layer import Layer

_REGISTRY: dict[str, type[Layer]] = {}
_L = TypeVar("_L", bound=type[Layer])


def register(name: str) -> Callable[[_L], _L]:
    """Class decorator: make a layer class known under its prototxt type, which has a row in the table of layer types.

    Raises ValueError for a type without a row, and for one that is registered already.
    """

    def add(cls: _L) -> _L:
        if name in _REGISTRY:
            raise ValueError(f"layer type {name} is registered twice")
        if name not in LAYER_FACTS:
            raise ValueError(f"layer type {name} has no row in formats/layer_facts.py")
        cls.type = name
        cls.facts = LAYER_FACTS[name]
        _REGISTRY[name] = cls
        return cls

    return add


def check_complete() -> None:
    """Raise ValueError where the table of layer types has a row without a class."""
    missing = [name for name in LAYER_FACTS if name not in _REGISTRY]
    if missing:
        raise ValueError(f"layer types without a class: {', '.join(missing)} (rows of formats/layer_facts.py)")


def registered() -> dict[str, type[Layer]]:
    """All layer classes by their type."""
    return dict(_REGISTRY)


def layer_type_list() -> list[str]:
    """All layer types, sorted."""
    return sorted(_REGISTRY)


def layer_class(param: Any, origin: str = "") -> type[Layer]:
    """The class of a layer's type; InputError that names the nearest type where there is none."""
    if param.type not in _REGISTRY:
        where = f"{origin}: " if origin else ""
        hint = about(param.type) or "; no type of a similar name is known (caffe.layer_type_list() lists all)"
        raise InputError(f"{where}layer '{param.name}': unknown type '{param.type}'{hint}")
    return _REGISTRY[param.type]


def blobs_from_proto(param: Any) -> BlobVec:
    """The parameters that a layer's definition carries itself."""
    blobs = BlobVec()
    for proto in param.blobs:
        legacy = any(proto.HasField(f) for f in ("num", "channels", "height", "width"))
        shape = (proto.num, proto.channels, proto.height, proto.width) if legacy else tuple(proto.shape.dim)
        values = torch.tensor(proto.double_data or proto.data, dtype=torch.float32)
        if values.numel() != math.prod(shape):
            raise InputError(f"blobs: {values.numel()} values for a blob of shape {shape}")
        blobs.add_blob(*shape).set_data(values.view(shape).to(mode.device()))
    return blobs
