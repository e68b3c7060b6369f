"""What the fields of a block mean, whatever their spelling: two blocks that mean the same have equal meanings.

Order within a block, layout, comments, quotes, the form of a number, a list in brackets, stated defaults, and two
spellings of one setting (`kernel_size`, or `kernel_h` and `kernel_w`) make no difference.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from ctypes import c_float
from typing import Any

from ...formats.scalar_values import TYPE_NAMES, converted, integer_of, is_repeated, number_of
from ...formats.tree import Block, Field, Scalar
from ..diff_fields import SETS, WINDOWS
from ..transplant import TOGETHER

_UNIT_OF = {name: names[0] for names in TOGETHER for name in names}


def unit_of(field: Field) -> str:
    """The setting that a field states: its name, or the first name of those that state one setting together.

    A template variable in place of whole fields is a setting by itself.
    """
    if field.is_template and isinstance(field.value, Scalar):
        return field.value.text
    return _UNIT_OF.get(field.name, field.name)


def units(block: Block) -> dict[str, list[Field]]:
    """The fields of a block by the setting that they state, in the order of the text."""
    found: dict[str, list[Field]] = {}
    for field in block.fields:
        found.setdefault(unit_of(field), []).append(field)
    return found


def inner_kind(kind: Any, name: str) -> Any:
    """The descriptor of the message that a field holds; None if it is not known or holds none."""
    descriptor = kind.fields_by_name.get(name) if kind is not None else None
    return descriptor.message_type if descriptor is not None else None


def meaning(unit: str, fields: Sequence[Field], kind: Any) -> Hashable:
    """The meaning of the fields that state one setting; None for fields that mean the same as none.

    Args:
        unit: as `unit_of` names it.
        fields: all fields of the setting in one block.
        kind: the descriptor of the block's message; None if it is not known.
    """
    window = WINDOWS.get(kind.name if kind is not None else "", {}).get(unit)
    if window is not None and all(isinstance(field.value, Scalar) for field in fields):
        return _window(fields, *window)
    names = {field.name for field in fields}
    values = [_one(field, kind) for field in fields]
    if unit in SETS:
        values.sort(key=repr)
    descriptor = kind.fields_by_name.get(unit) if kind is not None else None
    if descriptor is None or is_repeated(descriptor) or len(values) > 1 or names - {unit}:
        return (frozenset(names), tuple(values)) if values else None
    return values[0] if values and values[0] != _absent(descriptor) else None


def block_meaning(block: Block, kind: Any) -> Hashable:
    """The meaning of all fields of a block."""
    found = {unit: meaning(unit, fields, kind) for unit, fields in units(block).items()}
    return frozenset((unit, value) for unit, value in found.items() if value is not None)


def element_meaning(field: Field, kind: Any) -> Hashable:
    """The meaning of one element of a repeated field of a block."""
    return _one(field, kind)


def _one(field: Field, kind: Any) -> Hashable:
    if isinstance(field.value, Block):
        return block_meaning(field.value, inner_kind(kind, field.name))
    descriptor = kind.fields_by_name.get(field.name) if kind is not None else None
    return _scalar(field.value, descriptor)


def _scalar(value: Scalar, descriptor: Any) -> Hashable:
    if descriptor is not None and descriptor.message_type is None and "${" not in value.text:
        found = converted(descriptor, value)
        if found is not None:
            return c_float(found).value if TYPE_NAMES.get(descriptor.type) == "float" else found
    return ("text" if value.quoted else "word", value.text)


def _absent(descriptor: Any) -> Hashable:
    """What a singular field means where it is not stated."""
    if descriptor.message_type is not None:
        return frozenset()
    if not descriptor.has_default_value:
        return None
    default = descriptor.default_value
    return c_float(default).value if TYPE_NAMES.get(descriptor.type) == "float" else default


def _window(fields: Sequence[Field], names: tuple[str, ...], usual: str) -> Hashable:
    """A window size along all axes, in whichever fields it is stated."""
    both, *sides = names
    stated: dict[str, list[Hashable]] = {}
    for field in fields:
        stated.setdefault(field.name, []).append(_number(getattr(field.value, "text", "")))
    if both in stated and len(stated) > 1:  # not valid
        return tuple(sorted((name, tuple(values)) for name, values in stated.items()))
    values = stated.get(both) or [stated[side][-1] if side in stated else None for side in sides if stated]
    if len(set(values)) == 1:
        values = values[:1]
    return tuple(values) if values and values != [_number(usual)] else None


def _number(text: str) -> Hashable:
    integer = integer_of(text)
    return integer if integer is not None else number_of(text) if number_of(text) is not None else text


def shown(fields: Sequence[Field], text: str) -> str:
    """Fields of one setting as prototxt text on one line, as for messages: `12`, `[3, 1]`, `{ lr_mult: 1 }`.

    Args:
        fields: fields of a document; not empty.
        text: the document's text.
    """
    if len({field.name for field in fields}) > 1:
        return " ".join(f"{field.name}: {_value(field, text)}" for field in fields)
    values = [_value(field, text) for field in fields]
    return values[0] if len(values) == 1 else f"[{', '.join(values)}]"


def _value(field: Field, text: str) -> str:
    if isinstance(field.value, Scalar):
        return " ".join(text[field.value.start : field.value.end].split("\n"))
    inner = [
        _value(child, text) if child.is_template
        else f"{child.name}{':' * isinstance(child.value, Scalar)} {_value(child, text)}"
        for child in field.value.fields
    ]  # fmt: skip
    return f"{{ {' '.join(inner)} }}" if inner else "{}"
