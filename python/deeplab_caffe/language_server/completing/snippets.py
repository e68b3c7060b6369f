"""Text with places to fill in: a field of each kind, and a layer of each type with its usual fields.

A snippet is the protocol's: `${1:64}` is the first place with 64 in it, `${2|MAX,AVE|}` one with a choice, `$1` again
what the first one holds, `$0` where the cursor is at last.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from itertools import count
from pathlib import Path
from typing import Any

from ...formats import meanings, schema
from ...formats.formatting import format_document
from ...formats.prototxt import Document
from ...formats.upgrade_deeplab import TYPES as V1_DEEPLAB_TYPES
from ...formats.upgrade_layers import V1_TYPES
from ...reading import read_toml

_PLACE = re.compile(r"<([^<>]*)>")
#: stands for a place while the layout is made: a letter of its own, as often as its first value has letters
_MARK = re.compile("([\u4e00-\u4eff])\\1*")
_FIRST_MARK = 0x4E00
_STRING, _BOOL = 9, 8
#: so many words are offered as a choice within the snippet
_FEW = 8
#: fields whose block usually has certain fields
_USUAL = {
    "param": "param { lr_mult: ${1:1} decay_mult: ${2:1} }",
    "include": "include { phase: ${1|TRAIN,TEST|} }",
    "exclude": "exclude { phase: ${1|TRAIN,TEST|} }",
    "loss_param": "loss_param { ignore_label: ${1:255} }",
    "shape": "shape { dim: ${1:1} dim: ${2:3} dim: ${3:321} dim: ${4:321} }",
    "bias_filler": 'bias_filler { type: "constant" value: ${1:0} }',
}


def plain(snippet: str) -> str:
    """What a snippet inserts in an editor that has none: the first choice and the given values.

    Example:
        >>> plain('pool: ${1|MAX,AVE|} # ${2:a \\\\$} $1$0')
        'pool: MAX # a $ MAX'
    """
    values: dict[str, str] = {"0": ""}

    def fill(match: re.Match[str]) -> str:
        number, value, choice = match[1] or match[4], match[2], match[3]
        if value is not None:
            values[number] = re.sub(r"\\(.)", r"\1", value)
        elif choice is not None:
            values[number] = choice.split(",")[0]
        return values.get(number, "")

    filled = re.sub(r"(?<!\\)\$(?:\{(\d+)(?::((?:[^\\}]|\\.)*)|\|([^|]*)\|)?\}|(\d+))", fill, snippet)
    return filled.replace("\\$", "$")


def escape(text: str, inside: bool = True) -> str:
    """Text as it stands in a snippet, inside of a place or outside."""
    return re.sub(r"[\\$}]" if inside else r"[\\$]", r"\\\g<0>", text)


def choice(words: Sequence[str], number: int = 1) -> str:
    """A place with a choice."""
    return f"${{{number}|{','.join(words)}|}}"


def field_snippet(descriptor: Any) -> str:
    """A field with a place for its value: `pad: $1`, `pool: ${1|MAX,AVE|}`, `weight_filler { type: "…" }`."""
    name = descriptor.name
    if descriptor.message_type is not None:
        kind = descriptor.message_type.name
        if name in _USUAL and name != "shape" or kind == "BlobShape":
            return _USUAL["shape"].replace("shape", name, 1) if kind == "BlobShape" else _USUAL[name]
        if kind == "FillerParameter":
            return f'{name} {{ type: "{choice(list(meanings.words()["fillers"]))}" }}'
        return f"{name} {{\n  $0\n}}" if kind.endswith("LayerParameter") else f"{name} {{ $0 }}"
    words = list(meanings.words_of(descriptor))
    if 0 < len(words) <= _FEW:
        return f'{name}: "{choice(words)}"' if descriptor.type == _STRING else f"{name}: {choice(words)}"
    if descriptor.type == _BOOL:
        return f"{name}: {choice(['false', 'true'] if descriptor.default_value else ['true', 'false'])}"
    return f'{name}: "$1"' if descriptor.type == _STRING else f"{name}: $1"


# -- layers


def layer_snippet(layer_type: str, name: str, last_top: str, old: bool = False) -> str:
    """A layer of a type with its usual fields, in the layout of the formatter.

    Args:
        layer_type: one of today's types.
        name: the layer's name, to begin with.
        last_top: the bottom, to begin with.
        old: whether it is written as in 2014; "" is returned for a type that was not there then.
    """
    text, places = _layout(layer_type, old, len(name), len(last_top))

    def fill(match: re.Match[str]) -> str:
        number = ord(match[1]) - _FIRST_MARK
        value = {"=name": name, "=last": last_top}.get(places[number], places[number])
        if text.index(match[1]) != match.start():
            return f"${number}"
        return f"${{{number}|{value.replace('|', ',')}|}}" if "|" in value else f"${{{number}:{escape(value)}}}"

    return _MARK.sub(fill, text)


@lru_cache(maxsize=1024)
def _layout(layer_type: str, old: bool, name_length: int, last_length: int) -> tuple[str, dict[int, str]]:
    """The text of a layer with marks, and what each place holds at first."""
    row = _rows().get(layer_type, {})
    word = _word_of_2014(layer_type) if old else f'"{layer_type}"'
    if not word:
        return "", {}
    places: dict[int, str] = {}
    numbers = count(1)

    def place(value: str) -> str:
        number = next(numbers)
        places[number] = value
        length = {"=name": name_length, "=last": last_length}.get(value, len(value.split("|")[0]))
        return chr(_FIRST_MARK + number) * max(length, 1)

    name = place("=name")
    bottoms = [place(bottom or "=last") for bottom in row.get("bottoms", [""])]
    tops = [{"": name, "=": bottoms[0] if bottoms else name}.get(top) or place(top) for top in row.get("tops", [""])]
    fields = _PLACE.sub(lambda match: place(match[1]), f"{_rates(row.get('lr', []), old)} {row.get('fields', '')}")
    if old:
        fields = _of_2014(fields)
    lines = [f'name: "{name}" type: {word}', *(f'bottom: "{b}"' for b in bottoms), *(f'top: "{t}"' for t in tops)]
    text = f"{'layers' if old else 'layer'} {{ {' '.join([*lines, fields])} }}"
    return format_document(Document(text)).rstrip("\n"), places


def _of_2014(fields: str) -> str:
    """The fields that a layer of 2014 may have."""
    known = schema.V1LayerParameter.DESCRIPTOR.fields_by_name
    return " ".join(fields[field.start : field.end] for field in Document(fields).root.fields if field.name in known)


def _rates(lr: Sequence[int], old: bool) -> str:
    decay = [1, 0] if len(lr) == 2 else []
    if old:
        return " ".join([*(f"blobs_lr: <{x}>" for x in lr), *(f"weight_decay: <{x}>" for x in decay)])
    if not decay:
        return " ".join(f"param {{ lr_mult: <{x}> }}" for x in lr)
    return " ".join(f"param {{ lr_mult: <{x}> decay_mult: <{y}> }}" for x, y in zip(lr, decay, strict=True))


def stem_of(layer_type: str) -> str:
    """The begin of the name that a layer of a type usually has."""
    return str(_rows().get(layer_type, {}).get("stem", layer_type.lower()))


def free_name(stem: str, taken: Sequence[str] | set[str]) -> str:
    """`relu3` where relu1 and relu2 are taken; the stem alone for losses and the like, if it is free.

    Data layers of several states share a name.
    """
    if stem == "data" or (stem in ("loss", "accuracy", "prob", "crf") and stem not in taken):
        return stem
    return next(name for name in _numbered(stem) if name not in taken)


def _numbered(stem: str) -> Iterator[str]:
    return (f"{stem}{number}" for number in count(1))


@cache
def _rows() -> dict[str, Any]:
    return read_toml(Path(__file__).with_name("layer_snippets.toml"), "the snippets of layers")


@cache
def _words_of_2014() -> dict[str, str]:
    return {today: old for table in (V1_TYPES, V1_DEEPLAB_TYPES) for old, today in table.items() if today}


def _word_of_2014(layer_type: str) -> str:
    return _words_of_2014().get(layer_type, "")
