"""Messages compared by meaning: an absent field equals its default, and two spellings of one setting are equal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from ..formats.scalar_values import is_repeated
from ..formats.writer import format_field

#: shown for a field that is not stated
ABSENT = "(not stated)"


@dataclass(frozen=True)
class FieldChange:
    """A field whose value differs.

    path: the field names that lead to it, with indices: `param[1].lr_mult`; before, after: its values as prototxt text,
    a default with `(default)`, or ABSENT; where_before, where_after: `file:line:column`.
    """

    path: str
    before: str
    after: str
    where_before: str = ""
    where_after: str = ""

    @property
    def short(self) -> str:
        """`dilation 12 → 6`, `param[1].lr_mult 2 → 1`: the path without the layer's own message."""
        first, _, rest = self.path.partition(".")
        return f"{rest if rest and first.endswith('_param') else self.path} {self.before} → {self.after}"


def changes(
    before: Any, after: Any, skip: Sequence[str] = (), texts: Mapping[int, str] | None = None
) -> Iterator[FieldChange]:
    """The fields whose meaning differs between two messages of one type, without places.

    Args:
        before, after: the messages.
        skip: fields to ignore.
        texts: numbers that stand for template variables → the variables; see `placeholders.Placeholders`.
    """
    yield from _Changes(texts or {}).of(before, after, "", skip)


class _Changes:
    def __init__(self, texts: Mapping[int, str]) -> None:
        self._texts = texts

    def of(self, before: Any, after: Any, prefix: str, skip: Sequence[str] = ()) -> Iterator[FieldChange]:
        windows = WINDOWS.get(before.DESCRIPTOR.name, {})
        said_otherwise = {name for names, _ in windows.values() for name in names}
        for name, (names, usual) in windows.items():
            old, new = (self._window(message, names, usual) for message in (before, after))
            if old != new:
                yield FieldChange(prefix + name, old, new)
        stated = {d.name: d for message in (before, after) for d, _ in message.ListFields()}
        for descriptor in sorted(stated.values(), key=lambda d: d.index):
            if descriptor.name not in said_otherwise and descriptor.name not in skip:
                yield from self._field_changes(descriptor, before, after, prefix + descriptor.name)

    def _field_changes(self, descriptor: Any, before: Any, after: Any, path: str) -> Iterator[FieldChange]:
        old, new = getattr(before, descriptor.name), getattr(after, descriptor.name)
        if is_repeated(descriptor):
            if descriptor.message_type is None:
                values = [self._listed(descriptor, values) for values in (old, new)]
                if values[0] != values[1]:
                    yield FieldChange(path, *values)
            elif descriptor.name in SETS:
                texts = [" ".join(sorted(self._block_text(descriptor, m) for m in ms)) or ABSENT for ms in (old, new)]
                if texts[0] != texts[1]:
                    yield FieldChange(path, *texts)
            else:
                usual = descriptor.message_type._concrete_class()
                for i, (one, other) in enumerate(zip_longest(old, new, fillvalue=usual)):
                    yield from self.of(one, other, f"{path}[{i}].")
        elif descriptor.message_type is not None:
            yield from self.of(old, new, f"{path}.")
        else:
            texts = [self._value(descriptor, message) for message in (before, after)]
            same = old == new and (descriptor.has_default_value or ABSENT not in texts)
            if not same:
                yield FieldChange(path, *texts)

    def _value(self, descriptor: Any, message: Any) -> str:
        if message.HasField(descriptor.name):
            return self._text(descriptor, getattr(message, descriptor.name))
        return (
            f"{self._text(descriptor, descriptor.default_value)} (default)" if descriptor.has_default_value else ABSENT
        )

    def _listed(self, descriptor: Any, values: Sequence[Any]) -> str:
        texts = [self._text(descriptor, value) for value in values]
        return f"[{', '.join(texts)}]" if len(texts) > 1 else texts[0] if texts else ABSENT

    def _text(self, descriptor: Any, value: Any) -> str:
        return format_field(descriptor, value, self._texts).partition(": ")[2]

    def _block_text(self, descriptor: Any, message: Any) -> str:
        return format_field(descriptor, message, self._texts).partition(" ")[2]

    def _window(self, message: Any, names: Sequence[str], usual: str) -> str:
        """A window size along all axes, in whichever fields it is stated: `3`, or `[3, 1]` for height and width."""
        both, *sides = names
        if any(message.HasField(side) for side in sides):
            values = [getattr(message, side) for side in sides]
        else:
            value = getattr(message, both)
            values = list(value) if hasattr(value, "__len__") else [value] if message.HasField(both) else []
        if len(set(values)) > 1:
            return f"[{', '.join(self._texts.get(v, str(v)) for v in values)}]"
        return self._texts.get(values[0], str(values[0])) if values else usual


_Windows = dict[str, tuple[tuple[str, ...], str]]
_SIZES: _Windows = {
    "kernel_size": (("kernel_size", "kernel_h", "kernel_w"), ABSENT),
    "stride": (("stride", "stride_h", "stride_w"), "1"),
    "pad": (("pad", "pad_h", "pad_w"), "0"),
}
#: messages whose window sizes may be stated in two ways: name → the fields, and the default
WINDOWS: dict[str, _Windows] = {
    "ConvolutionParameter": {**_SIZES, "dilation": (("dilation",), "1")},
    "PoolingParameter": _SIZES,
}
#: repeated messages whose order has no meaning
SETS = {"include", "exclude"}
