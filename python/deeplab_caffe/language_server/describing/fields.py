"""A field, and a word that it may have, as Markdown."""

from __future__ import annotations

from typing import Any

from ...formats import meanings, schema
from ...formats.foreign_fields import about
from ...formats.foreign_types import FOREIGN_TYPES
from ...formats.layer_facts import LAYER_FACTS
from ...formats.lr_policies import LR_POLICIES
from ...formats.scalar_values import TYPE_NAMES, is_repeated
from ...formats.writer import format_float, quote
from ..text import code

_FLOATS, _BOOL, _STRING = (1, 2), 8, 9


def field_text(descriptor: Any, with_words: bool = True) -> str:
    """A field: its type, default, unit and range, its meaning, and since when it is there.

    Args:
        descriptor: its protobuf field descriptor.
        with_words: whether the words of its enum are listed, if they are few.
    """
    meaning = meanings.of_field(descriptor)
    head = [f"**{descriptor.name}**", code(type_text(descriptor))]
    default = default_text(descriptor, meaning)
    head += [f"default {code(default)}"] * bool(default)
    head += [meaning.unit] * bool(meaning.unit)
    lines = [" · ".join(head), "", meaning.text]
    if with_words and descriptor.enum_type is not None and len(descriptor.enum_type.values) <= 8:
        lines += ["", *(f"- {code(word)}: {text}" for word, text in meanings.words_of(descriptor).items())]
    facts = [f"range {meaning.range}"] * bool(meaning.range)
    facts.append(f"{code(descriptor.containing_type.name)} · since {meaning.since}")
    if meaning.is_old:
        lines += ["", f"**Old**: today {instead_text(meaning)}"]
    return "\n".join([*lines, "", "*" + " · ".join(facts) + "*"])


def instead_text(meaning: meanings.Meaning) -> str:
    """What to write in place of an old field."""
    return meaning.instead if meaning.instead.startswith("nothing") else f"`{meaning.instead}`"


def unknown_field_text(name: str, message: Any) -> str:
    """A field that the schema lacks; "" if nothing is known of it."""
    return about(message.name, name) if message is not None else ""


def type_text(descriptor: Any) -> str:
    """`repeated uint32`, `FillerParameter { }`, `PoolMethod`."""
    if descriptor.message_type is not None:
        name = f"{descriptor.message_type.name} {{ }}"
    else:
        name = descriptor.enum_type.name if descriptor.enum_type is not None else TYPE_NAMES[descriptor.type]
    label = "repeated " if is_repeated(descriptor) else "required " if is_required(descriptor) else ""
    return label + name


def is_required(descriptor: Any) -> bool:
    """Whether a message without the field cannot be read."""
    flag = getattr(descriptor, "is_required", None)  # `label` is gone from protobuf 7
    return bool(flag) if flag is not None else descriptor.label == descriptor.LABEL_REQUIRED


def default_text(descriptor: Any, meaning: meanings.Meaning | None = None) -> str:
    """The schema's default as it is written in a file; "" if it has none, or one that is not allowed to be stated."""
    if not descriptor.has_default_value:
        return ""
    value = descriptor.default_value
    if descriptor.enum_type is not None:
        return str(descriptor.enum_type.values_by_number[value].name)
    if descriptor.type == _STRING:
        return quote(value) if value else ""
    if descriptor.type == _BOOL:
        return "true" if value else "false"
    if meaning is not None and value == 0 and meaning.range.startswith(("≥ 1", "> 0")):
        return ""  # it only stands for "not stated"
    return format_float(value, descriptor.type == 1) if descriptor.type in _FLOATS else str(value)


# -- words


def word_text(descriptor: Any, word: str) -> str:
    """A word that a field has, of an enum or a type (of layers, fillers, solvers …); "" for an unknown word."""
    text = meanings.words_of(descriptor).get(word)
    if text is None:
        return ""
    name = (descriptor.containing_type.name, descriptor.name)
    if name == ("SolverParameter", "lr_policy"):
        text += f"\n\n`{LR_POLICIES[word].formula}`"
    if name[1] == "type" and name[0].endswith("LayerParameter"):
        return layer_type_text(word)
    if descriptor.has_default_value and default_text(descriptor).strip('"') == word:
        text += "\n\n*The default.*"
    return f"**{word}**\n\n{text}"


def layer_type_text(layer_type: str) -> str:
    """A layer type: what it computes, its messages, and which Caffes know it; "" for an unknown type."""
    meaning = type_meaning(layer_type)
    parts = [f"**{layer_type}**", meaning, type_origin(layer_type)] if meaning else []
    return "\n\n".join(filter(None, parts))


def type_meaning(layer_type: str) -> str:
    """What a layer type of any year computes; for one of another Caffe which that is; "" for an unknown type."""
    known = meanings.of_type(layer_type)
    if known:
        return known
    old = schema.V1LayerParameter.DESCRIPTOR.enum_types_by_name["LayerType"].values_by_name.get(layer_type)
    if old is not None:
        return meanings.of_word(old)
    return f"A layer of {FOREIGN_TYPES[layer_type]}, not known here." if layer_type in FOREIGN_TYPES else ""


def type_origin(layer_type: str) -> str:
    """The name today, the fields of parameters, and the Caffes that know a layer type; "" for an unknown type."""
    today = layer_type if layer_type in LAYER_FACTS else meanings.today(layer_type)
    facts = LAYER_FACTS.get(today)
    if facts is None:
        return ""
    parts = [f"today {code(today)}"] * (today != layer_type)
    parts += [", ".join(map(code, facts.params))] * bool(facts.params)
    return f"*{' · '.join([*parts, f'known to {meanings.known_to(today)}'])}*"
