"""The fields that are valid at a place, and at the top of a net whole layers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...formats import meanings
from ...formats.layer_facts import LAYER_FACTS
from ...formats.scalar_values import is_repeated
from ..buffers import Buffer
from ..describing.fields import default_text, type_text
from ..places import Place
from .items import Item, Kind
from .scope import blobs_above, inner, names_of_layers
from .snippets import field_snippet, free_name, layer_snippet, stem_of

#: fields of a layer that are written first
_HEAD = ("name", "type", "bottom", "top")


def fields_here(buffer: Buffer, place: Place) -> list[Item]:
    """The fields of the message here, the likeliest first, old ones last; without those that are given already."""
    if place.message is None:
        return []
    given = {f.name for f in place.block.fields if f is not place.field}
    fields = [f for f in place.message.fields if is_repeated(f) or f.name not in given]
    own = _own_params(place)
    ranked = sorted(fields, key=lambda f: (_rank(f, own, buffer), f.index))
    return [_field(buffer, place, f) for f in ranked]


def _own_params(place: Place) -> tuple[str, ...] | None:
    """The fields of parameters that the layer's type has; None if it has no known type yet."""
    if place.layer is None:
        return None
    layer_type = inner(place.layer).text_of("type") or ""
    facts = LAYER_FACTS.get(layer_type) or LAYER_FACTS.get(meanings.today(layer_type))
    return facts.params if facts else None


def _rank(descriptor: Any, own: tuple[str, ...] | None, buffer: Buffer) -> int:
    name = descriptor.name
    if meanings.of_field(descriptor).is_old and not (name == "layers" and _is_old(buffer)):
        return 5
    if name in ("layer", "layers"):
        return -1
    if descriptor.containing_type.name not in ("LayerParameter", "V1LayerParameter"):
        return 0
    if name in _HEAD:
        return _HEAD.index(name) - 5
    is_params = name.endswith("_param")
    if own is not None and is_params:
        return 0 if name in own else 4
    return 2 if name in ("blobs", "propagate_down", "phase", "strict_dim") else 3 if is_params else 1


def _field(buffer: Buffer, place: Place, descriptor: Any) -> Item:
    meaning = meanings.of_field(descriptor)
    default = default_text(descriptor, meaning)
    detail = type_text(descriptor) + (f" = {default}" if default else "")
    about = ("field", place.message.name, descriptor.name)
    old = meaning.is_old and not (descriptor.name == "layers" and _is_old(buffer))
    if _has_value(buffer, place):  # only its name is typed anew
        return Item(descriptor.name, descriptor.name, Kind.Field, detail, about, old)
    kind = Kind.Struct if descriptor.message_type is not None else Kind.Field
    return Item(descriptor.name, field_snippet(descriptor), kind, detail, about, old, is_snippet=True)


def _has_value(buffer: Buffer, place: Place) -> bool:
    """Whether a value follows the name that is typed."""
    rest = buffer.text[place.offset :].lstrip("_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
    return place.on == "name" and rest.lstrip(" \t")[:1] in (":", "{", "<") and bool(rest)


def layers_here(buffer: Buffer, place: Place) -> Iterator[Item]:
    """A snippet of a layer for each type; its bottom is the last top above."""
    old = _is_old(buffer)
    if _has_value(buffer, place) or any(
        f.value.last("layer") for f in buffer.document.root.all("layers") if hasattr(f.value, "last")
    ):  # the layers of 2013 have no snippets
        return
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
