"""Text upgrades of V0 nets to V1, and of V1 data layers to transform_param (introduced at the end of 2013)."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import InputError
from .edits import Edits
from .tree import Block, Field, Scalar
from .upgrade_layers import MOVED, V0_FIELDS, V0_LAYER_LEVEL, V0_TYPES, V1_DATA
from .upgrade_text_steps import TextUpgrade


def flatten(upgrade: TextUpgrade, edits: Edits) -> None:
    """Unwrap V0's layers, group their flat fields into messages, and remove padding layers."""
    for net in upgrade.nets():
        connections = [f for f in net.all("layers") if isinstance(f.value, Block) and f.value.last("layer")]
        paddings = _Paddings(upgrade, edits)
        for connection in connections:
            assert isinstance(connection.value, Block)
            inner = connection.value.last("layer")
            assert inner is not None and isinstance(inner.value, Block)
            if inner.value.text_of("type") == "padding":
                paddings.take_out(connection.value, connection, inner.value)
            else:
                _Connection(upgrade, edits, connection.value, inner, inner.value).flatten(paddings)
                paddings.forget(connection.value)


class _Paddings:
    """The padding layers so far: top → the pad and the bottom as written."""

    def __init__(self, upgrade: TextUpgrade, edits: Edits) -> None:
        self.upgrade, self.edits = upgrade, edits
        self.pads: dict[str, tuple[str, str]] = {}

    def take_out(self, outer: Block, element: Field, inner: Block) -> None:
        pad, bottom, top = inner.last("pad"), outer.last("bottom"), outer.text_of("top")
        if top is not None and bottom is not None:
            written = self._written(pad) if pad else "0"
            self.pads[top] = written, self._written(bottom)
        name = inner.text_of("name") or ""
        self.upgrade.log(element.start, name, self.edits.source(element), "", "its pad moves to the layer behind it")
        self.edits.remove(element)

    def forget(self, outer: Block) -> None:
        """Forget padding layers whose top another layer overwrites."""
        for top in outer.all("top"):
            self.pads.pop(getattr(top.value, "text", ""), None)

    def _written(self, field: Field) -> str:
        return self.edits.bare(field.value.start, field.value.end)

    def before(self, outer: Block) -> tuple[str, Field] | None:
        """The pad that a layer takes over, and its bottom field, changed to the bottom of the padding layer."""
        for bottom in outer.all("bottom"):
            if isinstance(bottom.value, Scalar) and bottom.value.text in self.pads:
                pad, source = self.pads[bottom.value.text]
                self.upgrade.log(bottom.start, "", self.edits.source(bottom), f"bottom: {source}")
                self.edits.set_value(bottom, source)
                return pad, bottom
        return None


