"""The layers of three versions of a net: which correspond, and which blobs a side has renamed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from ...formats.definition import definition_in
from ...formats.edits import Edits
from ...formats.placeholders import Placeholders
from ...formats.prototxt import Document
from ...formats.tree import Block, Field, Scalar
from ...formats.writer import quote
from ..diff_match import Matching

LAYERS = ("layer", "layers")


class NetText:
    """A net with the fields of its layers in the text; no layers if it is a solver.

    Attributes:
        document: the text.
        layers: the fields of its layers, in order.
        params: its layers as messages, upgraded.
        field_of: for each of these the index in `layers`; None if no field of the text defines it alone.
    """

    def __init__(self, document: Document, placeholders: Placeholders, is_net: bool) -> None:
        self.document = document
        self.layers: list[Field] = []
        self.params: Sequence[Any] = []
        self.field_of: list[int | None] = []
        if is_net:
            self._read(placeholders)

    def _read(self, placeholders: Placeholders) -> None:
        fields = self.document.root.fields
        self.layers = [f for f in fields if f.name in LAYERS and isinstance(f.value, Block)]
        places = {self.document.where(layer.start): i for i, layer in enumerate(self.layers)}
        entries = definition_in(self.document, placeholders, keep_unknown=True).entries
        self.params = [entry.param for entry in entries]
        self.field_of = [places.get(entry.origin) for entry in entries]

    def name(self, layer: int) -> str:
        """The name of a layer."""
        return block_of(self.layers[layer]).text_of("name") or "?"


class Counterparts:
    """The layers of a net that correspond to those of an earlier one, as indices of their fields."""

    def __init__(self, before: NetText, after: NetText) -> None:
        self._before, self._after = before, after
        self._matching = Matching(before.params, after.params)

    @cached_property
    def to_after(self) -> dict[int, int]:
        """Layers of the earlier net to those of the later one."""
        found: dict[int, int] = {}
        for i, j in sorted(self._matching.to_after.items()):
            one, other = self._before.field_of[i], self._after.field_of[j]
            if one is not None and other is not None and other not in found.values():
                found.setdefault(one, other)
        return found

    @cached_property
    def moved(self) -> set[int]:
        """Layers of the earlier net that stand elsewhere in the order of the later one."""
        return {place for i in self._matching.moved() if (place := self._before.field_of[i]) is not None}

    def renamed_blobs(self) -> dict[str, str]:
        """The blobs that the later net calls otherwise, wherever a layer that both have makes them."""
        names: dict[str, set[str]] = {}
        before, after = self._matching.before.layers, self._matching.after.layers
        for i, j in self._matching.to_after.items():
            if len(before[i].top) == len(after[j].top):
                for old, new in zip(before[i].top, after[j].top, strict=True):
                    names.setdefault(old, set()).add(new)
        taken = {top for layer in before for top in layer.top}
        still = {top for layer in after for top in layer.top}
        return {
            old: new
            for old, found in names.items()
            if len(found) == 1 and (new := next(iter(found))) != old and new not in taken and old not in still
        }


def with_blobs(document: Document, names: Mapping[str, str]) -> Document:
    """A net with other names of blobs."""
    edits = Edits(document)
    for field in document.root.fields:
        inner = field.value.fields if field.name in LAYERS and isinstance(field.value, Block) else [field]
        for item in inner:
            if item.name in ("bottom", "top", "input") and isinstance(item.value, Scalar) and item.value.text in names:
                edits.set_value(item, quote(names[item.value.text]))
    return Document(edits.apply(), document.filename) if edits else document


def block_of(field: Field) -> Block:
    """The block of a field that has one."""
    assert isinstance(field.value, Block)
    return field.value


def blobs_of(layer: Field, *names: str) -> set[str]:
    """The names of a layer's blobs: its tops, its bottoms, or both."""
    found = (item.value for name in names for item in block_of(layer).all(name))
    return {value.text for value in found if isinstance(value, Scalar)}
