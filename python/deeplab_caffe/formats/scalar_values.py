"""The value of a scalar in a prototxt for a field of a message: what is valid, and what was expected."""

from __future__ import annotations

import re
from typing import Any

from .tree import Scalar

INTEGERS = {"int32": (-(2**31), 2**31 - 1), "uint32": (0, 2**32 - 1), "int64": (-(2**63), 2**63 - 1)}
TYPE_NAMES = {1: "double", 2: "float", 3: "int64", 5: "int32", 8: "bool", 9: "string", 12: "bytes", 13: "uint32"}
_BOOLS = {"true": True, "t": True, "True": True, "1": True, "false": False, "f": False, "False": False, "0": False}


def is_repeated(descriptor: Any) -> bool:
    """Whether a field of a message is repeated."""
    # `label` is gone from protobuf 7, `is_repeated` is new in 6.
    flag = getattr(descriptor, "is_repeated", None)
    return bool(flag) if flag is not None else descriptor.label == descriptor.LABEL_REPEATED


def expected(descriptor: Any) -> str:
    if descriptor.enum_type is not None:
        return "one of " + ", ".join(v.name for v in descriptor.enum_type.values)
    return {"string": "a quoted string", "bytes": "a quoted string", "bool": "true or false"}.get(
        TYPE_NAMES[descriptor.type], f"a number ({TYPE_NAMES[descriptor.type]})"
    )


def converted(descriptor: Any, value: Scalar) -> Any:
    """The Python value of a scalar for a field; None if it is not valid for the field."""
    text = value.text
    if descriptor.enum_type is not None:
        return _enum(descriptor, value)
    kind = TYPE_NAMES[descriptor.type]
    try:
        if kind in ("string", "bytes"):
            if value.quoted:
                stored = text.encode("utf-8", "surrogateescape")
                return stored if kind == "bytes" else stored.decode("utf-8")
        elif value.quoted or "_" in text:  # Python's numbers may have underscores
            return None
        elif kind == "bool":
            return _BOOLS.get(text)
        elif kind in INTEGERS:
            number = integer_of(text)
            low, high = INTEGERS[kind]
            return number if number is not None and low <= number <= high else None
        else:
            return number_of(text)
    except ValueError:  # UnicodeEncodeError is one
        pass
    return None


def number_of(text: str) -> float | None:
    try:
        return float(text[:-1] if re.fullmatch(r"[-+.\deE]+[fF]", text) else text)
    except ValueError:
        return None


def integer_of(text: str) -> int | None:
    try:
        return int(text, 8) if re.fullmatch(r"-?0[0-7]+", text) else int(text, 0)
    except ValueError:
        return None


def _enum(descriptor: Any, value: Scalar) -> int | None:
    values = descriptor.enum_type.values_by_name
    if not value.quoted and value.text in values:
        return int(values[value.text].number)
    if not value.quoted and re.fullmatch(r"-?\d+", value.text):
        number = int(value.text)
        if number in descriptor.enum_type.values_by_number:
            return number
    return None
