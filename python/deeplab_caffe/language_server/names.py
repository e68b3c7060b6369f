"""Every place in a net's text that names a blob, a layer or a shared parameter, and who makes what is read there.

It is read from the tree alone, of any dialect, so it is there for broken text too, and costs milliseconds.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from ..formats import schema
from ..formats.definition import is_included, stages_of_rules
from ..formats.messages import to_message
from ..formats.prototxt import Document
from ..formats.tree import Block, Field, Scalar
from ..formats.wiring import Wiring
from .buffers import Buffer

#: kinds of names; those of each kind are one namespace of a net
BLOB, LAYER, PARAM = "blob", "layer", "shared parameter"
#: the fields of a solver that hold a net
NET_FIELDS = ("net_param", "train_net_param", "test_net_param")
_LAYERS = ("layer", "layers")


class Occurrence(NamedTuple):
    """One place where a name stands.

    role: the field: bottom, top or input of a blob; name of a layer; param of a shared parameter. layer: the index of
    the layer in `NetNames.layers`; slot: which of its bottoms, tops or params this is.
    """

    kind: str
    role: str
    name: str
    value: Scalar
    layer: int
    slot: int

    @property
    def writes(self) -> bool:
        """Whether a blob is made here."""
        return self.role in ("top", "input")


class NamedLayer:
    """One layer: its field in the text (None for the inputs that the net states outside of layers), and its names."""

    def __init__(self, document: Document, index: int, field: Field | None) -> None:
        self.index, self.field = index, field
        self._document = document
        self.bottoms: list[Occurrence] = []
        self.tops: list[Occurrence] = []
        self.params: list[Occurrence] = []
        self.label: Occurrence | None = None
        self.type_value: Scalar | None = None
        self._rules: dict[str, list[Block]] = {"include": [], "exclude": []}
        if field is not None and isinstance(field.value, Block):
            self._read(field.value)

    def _read(self, block: Block) -> None:
        for item in block.fields:
            value = item.value
            if isinstance(value, Block):
                if item.name in self._rules:
                    self._rules[item.name].append(value)
                elif item.name == "layer":  # of 2013: the name and the type are in a message of their own
                    self._read(value)
                elif item.name == "param" and (name := value.last("name")) and isinstance(name.value, Scalar):
                    self.params.append(self._at(PARAM, "param", name.value, len(self.params)))
            elif item.name == "bottom":
                self.bottoms.append(self._at(BLOB, "bottom", value, len(self.bottoms)))
            elif item.name == "top":
                self.tops.append(self._at(BLOB, "top", value, len(self.tops)))
            elif item.name == "name":
                self.label = self._at(LAYER, "name", value, 0)
            elif item.name == "type":
                self.type_value = value
            elif item.name == "param":
                self.params.append(self._at(PARAM, "param", value, len(self.params)))

    def _at(self, kind: str, role: str, value: Scalar, slot: int) -> Occurrence:
        return Occurrence(kind, role, value.text, value, self.index, slot)

    @property
    def name(self) -> str:
        """As written; "" if it is missing."""
        return self.label.name if self.label else ""

    @property
    def type(self) -> str:
        """As written: a word of 2014, or today's name; "" if it is missing."""
        return self.type_value.text if self.type_value else ""

    @property
    def occurrences(self) -> Iterator[Occurrence]:
        """All its names but empty ones."""
        label = [self.label] if self.label else []
        return (item for item in (*label, *self.bottoms, *self.tops, *self.params) if item.name)

    # -- as `Wiring` and `is_included` read a layer

    @property
    def bottom(self) -> list[str]:
        """The names of its bottoms."""
        return [item.name for item in self.bottoms]

    @property
    def top(self) -> list[str]:
        """The names of its tops."""
        return [item.name for item in self.tops]

    @cached_property
    def include(self) -> list[Any]:
        """Its include rules, as far as they can be read."""
        return self._rule_messages("include")

    @cached_property
    def exclude(self) -> list[Any]:
        """Its exclude rules, as far as they can be read."""
        return self._rule_messages("exclude")

    def _rule_messages(self, name: str) -> list[Any]:
        blocks = self._rules[name]
        return [to_message(self._document, schema.NetStateRule(), block=b, report=lambda _: None) for b in blocks]


