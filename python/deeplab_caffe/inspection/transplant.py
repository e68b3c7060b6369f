"""Transplants the edits of one net to another: manual edits of a generated net to the same net generated again."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import InputError
from ..formats.edits import Edits
from ..formats.prototxt import Document
from ..formats.tree import Block, Field
from .diff import diff_documents
from .diff_fields import FieldChange

#: fields that state one setting; if one of them is stated now, the others are removed
TOGETHER = (
    ("kernel_size", "kernel_h", "kernel_w"), ("stride", "stride_h", "stride_w"), ("pad", "pad_h", "pad_w"),
    ("axis", "concat_dim", "slice_dim"), ("normalization", "normalize"),
)  # fmt: skip


def transplant(before: Document, after: Document, target: Document, own: Sequence[str] = ()) -> str:
    """The text of `target` with the edits that turn `before` into `after`; layers are matched by name.

    Args:
        before: a net.
        after: the same net, edited.
        target: the net that gets the edits.
        own: names of fields that differ from net to net and are not transplanted.

    Raises:
        InputError: if an edit has no place in the target: a layer or field is missing there, or a layer was renamed or
            moved.

    Example:
        >>> layer = 'layer {{ name: "pool" type: "Pooling" pooling_param {{ kernel_size: {} stride: {} }} }}'
        >>> before, after, target = (Document(layer.format(*sizes)) for sizes in ((2, 1), (3, 1), (2, 8)))
        >>> transplant(before, after, target)
        'layer { name: "pool" type: "Pooling" pooling_param { kernel_size: 3 stride: 8 } }'
    """
    work = _Work(before, after, target, own)
    text = work.changed()
    work.check(text)
    return text


class FieldCarrier:
    """Carries fields of one document over to another, as edits of that."""

    def __init__(self, source: Document, edits: Edits) -> None:
        self.source, self.edits = source, edits

    def field(self, path: str, source: Block, place: Block) -> None:
        """Set a field of a layer to what it is in the layer `source`; `path` as in FieldChange."""
        *outer, last = path.split(".")
        for part in outer:
            inner, present = _child(source, part), _child(place, part)
            if inner is None or present is None:
                self._replace(place, [present] if present else [], [inner] if inner else [])
                return
            source, place = _block(inner), _block(present)
        name, _, index = last.partition("[")
        names = next((group for group in TOGETHER if name in group), (name,))
        old, new = ([f for f in block.fields if f.name in names] for block in (place, source))
        if index:
            i = int(index.rstrip("]"))
            old, new = old[i : i + 1], new[i : i + 1]
        self._replace(place, old, new)

    def value(self, path: str, text: str, place: Block) -> None:
        """Set a field of a layer to a value, as it is to be written."""
        *outer, last = path.split(".")
        for i, part in enumerate(outer):
            present = _child(place, part)
            if present is None:
                self.edits.append(place, " { ".join([*outer[i:], f"{last}: {text}"]) + " }" * (len(outer) - i))
                return
            place = _block(present)
        names = next((group for group in TOGETHER if last in group), (last,))
        self._put(place, [f for f in place.fields if f.name in names], [f"{last}: {text}"])

    def _replace(self, place: Block, old: list[Field], new: list[Field]) -> None:
        self._put(place, old, [self.text(field) for field in new])

    def _put(self, place: Block, old: list[Field], texts: list[str]) -> None:
        if old and texts:
            self.edits.put(old[0], " ".join(texts) if len(texts) > 1 else texts[0])
            self.edits.remove_all(old[1:])
        elif texts:
            self.edits.append(place, "\n".join(texts))
        else:
            self.edits.remove_all(old)

    def text(self, field: Field) -> str:
        """A field of the source as it is written, without its indentation."""
        value = self.source.text[field.value.start : field.value.end]
        if isinstance(field.value, Block):
            lines = Edits(self.source).source(field).splitlines()
            depth = len(Edits(self.source).indent_of(field.start))
            return "\n".join([lines[0], *(line[depth:] for line in lines[1:])])
        return f"{field.name}: {value}"


class _Work:
    def __init__(self, before: Document, after: Document, target: Document, own: Sequence[str]) -> None:
        self.before, self.after, self.target, self.own = before, after, target, own
        self.edits = Edits(target)
        self.carrier = FieldCarrier(after, self.edits)
        self.difference = diff_documents(before, after)

    def changed(self) -> str:
        for change in self.difference.top:
            self._field(change, self.after.root, self.target.root)
        for layer in self.difference.changed:
            source, place = self._layer(self.after, layer.after.name), self._layer(self.target, layer.before.name)
            for change in (*layer.fields, *layer.connections):
                self._field(change, _block(source), _block(place))
        for removed in self.difference.removed:
            self.edits.remove(self._layer(self.target, removed.name))
        for added in self.difference.added:
            self._add(self._layer(self.after, added.name))
        return self.edits.apply()

    def check(self, text: str) -> None:
        """Raise InputError unless the target has the same edits."""
        wanted = self._lines(self.before, self.after)
        got = self._lines(self.target, Document(text, self.target.filename))
        lost = [line for line in wanted if line not in got]
        if lost:
            raise InputError(
                f"{self.after.filename}: these manual edits cannot be transplanted to {self.target.filename}: "
                f"{'; '.join(lost)}"
            )

    def _lines(self, before: Document, after: Document) -> list[str]:
        """The difference in words, without the old values, which may differ in the target."""
        difference = diff_documents(before, after)
        lines = [self._words(change) for change in difference.top]
        for layer in difference.changed:
            lines += [f"{layer.before.name}: {self._words(c)}" for c in (*layer.fields, *layer.connections)]
            lines += [f"{layer.before.name}: renamed to {layer.after.name}"] if layer.renamed else []
            lines += [f"{layer.before.name}: moved"] if layer.moved else []
        lines += [f"{layer.name}: removed" for layer in difference.removed]
        lines += [f"{layer.name}: added" for layer in difference.added]
        return [line for line in lines if line and not line.endswith(": ")]

    def _words(self, change: FieldChange) -> str:
        return "" if self._is_own(change) else f"{change.path} → {change.after}"

    def _is_own(self, change: FieldChange) -> bool:
        return change.path.rpartition(".")[2].partition("[")[0] in self.own

    # -- fields

    def _field(self, change: FieldChange, source: Block, place: Block) -> None:
        if not self._is_own(change):
            self.carrier.field(change.path, source, place)

    # -- layers

    def _add(self, layer: Field) -> None:
        """Insert a new layer behind the layer that it follows in the edited net."""
        layers = self.after.root.all("layer")
        place = next(i for i, other in enumerate(layers) if other is layer)
        text = self.carrier.text(layer)
        known = {_name(other) for other in self.target.root.all("layer")}
        before = next((other for other in reversed(layers[:place]) if _name(other) in known), None)
        if before is None:
            self.edits.insert_before(self.target.root.all("layer")[0], text)
        else:
            self.edits.insert_after(self._layer(self.target, _name(before)), text)

    def _layer(self, document: Document, name: str) -> Field:
        for layer in document.root.all("layer"):
            if _name(layer) == name:
                return layer
        raise InputError(
            f"{self.after.filename}: its manual edits cannot be transplanted to {document.filename}, which has no "
            f"layer '{name}'"
        )


def _name(layer: Field) -> str:
    return (layer.value.text_of("name") or "") if isinstance(layer.value, Block) else ""


def _block(field: Field) -> Block:
    assert isinstance(field.value, Block)
    return field.value


def _child(block: Block, part: str) -> Field | None:
    """The field that one part of a path names, `param[1]` or `convolution_param`."""
    name, _, index = part.rstrip("]").partition("[")
    fields = block.all(name)
    place = int(index) if index else len(fields) - 1
    return fields[place] if 0 <= place < len(fields) else None
