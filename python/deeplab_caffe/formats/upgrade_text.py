"""Upgrade the text of a prototxt in place: comments, order and layout are kept, and every change is reported.

The message of the file is upgraded as everywhere else (`upgrade.upgrade_net`); then the text is edited until it means
that message. So there is one set of rules, and the result is checked against it. Template variables stay as they are.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..words import some_of
from . import schema
from .carried import unknown_type
from .edits import Edits
from .foreign_types import about, is_known, today_of
from .layer_facts import LAYER_FACTS
from .prototxt import Document
from .tree import Block, Field
from .upgrade import upgrade_solver
from .upgrade_class_weights import upgrade_class_weights
from .upgrade_fields import Reconciler
from .upgrade_report import Change, Upgrade
from .upgrade_text_steps import NET_FIELDS, TextUpgrade
from .upgrade_text_v0 import flatten, move_transformations
from .writer import format_field

#: fields that were renamed in 2015, with the same value; Caffe reads both names
DEPRECATED = {("concat_param", "concat_dim"): "axis", ("slice_param", "slice_dim"): "axis"}
#: fields whose lists `[a, b]` are split before the upgrade, because it moves their elements to different places
_UNLISTED = {"blobs_lr", "weight_decay", "param", "blob_share_mode", "input", "input_dim", "input_shape"}
_NET_INPUTS = ("input", "input_dim", "input_shape")
#: the fields of bn_param that SegNet has, and PSPNet has not
_SEGNETS_BN = {"scale_filler", "shift_filler", "bn_mode"}


def upgrade_document(document: Document, beside: str | os.PathLike[str] | None = None) -> Upgrade:
    """Upgrade the text of a net or a solver to today's form.

    Args:
        document: a document that was parsed without values for its template variables.
        beside: the file that the new text will be written to. Class weights become files beside it, which the caller
            writes (`write_matrices`).

    Returns:
        The new text, and what changed.

    Raises:
        InputError: the file is invalid in Caffe too, a part has no counterpart today, or the upgrade of a field
            depends on the value of a template variable.

    Example:
        >>> print(upgrade_document(Document("layers { name: 'r' type: RELU bottom: 'a' top: 'a' }  # V1")).text)
        layer { name: 'r' type: "ReLU" bottom: 'a' top: 'a' }  # V1
    """
    upgrade = TextUpgrade(document, None if beside is None else Path(beside))
    upgrade.step(upgrade_class_weights)
    wanted = upgrade.upgraded_message()
    unknown, given = upgrade.unknown_values(), upgrade.unknown
    upgrade.notes += _kept(upgrade)
    upgrade.step(_unlist)
    upgrade.step(flatten)
    upgrade.step(move_transformations)
    upgrade.step(_to_today)
    if upgrade.message() != wanted or upgrade.unknown_values() != unknown:
        unread = next((problem for problem in given if problem.kind == "unknown-field"), None)
        if unread:
            raise unread.error
        raise InputError(
            f"{document.filename}: cannot be upgraded in this layout; run `deeplab prototxt format` first, or fill in "
            "its template variables"
        )
    upgrade.step(_name_axes)
    changes = sorted(upgrade.changes, key=_by_place)
    return Upgrade(
        document.filename, upgrade.document.text, _dialect(upgrade), changes, upgrade.notes, upgrade.matrices
    )


def _kept(upgrade: TextUpgrade) -> list[str]:
    """A note for everything that another Caffe may know: it stays as it is written."""
    found: dict[str, list[str]] = {}
    types: dict[str, list[str]] = {}
    for problem in upgrade.unknown:
        if problem.kind != "unknown-type":
            found.setdefault(problem.error.reason, []).append(upgrade.where(problem.error.offset or 0))
    for net in upgrade.nets():
        for layer in net.all("layer"):
            kind = layer.value.text_of("type") if isinstance(layer.value, Block) else None
            if kind and not is_known(kind):
                types.setdefault(kind, []).append(upgrade.where(layer.start))
    said = {**found, **{f"unknown type '{name}'{about(name)}": places for name, places in types.items()}}
    return [f"{some_of(places, 3)}: {what}: kept as it is written" for what, places in said.items()]


def _dialect(upgrade: TextUpgrade) -> str:
    if upgrade.dialect == "PSPNet":
        normalisations = (bn for net in upgrade.nets() for bn in _all_of(net, "layer", "bn_param"))
        stated = {field.name for bn in normalisations for field in bn.fields}
        return "SegNet" if stated & _SEGNETS_BN else upgrade.dialect
    return "SegNet" if upgrade.matrices and upgrade.dialect == "V2" else upgrade.dialect


def _all_of(net: Block, *names: str) -> list[Block]:
    """The blocks under these names, one within another."""
    blocks = [net]
    for name in names:
        blocks = [f.value for block in blocks for f in block.all(name) if isinstance(f.value, Block)]
    return blocks


def _by_place(change: Change) -> tuple[int, int]:
    return change.line, change.column


def _unlist(upgrade: TextUpgrade, edits: Edits) -> None:
    """Write `name: [a, b]` as two fields if the upgrade moves its elements."""
    for net in upgrade.nets():
        layers = [f.value for f in net.all("layers") if isinstance(f.value, Block)]
        inner = [f.value for block in layers for f in block.all("layer") if isinstance(f.value, Block)]
        for block in (net, *layers, *inner):
            lists: dict[tuple[int, int], list[Field]] = {}
            for f in block.fields:
                if f.listed and f.name in _UNLISTED:
                    lists.setdefault(f.listed, []).append(f)
            for (start, end), fields in lists.items():
                name = fields[0].name
                parts = [edits.document.text[f.value.start : f.value.end] for f in fields]
                colon = "" if isinstance(fields[0].value, Block) else ":"
                edits.replace(start, end, " ".join(f"{name}{colon} {part}" for part in parts))


def _to_today(upgrade: TextUpgrade, edits: Edits) -> None:
    """Upgrade V1, DeepLab v1, and older forms of today's nets and solvers."""
    for net in upgrade.nets():
        _net_to_today(upgrade, edits, net)
    if upgrade.is_solver:
        old = upgrade.message()
        new = schema.SolverParameter()
        new.CopyFrom(old)
        upgrade_solver(new, upgrade.original.filename)
        for name in NET_FIELDS:
            new.ClearField(name)
            old.ClearField(name)
        document = upgrade.document
        rest = Block([f for f in document.root.fields if f.name not in NET_FIELDS], 0, len(document.text))
        Reconciler(upgrade, edits, "").reconcile(rest, old, new)


