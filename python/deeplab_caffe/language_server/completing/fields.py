"""The fields that are valid at a place, and at the top of a net whole layers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ...formats import meanings
from ...formats.layer_facts import LAYER_FACTS
from ...formats.scalar_values import is_repeated
from ..buffers import Buffer
from ..describing.fields import default_text, type_text
from ..places import LAYERS, NAME, Place
from .items import Item, Kind
from .scope import blobs_above, inner, layers_of, names_of_layers
from .snippets import field_snippet, free_name, layer_snippet, stem_of

#: fields of a layer that are written first
_HEAD = ("name", "type", "bottom", "top")
#: fields of a layer that are seldom written
_SELDOM = ("blobs", "propagate_down", "phase", "strict_dim")
_VALUE_FOLLOWS = re.compile(r"\w*[ \t]*[:{<]")


def fields_here(buffer: Buffer, place: Place) -> list[Item]:
    """The fields of the message here, the likeliest first, old ones last; without those that are given already."""
    if place.message is None:
        return []
    given = {f.name for f in place.block.fields if f is not place.field}
    fields = [f for f in place.message.fields if is_repeated(f) or f.name not in given]
    current = "layers" if _is_old(buffer) else ""  # in a net of 2014 a further layer is written like the others
    old = {f.name for f in fields if f.name != current and meanings.of_field(f).is_old}
    own = _own_params(place)
    ranked = sorted(fields, key=lambda f: (f.name in old, _rank(f, own), f.index))
    name_only = _has_value(buffer, place)
    return [_field(f, f.name in old, name_only) for f in ranked]


def _own_params(place: Place) -> tuple[str, ...] | None:
    """The fields of parameters that the layer's type has; None if it has no known type yet."""
    if place.layer is None:
        return None
    layer_type = inner(place.layer).text_of("type") or ""
    facts = LAYER_FACTS.get(layer_type) or LAYER_FACTS.get(meanings.today(layer_type))
    return facts.params if facts else None


def _rank(descriptor: Any, own: tuple[str, ...] | None) -> int:
    """The order of a field: in a layer its head, its own parameters, the rest, parameters of other types."""
    name = descriptor.name
    if descriptor.containing_type.name not in ("LayerParameter", "V1LayerParameter"):
        return 0 if name in LAYERS else 1
    if name in _HEAD:
        return _HEAD.index(name)
    if name.endswith("_param"):
        return 7 if own is None else 4 if name in own else 8
    return 6 if name in _SELDOM else 5


def _field(descriptor: Any, old: bool, name_only: bool) -> Item:
    name, default = descriptor.name, default_text(descriptor, meanings.of_field(descriptor))
    detail = type_text(descriptor) + (f" = {default}" if default else "")
    about = ("field", descriptor.containing_type.name, name)
    if name_only:
        return Item(name, name, Kind.Field, detail, about, old)
    kind = Kind.Struct if descriptor.message_type is not None else Kind.Field
    return Item(name, field_snippet(descriptor), kind, detail, about, old, is_snippet=True)


def _has_value(buffer: Buffer, place: Place) -> bool:
    """Whether a value follows the name at the cursor: then it is only renamed."""
    return place.on == NAME and _VALUE_FOLLOWS.match(buffer.text, place.offset) is not None


def layers_here(buffer: Buffer, place: Place) -> Iterator[Item]:
    """A snippet of a layer for each type; its bottom is the last top above."""
    old = _is_old(buffer)
    layers = layers_of(buffer.document)
    if _has_value(buffer, place) or any(inner(layer) is not layer.value for layer in layers):
        return  # the layers of 2013 have no snippets
    above = blobs_above(buffer.document, place.offset, None)
    last = above[0].name if above else "data"
    taken = set(names_of_layers(buffer.document))
    for layer_type in LAYER_FACTS:
        text = layer_snippet(layer_type, free_name(stem_of(layer_type), taken), last, old)
        if text:
            label = f"{'layers' if old else 'layer'} {layer_type}"
            yield Item(label, text, Kind.Snippet, meanings.of_type(layer_type), ("type", layer_type), is_snippet=True)


def _is_old(buffer: Buffer) -> bool:
    """Whether a net is written as in 2014 or before."""
    return bool(buffer.document.root.all("layers"))
