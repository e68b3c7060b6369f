"""Upgrade binary nets (protobuf's wire format)."""

from __future__ import annotations

import os
import warnings
from dataclasses import replace
from typing import Any

from . import schema
from .binary_net import read_binary_net
from .prototxt import Document
from .upgrade import dialect_of, upgrade_net
from .upgrade_report import Upgrade
from .upgrade_text import upgrade_document
from .writer import format_message


def upgrade_binary(path: str | os.PathLike[str], dialect: str | None = None) -> tuple[Upgrade, Any]:
    """Upgrade a binary net to today's form.

    Args:
        path: the file.
        dialect: see `read_binary_net`.

    Returns:
        The upgraded text without weights and its changes; the upgraded message with weights.

    Raises:
        InputError: the file cannot be read, or a part of the net has no counterpart today.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        net = read_binary_net(path, dialect)
    notes = [str(warning.message) for warning in caught]
    bare = _without_blobs(net)
    result = upgrade_document(Document(format_message(bare), str(path)))
    changes = [replace(change, line=0, column=0) for change in result.changes]  # a binary file has no lines
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the text's upgrade has noted them
        named = dialect or dialect_of(net)
        upgrade_net(net, str(path))
    return Upgrade(str(path), result.text, f"{named}, binary", changes, notes + result.notes), net


def count_blobs(net: Any) -> int:
    """The number of weight blobs in the layers of a net."""
    return sum(len(layer.blobs) for layer in net.layer)


def _without_blobs(message: Any) -> Any:
    """A copy of a net or a layer without its weights, which are never copied."""
    bare = type(message)()
    for descriptor, value in message.ListFields():
        if descriptor.name == "blobs":
            continue
        if descriptor.name in ("layer", "layers"):
            single = isinstance(message, schema.V1LayerParameter)  # V0's connection around its layer
            for layer in [value] if single else value:
                target = bare.layer if single else getattr(bare, descriptor.name).add()
                target.CopyFrom(_without_blobs(layer))
        elif hasattr(value, "MergeFrom"):
            getattr(bare, descriptor.name).MergeFrom(value)
        else:
            setattr(bare, descriptor.name, value)
    return bare
