"""Write messages as prototxt text, in the layout that people use; the inverse of the parser."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from ctypes import c_double, c_float
from typing import Any

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
    for name, value in _fields(message, {}):
        block = _field(name, value, 0, {})
        comment = (sections or {}).get(value.name) if name in _LAYERS else None
        if lines and (comment or len(block) > 1):
            lines.append("")
        lines += [f"# {line}".rstrip() for line in comment.splitlines()] if comment else []
        lines += block
    return "".join(f"{line}\n" for line in lines)


def format_field(descriptor: Any, value: Any, texts: Mapping[int, str] | None = None) -> str:
    """One field with its value (for a repeated field, one element), in the layout of `format_message`.

    Args:
        descriptor: the field.
        value: its value.
        texts: numbers in the message → the text to write instead; see `placeholders.Placeholders`.
    """
    texts = texts or {}
    is_message = descriptor.message_type is not None
    return "\n".join(_field(descriptor.name, value if is_message else _scalar(descriptor, value, texts), 0, texts))


def format_float(value: float, double: bool = False) -> str:
    """The shortest text that reads back as the same float32 (or float64): `0.0005`, `1`, `1e-5`.

    Exponents are used below 1e-4 (where the float32 nearest to 0.0001 lies) and from 1e16. No library's printing is
    used: it changes between versions.

    Example:
        >>> format_float(0.1), format_float(9900001), format_float(1e-5), format_float(-math.inf)
        ('0.1', '9900001', '1e-5', '-inf')
    """
    cast = c_double if double else c_float
    value = cast(value).value
    if not math.isfinite(value) or value == 0:
        return f"{value:g}"
    sign, (digits, exponent) = "-" if value < 0 else "", _shortest(abs(value), cast)
    if not 1e-4 <= abs(value) < 1e16:
        return f"{sign}{digits[0]}{'.' * (len(digits) > 1)}{digits[1:]}e{exponent}"
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    whole, part = digits[: exponent + 1].ljust(exponent + 1, "0"), digits[exponent + 1 :]
    return f"{sign}{whole}{'.' * bool(part)}{part}"


def _shortest(value: float, cast: type[c_float] | type[c_double]) -> tuple[str, int]:
    """The fewest decimal digits that read back as a positive value, and the exponent of the first one."""
    for count in range(17):
        mantissa, _, exponent = f"{value:.{count}e}".partition("e")
        nearest = int(mantissa.replace(".", ""))
        # above a power of two, floats are twice as far apart as below: the next decimal may do where the nearest fails
        for digits in map(str, (nearest, nearest + 1) if math.frexp(value)[0] == 0.5 else (nearest,)):
            if cast(float(f"{digits}e{int(exponent) - count}")).value == value:
                return digits.rstrip("0"), int(exponent) + len(digits) - count - 1
    raise AssertionError(f"{value!r} has no decimal form")


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


def _fields(message: Any, texts: Mapping[int, str]) -> list[tuple[str, Any]]:
    """(name, text of a scalar or a message) for every value that is set, in the order of writing."""
    present = sorted(message.ListFields(), key=lambda item: item[0].index)
    if message.DESCRIPTOR.name in ("LayerParameter", "V1LayerParameter"):
        present.sort(key=lambda item: _LAYER_HEAD.index(item[0].name) if item[0].name in _LAYER_HEAD else 9)
    result = []
    for descriptor, value in present:
        values = [value] if _is_single(value) else value
        is_message = descriptor.message_type is not None
        result += [(descriptor.name, item if is_message else _scalar(descriptor, item, texts)) for item in values]
    return result


def _is_single(value: Any) -> bool:
    return isinstance(value, (str, bytes)) or not hasattr(value, "__len__")


def _scalar(descriptor: Any, value: Any, texts: Mapping[int, str]) -> str:
    if descriptor.enum_type is not None:
        return descriptor.enum_type.values_by_number[value].name
    if descriptor.type in (_STRING, _BYTES):
        return quote(value)
    if descriptor.type == _BOOL:
        return "true" if value else "false"
    if value in texts:
        return texts[value]
    if descriptor.type in (_FLOAT, _DOUBLE):
        return format_float(value, descriptor.type == _DOUBLE)
    return str(value)


def _field(name: str, value: Any, depth: int, texts: Mapping[int, str]) -> list[str]:
    """The lines of one field: a scalar, a block on one line, or a block over several."""
    indent = "  " * depth
    if isinstance(value, str):
        return [f"{indent}{name}: {value}"]
    fields = _fields(value, texts)
    inline = _inline(name, fields, texts)
    if inline is not None and len(indent) + len(inline) <= LINE_WIDTH:
        return [indent + inline]
    inner = [line for field in fields for line in _field(*field, depth + 1, texts)]
    return [f"{indent}{name} {{", *inner, f"{indent}}}"]


def _inline(name: str, fields: list[tuple[str, Any]], texts: Mapping[int, str]) -> str | None:
    """The block as one line if it has only scalars, or (except in a layer) exactly one such block; else None."""
    if not fields:
        return f"{name} {{}}"
    if all(isinstance(value, str) for _, value in fields):
        return f"{name} {{ " + " ".join(f"{key}: {value}" for key, value in fields) + " }"
    if len(fields) > 1 or name in _LAYERS:
        return None
    inner = _inline(fields[0][0], _fields(fields[0][1], texts), texts)
    return inner and f"{name} {{ {inner} }}"