class NetNames:
    """The names of the net in a document, or in one block of it.

    Attributes:
        layers: in the order of the text; the inputs that a net states outside of layers are a first one without field.
        occurrences: all of them, in the order of the text.

    Example:
        >>> text = 'layer { name: "a" top: "x" } layer { name: "b" bottom: "x" top: "x" } layer { bottom: "x" }'
        >>> names = NetNames(Document(text))
        >>> reads = names.layers[2].bottoms[0]
        >>> [names.layers[maker.layer].name for maker in names.makers(reads)]
        ['b']
    """

    def __init__(self, document: Document, block: Block | None = None) -> None:
        self.block = block or document.root
        inputs = [f.value for f in self.block.fields if f.name == "input" and isinstance(f.value, Scalar)]
        fields = [f for f in self.block.fields if f.name in _LAYERS and isinstance(f.value, Block)]
        self.layers = [NamedLayer(document, i, f) for i, f in enumerate([None, *fields] if inputs else fields)]
        for i, value in enumerate(inputs):
            self.layers[0].tops.append(Occurrence(BLOB, "input", value.text, value, 0, i))
        found = [item for layer in self.layers for item in layer.occurrences]
        self.occurrences = sorted(found, key=lambda item: item.value.start)

    def at(self, offset: int) -> Occurrence | None:
        """What is named at an offset (or right before it); None if nothing is."""
        place = bisect_right(self.occurrences, offset, key=lambda item: item.value.start) - 1
        found = self.occurrences[place] if place >= 0 else None
        return found if found is not None and offset <= found.value.end else None

    def layer_at(self, offset: int) -> NamedLayer | None:
        """The layer around an offset."""
        layers = self.layers[1:] if self.layers and self.layers[0].field is None else self.layers
        place = bisect_right(layers, offset, key=_start) - 1
        found = layers[place] if place >= 0 else None
        return found if found is not None and found.field is not None and offset <= found.field.end else None

    @cached_property
    def _named(self) -> dict[tuple[str, str], list[Occurrence]]:
        found: dict[tuple[str, str], list[Occurrence]] = {}
        for item in self.occurrences:
            found.setdefault((item.kind, item.name), []).append(item)
        return found

    def named(self, kind: str, name: str) -> list[Occurrence]:
        """All places of a name, in the order of the text: in all states, and through layers that work in place."""
        return self._named.get((kind, name), [])

    # -- who makes what

    def makers(self, item: Occurrence) -> list[Occurrence]:
        """Where that comes from which is named: for a bottom the tops that it may be, in any state.

        For a shared parameter, its first owners; anything else comes from where it stands. Empty if no layer makes it.
        """
        if item.role == "bottom":
            return self._wires.makers.get((item.layer, item.slot), [])
        if item.kind == PARAM:
            return self._owners(item)
        return [item]

    def readers(self, item: Occurrence) -> list[Occurrence]:
        """The bottoms that read a top, before a layer writes over it, in any state."""
        return self._wires.readers.get((item.layer, item.slot), [])

    def _owners(self, item: Occurrence) -> list[Occurrence]:
        all_of_name = self.named(PARAM, item.name)
        found = []
        for included in self._states:
            here = [other for other in all_of_name if other.layer in included]
            if item in here and here[0] not in found:
                found.append(here[0])
        return found or all_of_name[:1]

    @cached_property
    def _states(self) -> list[set[int]]:
        """For each state that the rules tell apart, the indices of the layers in it."""
        found = []
        for phase in (schema.TRAIN, schema.TEST):
            for stages in stages_of_rules(self.layers):
                state = schema.NetState(phase=phase, stage=stages)
                included = {layer.index for layer in self.layers if is_included(layer, state)}
                if included not in found:
                    found.append(included)
        return found

    @cached_property
    def _wires(self) -> _Wires:
        wires = _Wires()
        seen: set[int] = set()
        for included in self._states:
            wires.connect([layer for layer in self.layers if layer.index in included], one_state=True)
            seen |= included
        if len(seen) < len(self.layers):  # layers of levels that no state here has
            wires.connect(self.layers, one_state=False, beside=seen)
        return wires


class _Wires:
    """By (layer, slot): the tops that a bottom may be, and the bottoms that read a top."""

    def __init__(self) -> None:
        self.makers: dict[tuple[int, int], list[Occurrence]] = {}
        self.readers: dict[tuple[int, int], list[Occurrence]] = {}

    def connect(self, layers: Sequence[NamedLayer], one_state: bool, beside: Collection[int] = ()) -> None:
        """Add the connections of layers, except those to the bottoms of layers in `beside`."""
        for layer, bottoms in zip(layers, Wiring(layers, one_state).makers, strict=True):
            if layer.index in beside:
                continue
            for bottom, found in zip(layer.bottoms, bottoms, strict=True):
                for i, j in found:
                    top = layers[i].tops[j]
                    _add(self.makers, bottom, top)
                    _add(self.readers, top, bottom)


def _add(to: dict[tuple[int, int], list[Occurrence]], at: Occurrence, item: Occurrence) -> None:
    found = to.setdefault((at.layer, at.slot), [])
    if item not in found:
        found.append(item)


def _start(layer: NamedLayer) -> int:
    return layer.field.start if layer.field else -1


# -- the nets of a file


def nets_of(buffer: Buffer) -> list[NetNames]:
    """The names of each net in a file: of its own, or of those that a solver holds. They are read once."""
    return buffer.once("names", lambda: [NetNames(buffer.document, block) for block in _net_blocks(buffer)])


def _net_blocks(buffer: Buffer) -> Iterator[Block]:
    root = buffer.document.root
    if buffer.kind == "net":
        yield root
        return
    for field in root.fields:
        if field.name in NET_FIELDS and isinstance(field.value, Block):
            yield field.value


def named_at(buffer: Buffer, offset: int) -> tuple[NetNames, Occurrence] | None:
    """The net around an offset and what is named there; None if nothing is."""
    for net in nets_of(buffer):
        found = net.at(offset)
        if found is not None:
            return net, found
    return None


def everywhere(files: Iterable[Buffer], kind: str, name: str) -> Iterator[tuple[Buffer, Occurrence]]:
    """All places of a name in some files."""
    for file in files:
        for net in nets_of(file):
            for occurrence in net.named(kind, name):
                yield file, occurrence
