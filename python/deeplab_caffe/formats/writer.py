"""Write messages as prototxt text, in the layout that people use; the inverse of the parser."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

#: columns up to which a small block stays on one line
LINE_WIDTH = 100
#: fields of a layer that are written first, whatever their numbers
_LAYER_HEAD = ("name", "type", "bottom", "top")
_LAYERS = ("layer", "layers")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
#: texts that need no escapes (nearly all)
_PLAIN = re.compile(r"[ !#-\[\]-~]*")
_FLOAT, _DOUBLE, _BOOL, _STRING, _BYTES = 2, 1, 8, 9, 12


def format_message(message: Any, sections: Mapping[str, str] | None = None) -> str:
    """The prototxt of a message: parsing it gives an equal message.

    Blocks are indented by two spaces. A small block is on one line; a layer only if it has nothing but scalars. Floats
    are the shortest text that reads back as the same float32. At the top level, a blank line precedes every comment
    and every block of several lines.

    Args:
        message: a message of the schema.
        sections: layer name → the comment to write above that layer.

    Example:
        >>> from deeplab_caffe.formats.schema import SolverParameter
        >>> print(format_message(SolverParameter(base_lr=1e-3, lr_policy="poly")), end="")
        base_lr: 0.001
        lr_policy: "poly"
    """
    lines: list[str] = []
    for name, value in _fields(message):
        block = _field(name, value, 0)
        comment = (sections or {}).get(value.name) if name in _LAYERS else None
        if lines and (comment or len(block) > 1):
            lines.append("")
        lines += [f"# {line}".rstrip() for line in comment.splitlines()] if comment else []
        lines += block
    return "".join(f"{line}\n" for line in lines)


def format_field(descriptor: Any, value: Any) -> str:
    """One field with its value (for a repeated field, one element), in the layout of `format_message`."""
    is_message = descriptor.message_type is not None
    return "\n".join(_field(descriptor.name, value if is_message else _scalar(descriptor, value), 0))


def format_float(value: float, double: bool = False) -> str:
    """The shortest text that reads back as the same float32 (or float64): `0.0005`, `1`, `1e-5`."""
    text = repr(float(value)) if double else str(np.float32(value))
    return re.sub(r"e([-+])0*(\d)", r"e\1\2", text.removesuffix(".0")).replace("e+", "e")


def quote(text: str | bytes) -> str:
    """`text` as a quoted prototxt string; control characters, and bytes above 126, are escaped."""
    if isinstance(text, str) and _PLAIN.fullmatch(text):
        return f'"{text}"'
    if isinstance(text, bytes):
        return '"' + "".join(_escape(chr(byte), 127) for byte in text) + '"'
    return '"' + "".join(_escape(character, 0x110000) for character in text) + '"'


def _escape(character: str, limit: int) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    code = ord(character)
    return f"\\{code:03o}" if code < 32 or code == 127 or code >= limit else character


def _fields(message: Any) -> list[tuple[str, Any]]:
    """(name, text of a scalar or a message) for every value that is set, in the order of writing."""
    present = sorted(message.ListFields(), key=lambda item: item[0].index)
    if message.DESCRIPTOR.name in ("LayerParameter", "V1LayerParameter"):
        present.sort(key=lambda item: _LAYER_HEAD.index(item[0].name) if item[0].name in _LAYER_HEAD else 9)
    result = []
    for descriptor, value in present:
        values = [value] if _is_single(value) else value
        is_message = descriptor.message_type is not None
        result += [(descriptor.name, item if is_message else _scalar(descriptor, item)) for item in values]
    return result


def _is_single(value: Any) -> bool:
    return isinstance(value, (str, bytes)) or not hasattr(value, "__len__")


def _scalar(descriptor: Any, value: Any) -> str:
    if descriptor.enum_type is not None:
        return descriptor.enum_type.values_by_number[value].name
    if descriptor.type in (_STRING, _BYTES):
        return quote(value)
    if descriptor.type == _BOOL:
        return "true" if value else "false"
    if descriptor.type in (_FLOAT, _DOUBLE):
        return format_float(value, descriptor.type == _DOUBLE)
    return str(value)


def _field(name: str, value: Any, depth: int) -> list[str]:
    """The lines of one field: a scalar, a block on one line, or a block over several."""
    indent = "  " * depth
    if isinstance(value, str):
        return [f"{indent}{name}: {value}"]
    fields = _fields(value)
    inline = _inline(name, fields)
    if inline is not None and len(indent) + len(inline) <= LINE_WIDTH:
        return [indent + inline]
    inner = [line for field in fields for line in _field(*field, depth + 1)]
    return [f"{indent}{name} {{", *inner, f"{indent}}}"]


def _inline(name: str, fields: list[tuple[str, Any]]) -> str | None:
    """The block as one line if it has only scalars, or (except in a layer) exactly one such block; else None."""
    if not fields:
        return f"{name} {{}}"
    if all(isinstance(value, str) for _, value in fields):
        return f"{name} {{ " + " ".join(f"{key}: {value}" for key, value in fields) + " }"
    if len(fields) > 1 or name in _LAYERS:
        return None
    inner = _inline(fields[0][0], _fields(fields[0][1]))
    return inner and f"{name} {{ {inner} }}"
