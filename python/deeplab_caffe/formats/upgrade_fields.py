"""Edit the text of fields so that they mean another message."""

from __future__ import annotations

from typing import Any

from ..errors import InputError
from .carried import is_read
from .edits import Edits
from .scalar_values import is_repeated
from .tree import Block, Field, Scalar
from .upgrade_text_steps import TextUpgrade
from .writer import format_field

#: fields that were renamed
_RENAMED = {
    "hole": "dilation", "hole_h": "dilation", "hole_w": "dilation", "softmaxloss_param": "loss_param",
    "has_label": "label_type", "solver_type": "type", "memory_data_param": "input_param",
}  # fmt: skip
_BOOL = 8
#: why a field is no longer needed
_WHY = {
    "blobs_lr": "in the param above", "weight_decay": "in the param above", "param": "in the param above",
    "blob_share_mode": "in the param above", "strict_dim": "true is the default", "max_labels": "it had no effect",
    "has_label": "it had no effect", "hole_h": "the dilation is the same in both directions",
    "hole_w": "the dilation is the same in both directions",
}  # fmt: skip


class _Gone:
    """A field of the text that the new message lacks, with its value in the old message."""

    def __init__(self, field: Field, descriptor: Any, value: Any) -> None:
        self.field, self.descriptor, self.value = field, descriptor, value


class _Added:
    """A field of the new message that the text lacks."""

    def __init__(self, descriptor: Any, value: Any) -> None:
        self.descriptor, self.value = descriptor, value


class Reconciler:
    """Rewrites the fields of one layer (or of a solver)."""

    def __init__(self, upgrade: TextUpgrade, edits: Edits, layer: str) -> None:
        self.upgrade, self.edits, self.layer = upgrade, edits, layer

    def reconcile(self, block: Block, old: Any, new: Any) -> None:
        """Edit a block that means `old` so that it means `new`; fields that both have stay untouched."""
        gone, added = self._difference(block, old, new)
        texts = " ".join(map(self._text, added))
        for item in gone:
            self._refuse_variable(item.field, item.descriptor, texts)
        for item in list(gone):
            name = _RENAMED.get(item.field.name, item.field.name)
            match = next((a for a in added if a.descriptor.name == name), None)
            if match is not None:
                self._turn(item, match)
                gone.remove(item)
                added.remove(match)
        for item, match in zip(gone, added, strict=False):
            self._put(item, match)
        rest = [item.field for item in gone[len(added) :]]
        for field in rest:
            self.upgrade.log(field.start, self.layer, self.edits.source(field), "", _WHY.get(field.name, ""))
        self.edits.remove_all(rest)
        new_texts = [self._text(match) for match in added[len(gone) :]]
        if new_texts:
            self.upgrade.log(max(block.end - 1, 0), self.layer, "", "\n".join(new_texts))
            self.edits.append(block, "\n".join(new_texts))

    def _difference(self, block: Block, old: Any, new: Any) -> tuple[list[_Gone], list[_Added]]:
        """The fields that only the text has, and those that only `new` has; fields of both are edited in place."""
        gone: list[_Gone] = []
        added: list[_Added] = []
        by_name: dict[str, list[Field]] = {}
        for field in block.fields:
            descriptor = old.DESCRIPTOR.fields_by_name.get(field.name)
            is_again = field.name in by_name and descriptor is not None and not is_repeated(descriptor)
            if descriptor is not None and is_read(field, descriptor) and not is_again:
                by_name.setdefault(field.name, []).append(field)
        for name, fields in by_name.items():
            before, after = old.DESCRIPTOR.fields_by_name[name], new.DESCRIPTOR.fields_by_name.get(name)
            values, news = _values(old, before), _values(new, after) if _alike(before, after) else []
            for field, value, other in zip(fields, values, news, strict=False):
                self._adapt(field, after, value, other)
            gone += [_Gone(f, before, v) for f, v in zip(fields[len(news) :], values[len(news) :], strict=True)]
            added += [_Added(after, value) for value in news[len(fields) :]]
        for after, _ in new.ListFields():
            if after.name not in by_name or not _alike(old.DESCRIPTOR.fields_by_name[after.name], after):
                added += [_Added(after, value) for value in _values(new, after)]
        return sorted(gone, key=lambda item: item.field.start), added

    def _adapt(self, field: Field, descriptor: Any, value: Any, other: Any) -> None:
        """Change the value of a field that both messages have, if it differs."""
        if value == other:
            return
        if isinstance(field.value, Block):
            self.reconcile(field.value, value, other)
            return
        text = self._text(_Added(descriptor, other))
        self._refuse_variable(field, descriptor, text)
        self._log(field, text)
        self.edits.set_value(field, text.partition(": ")[2])

    def _refuse_variable(self, field: Field, descriptor: Any, text: str) -> None:
        """Raise InputError for a variable as a word or as true or false if the new text has lost it.

        Unlike numbers and strings, these have no value that stands for a variable; the message has any one instead.
        """
        written = field.value.text if isinstance(field.value, Scalar) else ""
        if "${" in written and written not in text and (descriptor.enum_type is not None or descriptor.type == _BOOL):
            where = self.upgrade.where(field.start)
            raise InputError(f"{where}: {field.name}: {written}: the upgrade depends on its value; set it to a value")

    def _turn(self, item: _Gone, match: _Added) -> None:
        """Turn a field into one of another name or kind; its content stays as written where the meaning is the same."""
        name = match.descriptor.name
        if isinstance(item.field.value, Block) and match.descriptor.message_type is not None:
            if name == "input_param":  # none of its fields is kept
                self._put(item, match)
                return
            self.upgrade.log(item.field.start, self.layer, f"{item.field.name} {{ … }}", f"{name} {{ … }}")
            self.edits.rename(item.field, name)
            self.reconcile(item.field.value, item.value, match.value)
        elif _alike(item.descriptor, match.descriptor) and item.value == match.value:
            value = self.edits.source(item.field).partition(":")[2].strip()
            self._log(item.field, f"{name}: {value}")
            self.edits.rename(item.field, name)
        else:
            self._put(item, match)

    def _put(self, item: _Gone, match: _Added) -> None:
        text = self._text(match)
        self._log(item.field, text)
        self.edits.put(item.field, text)

    def _text(self, item: _Added) -> str:
        return format_field(item.descriptor, item.value, self.upgrade.placeholders.texts)

    def _log(self, field: Field, new: str) -> None:
        self.upgrade.log(field.start, self.layer, self.edits.source(field), new)


def _values(message: Any, descriptor: Any) -> list[Any]:
    """The values of a field; empty if it is not set."""
    if is_repeated(descriptor):
        return list(getattr(message, descriptor.name))
    return [getattr(message, descriptor.name)] if message.HasField(descriptor.name) else []


def _alike(before: Any, after: Any) -> bool:
    """Whether two fields have values of the same kind."""
    if after is None or (before.message_type is None) != (after.message_type is None):
        return False
    if before.message_type is not None:
        return bool(before.message_type.full_name == after.message_type.full_name)
    if (before.enum_type is None) != (after.enum_type is None):
        return False
    return before.enum_type is not None or (before.type in (9, 12)) == (after.type in (9, 12))
