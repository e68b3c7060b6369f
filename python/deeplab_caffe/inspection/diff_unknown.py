"""What the texts of two nets say that no message has, compared: fields and words of other Caffes."""

from __future__ import annotations

from collections.abc import Iterator

from ..formats import schema
from ..formats.carried import unknown_values
from ..formats.tree import Block
from .diff_fields import ABSENT, FieldChange


def unknown_in(layer: Block | None) -> list[tuple[str, str]]:
    """What a layer's text says beyond its message; a layer of 2013 has the paths of today."""
    if layer is None:
        return []
    if layer.all("layer"):
        found = unknown_values(layer, schema.V1LayerParameter.DESCRIPTOR)
        return [(path.removeprefix("layer."), value) for path, value in found]
    words = layer.text_of("type")
    old = schema.V1LayerParameter if words is None or _is_enum(layer) else schema.LayerParameter
    return unknown_values(layer, old.DESCRIPTOR)


def _is_enum(layer: Block) -> bool:
    """Whether a layer's type is a word without quotes, as in 2014."""
    stated = layer.last("type")
    return stated is not None and not getattr(stated.value, "quoted", True)


def unknown_outside(net: Block) -> list[tuple[str, str]]:
    """What a net's text says outside of layers beyond its message."""
    rest = Block([field for field in net.fields if field.name not in ("layer", "layers")])
    return unknown_values(rest, schema.NetParameter.DESCRIPTOR)


def unknown_changes(before: list[tuple[str, str]], after: list[tuple[str, str]]) -> Iterator[FieldChange]:
    """The differences in what no message has, by path; several values of one path together."""
    texts: list[dict[str, list[str]]] = [{}, {}]
    for found, side in zip((before, after), texts, strict=True):
        for path, value in found:
            side.setdefault(path, []).append(value)
    for path in dict.fromkeys((*texts[0], *texts[1])):
        old, new = (", ".join(side.get(path, ())) or ABSENT for side in texts)
        if old != new:
            yield FieldChange(path, old, new)