def _net_to_today(upgrade: TextUpgrade, edits: Edits, block: Block) -> None:
    net = upgrade.message(block)
    elements, olds = block.all("layers") or block.all("layer"), list(net.layers or net.layer)
    olds = [_copy(layer) for layer in olds]
    for element in elements:
        _check_type(upgrade, element)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the first upgrade has noted them
        places = upgrade.to_today(net, block, carried=False)
    inputs = [f for f in block.fields if f.name in _NET_INPUTS]
    for place, new in zip(places, net.layer, strict=True):
        if place is None:
            _write_input(upgrade, edits, block, inputs, new)
            inputs = []
            continue
        element = elements[place]
        assert isinstance(element.value, Block)
        if element.name == "layers":
            edits.rename(element, "layer")
            upgrade.log(element.start, new.name, "layers { … }", "layer { … }")
            _name_type(upgrade, edits, element.value, new)
        Reconciler(upgrade, edits, new.name).reconcile(element.value, olds[place], new)
    if inputs:
        upgrade.log(inputs[0].start, "", _sources(edits, inputs), "", "without shapes, Caffe ignores it")
        edits.remove_all(inputs)


def _name_type(upgrade: TextUpgrade, edits: Edits, layer: Block, new: Any) -> None:
    """Write a type that the enum of 2014 lacks as today's layers do, as a string; `new` then has no type to write."""
    stated = unknown_type(layer)
    if stated is None:
        return
    new.ClearField("type")
    today = today_of(stated.text)
    known = "check that today's layer does the same" if today in LAYER_FACTS else about(today).strip(" (;)")
    upgrade.log(stated.start, new.name, f"type: {stated.text}", f'type: "{today}"', known or "an unknown type")
    edits.replace(stated.start, stated.end, f'"{today}"')


def _name_axes(upgrade: TextUpgrade, edits: Edits) -> None:
    """Rename deprecated fields of layers; what is unknown may have fields of such names, and stays."""
    layers = [layer.value for net in upgrade.nets() for layer in net.all("layer")]
    for block in [field for layer in layers if isinstance(layer, Block) for field in layer.fields]:
        for field in block.value.fields if isinstance(block.value, Block) else []:
            today = DEPRECATED.get((block.name, field.name))
            if today is not None:
                value = edits.source(field).partition(":")[2].strip()
                upgrade.log(field.start, "", edits.source(field), f"{today}: {value}")
                edits.rename(field, today)


def _copy(message: Any) -> Any:
    copy = type(message)()
    copy.CopyFrom(message)
    return copy


def _check_type(upgrade: TextUpgrade, element: Field) -> None:
    """Raise InputError for a template variable as a layer's enum type: the upgrade depends on the type."""
    kind = element.value.text_of("type") if isinstance(element.value, Block) else None
    if element.name == "layers" and kind and "${" in kind:
        where = upgrade.where(element.within("type").start)
        raise InputError(f"{where}: type: {kind}: the upgrade depends on the layer's type; set it to a value")


def _write_input(upgrade: TextUpgrade, edits: Edits, block: Block, inputs: list[Field], layer: Any) -> None:
    """Replace the input fields by an Input layer, which goes first if there are layers before those fields."""
    descriptor = schema.NetParameter.DESCRIPTOR.fields_by_name["layer"]
    text = format_field(descriptor, layer, upgrade.placeholders.texts)
    upgrade.log(inputs[0].start, "input", _sources(edits, inputs), text)
    layers = block.all("layers") or block.all("layer")
    if layers and layers[0].start < inputs[0].start:
        edits.insert_before(layers[0], text + "\n")
        edits.remove_all(inputs)
    else:
        edits.put(inputs[0], text)
        edits.remove_all(inputs[1:])


def _sources(edits: Edits, fields: list[Field]) -> str:
    return " ".join(edits.source(f) for f in fields)