class _Connection:
    """One connection around a layer."""

    def __init__(self, upgrade: TextUpgrade, edits: Edits, outer: Block, field: Field, inner: Block) -> None:
        self.upgrade, self.edits, self.outer, self.field, self.inner = upgrade, edits, outer, field, inner
        self.name = inner.text_of("name") or ""
        self.kind = inner.text_of("type") or ""
        if "${" in self.kind:
            place = upgrade.where(field.within("type").start)
            raise InputError(f"{place}: type: {self.kind}: the upgrade depends on the layer's type; set it to a value")

    def flatten(self, paddings: _Paddings) -> None:
        groups = self._groups()
        padded = paddings.before(self.outer)
        if padded:
            message = V0_FIELDS["pad"][1][self.kind]
            groups.setdefault(message, [])
        self._unwrap(groups)
        for message, fields in groups.items():
            self._gather(message, fields, padded[0] if padded and message == V0_FIELDS["pad"][1][self.kind] else None)
        kind = self.inner.last("type")
        if kind is not None:
            self.edits.set_value(kind, V0_TYPES[self.kind])
            self.upgrade.log(kind.start, self.name, self.edits.source(kind), f"type: {V0_TYPES[self.kind]}")

    def _groups(self) -> dict[str, list[Field]]:
        """The fields by the message that they move to; fields that the type does not have are removed."""
        groups: dict[str, list[Field]] = {}
        for field in self.inner.fields:
            if field.name in V0_LAYER_LEVEL and (field.name != "hdf5_output_param" or self.kind == "hdf5_output"):
                continue
            messages = V0_FIELDS.get(field.name, ("", {}))[1]
            message = messages.get(self.kind) or messages.get("")
            if message:
                groups.setdefault(message, []).append(field)
            elif not field.is_template:
                source = self.edits.source(field)
                self.upgrade.log(field.start, self.name, source, "", "this type has no such field; it had no effect")
                self.edits.remove(field)
        return groups

    # -- the layout

    def _unwrap(self, groups: dict[str, list[Field]]) -> None:
        """Remove `layer {` and its closing brace, and unindent the lines within."""
        self.edits.cut(self.field.start, self.inner.start + 1)
        self.edits.cut(self.inner.end - 1, self.inner.end)
        outer = len(self.edits.indent_of(self.field.start))
        inside = [f for f in self.inner.fields if self.edits.begins_line(f)]
        if not inside:
            return
        depth = len(self.edits.indent_of(inside[0].start))
        grouped = {line for fields in groups.values() for line in self._lines_of(self._first_run(fields))}
        for line, indent in self.edits.lines_between(self.inner.start + 1, self.inner.end - 1):
            less = min(depth - outer - (2 if line in grouped else 0), indent)
            if less > 0:
                self.edits.replace(line, line + less, "")

    def _lines_of(self, fields: list[Field]) -> Iterator[int]:
        if fields:
            yield from (line for line, _ in self.edits.lines_between(fields[0].start, fields[-1].end))

    def _first_run(self, fields: list[Field]) -> list[Field]:
        """The first fields of a group that are adjacent in the text."""
        order = [id(f) for f in self.inner.fields]
        run = fields[:1]
        for field in fields[1:]:
            if order.index(id(field)) != order.index(id(run[-1])) + 1:
                break
            run.append(field)
        return run

    def _gather(self, message: str, fields: list[Field], pad: str | None) -> None:
        """Put braces around the first fields of a group, and move the others behind them."""
        run = self._first_run(fields)
        own_pad = next((f for f in fields if f.name == "pad"), None)
        if pad is not None and own_pad is not None:
            self.edits.set_value(own_pad, pad)
            pad = None
        extra = [f"{self._renamed(f)}{self._value(f)}" for f in fields[len(run) :]]
        extra += [f"pad: {pad}"] if pad is not None else []
        for field in fields:
            new = f"{message} {{ {self._renamed(field)}{self._value(field)} }}"
            self.upgrade.log(field.start, self.name, self.edits.source(field), new)
        for field in fields[len(run) :]:
            self.edits.remove(field)
        if not run:
            self.edits.insert_before(self.field, f"{message} {{ {' '.join(extra)} }}")
            return
        for field in run:
            self.edits.rename(field, self._renamed(field))
        self.edits.surround(run[0], run[-1], message, extra, self.edits.indent_of(self.field.start))

    @staticmethod
    def _renamed(field: Field) -> str:
        return V0_FIELDS[field.name][0]

    def _value(self, field: Field) -> str:
        return self.edits.bare(field.name_end, field.end)


def move_transformations(upgrade: TextUpgrade, edits: Edits) -> None:
    """Move scale, mean file, crop size and mirror of V1's data layers into their transform_param."""
    for net in upgrade.nets():
        for layer in net.all("layers"):
            assert isinstance(layer.value, Block)
            data = layer.value.last(V1_DATA.get(layer.value.text_of("type") or "", ""))
            if data is not None and isinstance(data.value, Block):
                moved = [f for f in data.value.fields if f.name in MOVED]
                if moved:
                    _move(upgrade, edits, layer.value, data, moved)


def _move(upgrade: TextUpgrade, edits: Edits, layer: Block, data: Field, moved: list[Field]) -> None:
    name = layer.text_of("name") or ""
    for field in moved:
        upgrade.log(field.start, name, edits.source(field), f"transform_param {{ {edits.source(field)} }}")
    target = layer.last("transform_param")
    if target is None or not isinstance(target.value, Block):
        own_line = edits.begins_line(moved[0])
        lines = [edits.bare(field.start, field.end) for field in moved]
        text = "\n".join(["transform_param {", *(f"  {line}" for line in lines), "}"])
        edits.insert_before(data, text if own_line else f"transform_param {{ {' '.join(lines)} }}")
    else:
        for field in moved:
            present = target.value.last(field.name)
            if present is not None:
                edits.set_value(present, edits.bare(field.value.start, field.value.end))
            else:
                edits.append(target.value, edits.bare(field.start, field.end))
    edits.remove_all(moved)
