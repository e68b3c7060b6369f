"""What the text of a net says beyond the messages: unknown types, fields and words, which tools for text keep."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from . import schema
from .foreign_types import today_of
from .messages import keeping, to_message
from .placeholders import Placeholders
from .prototxt import Document
from .scalar_values import converted, is_repeated
from .tree import Block, Field, Scalar

_OLD, _NEW = (m.DESCRIPTOR.fields_by_name for m in (schema.V1LayerParameter, schema.LayerParameter))


def carry(
    document: Document,
    elements: Sequence[Field],
    places: Sequence[int | None],
    layers: Sequence[Any],
    placeholders: Placeholders | None = None,
) -> None:
    """Complete upgraded layers by what the messages of 2014 lack but today's have: types and fields.

    Args:
        document: the file.
        elements: its layers.
        places: the index of each upgraded layer's element, None for an added layer.
        layers: the upgraded LayerParameters, which are changed.
        placeholders: as in `to_message`.
    """
    for place, layer in zip(places, layers, strict=True):
        element = elements[place] if place is not None else None
        if element is None or element.name != "layers" or not isinstance(element.value, Block):
            continue
        stated = unknown_type(element.value)
        if stated is not None:
            layer.type = today_of(stated.text)
        fields = later_fields(element.value)
        if fields:
            to_message(document, layer, block=Block(fields), report=keeping([]), placeholders=placeholders)


def unknown_type(layer: Block) -> Scalar | None:
    """The type of a layer of 2014 that the enum lacks; None if it has it."""
    stated = layer.last("type")
    value = stated.value if stated is not None else None
    known = not isinstance(value, Scalar) or value.quoted or "${" in value.text
    return None if known or converted(_OLD["type"], value) is not None else value  # type: ignore[return-value, arg-type]


def later_fields(layer: Block) -> list[Field]:
    """The fields of a layer of 2014 that only today's layers have."""
    return [field for field in layer.fields if field.name in _NEW and field.name not in _OLD]


def is_read(field: Field, descriptor: Any) -> bool:
    """Whether a field's value got into the message: it is not a word that an enum lacks."""
    value = field.value
    if descriptor.enum_type is None or isinstance(value, Block) or "${" in value.text:
        return True
    return converted(descriptor, value) is not None


def unknown_values(block: Block, descriptor: Any) -> list[tuple[str, str]]:
    """(path, value) of everything in a block that its message lacks, in a form in which layout does not count.

    A path is as in `diff_fields.FieldChange`. A layer of 2014 has the paths of today.

    Example:
        >>> from deeplab_caffe.formats.schema import LayerParameter
        >>> root = Document('name: "f"  foo_param { a: 1  b: "x" }  pooling_param { pool: MAX  ceil_mode: true }').root
        >>> unknown_values(root, LayerParameter.DESCRIPTOR)
        [('foo_param', '{ a: 1 b: "x" }'), ('pooling_param.ceil_mode', 'true')]
    """
    return list(_unknown_values(block, descriptor, ""))


def _unknown_values(block: Block, descriptor: Any, prefix: str) -> Iterator[tuple[str, str]]:
    known = descriptor.fields_by_name
    later = _NEW if descriptor.full_name == schema.V1LayerParameter.DESCRIPTOR.full_name else {}
    counts: dict[str, int] = {}
    for field in block.fields:
        if field.is_template:
            continue
        name = "layer" if field.name == "layers" else field.name
        place = counts[field.name] = counts.get(field.name, -1) + 1
        own = known.get(field.name) or later.get(field.name)
        if own is None or not is_read(field, own):
            if not (later and field.name == "type"):  # its name today is in the message
                yield prefix + field.name, plain_text(field)
        elif place and not is_repeated(own):
            yield prefix + name, plain_text(field)
        elif own.message_type is not None and isinstance(field.value, Block):
            index = f"[{place}]" if is_repeated(own) else ""
            yield from _unknown_values(field.value, own.message_type, f"{prefix}{name}{index}.")


def plain_text(field: Field) -> str:
    """The value of a field on one line, without comments: `{ a: 1 b: "x" }`."""
    value = field.value
    if isinstance(value, Scalar):
        return f'"{value.text}"' if value.quoted else value.text
    parts = [f.name + (" " if isinstance(f.value, Block) else ": ") + plain_text(f) for f in value.fields]
    return " ".join(["{", *parts, "}"])
