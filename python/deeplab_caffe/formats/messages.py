"""From a parsed prototxt to a protobuf message, with every field checked against the schema."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..spelling import did_you_mean, nearest_word
from .prototxt import Document
from .tree import VARIABLE, Block, Field, PrototxtError, Scalar

_INTEGERS = {"int32": (-(2**31), 2**31 - 1), "uint32": (0, 2**32 - 1), "int64": (-(2**63), 2**63 - 1)}
_TYPE_NAMES = {1: "double", 2: "float", 3: "int64", 5: "int32", 8: "bool", 9: "string", 12: "bytes", 13: "uint32"}
_BOOLS = {"true": True, "t": True, "True": True, "1": True, "false": False, "f": False, "False": False, "0": False}
#: (message, field) of older dialects → advice, and the new name if only the name has changed
_FORMER = {
    ("LayerParameter", "softmaxloss_param"): ("it is now called 'loss_param'", "loss_param"),
    ("LayerParameter", "blobs_lr"): ("use 'param { lr_mult: … }'", None),
    ("LayerParameter", "weight_decay"): ("use 'param { decay_mult: … }'", None),
    ("LayerParameter", "blob_share_mode"): ("use 'param { share_mode: … }'", None),
    ("LayerParameter", "layer"): ("only the 'layers' of 2013 have one", None),
}


@dataclass
class Problem:
    """One place in a file that does not match the schema.

    Attributes:
        kind: unknown-field, repeated-field, wrong-value, missing-field or template (a variable without a value).
        error: the whole message, with its place.
        start, end: the offsets of the text that `instead` would replace, if that is not None.
    """

    kind: str
    error: PrototxtError
    start: int = 0
    end: int = 0
    instead: str | None = None


class Placeholders:
    """Numbers that stand for template variables without values in a message, a different one for each text.

    A float32 holds these numbers exactly, and no net is likely to use them, so they can be recognised afterwards.
    """

    def __init__(self) -> None:
        self.texts: dict[int, str] = {}

    def number(self, text: str) -> int:
        """The number for `text`, a value that contains variables; always the same for the same text."""
        for number, known in self.texts.items():
            if known == text:
                return number
        number = 9_900_001 + len(self.texts)
        self.texts[number] = text
        return number

    def restore(self, text: str) -> str:
        """The text of fields with each placeholder replaced by the text that it stands for."""
        return re.sub(r"\b99\d{5}\b", lambda m: self.texts.get(int(m[0]), m[0]), text)


def to_message(
    document: Document,
    message: Any,
    *,
    block: Block | None = None,
    report: Callable[[Problem], None] | None = None,
    placeholders: Placeholders | None = None,
) -> Any:
    """Fill a protobuf message from a document, or from one block of it, and return it.

    Args:
        document: the parsed file.
        message: an empty message of the schema, such as `schema.NetParameter()`.
        block: the block to read instead of the whole file.
        report: called with each Problem instead of raising; the field is then skipped.
        placeholders: accept template variables without values: numbers take their place, and variables in place of
            whole fields are skipped.

    Raises:
        PrototxtError: an unknown field, a value of the wrong kind or out of range, a missing field, or two values of
            a field that is not repeated.

    Example:
        >>> from deeplab_caffe.formats.schema import SolverParameter
        >>> to_message(Document("base_lr: 1e-3  max_iter: 20000"), SolverParameter()).max_iter
        20000
    """
    _Filler(document, report, placeholders).fill(block or document.root, message)
    missing = message.FindInitializationErrors()
    if missing:
        offset = block.start if block else 0
        problem = Problem("missing-field", document.error(offset, f"missing required fields: {', '.join(missing)}"))
        if report is None:
            raise problem.error
        report(problem)
    return message


class _Filler:
    def __init__(
        self, document: Document, report: Callable[[Problem], None] | None, placeholders: Placeholders | None
    ) -> None:
        self.document = document
        self.report = report
        self.placeholders = placeholders

    def fill(self, block: Block, message: Any) -> None:
        known = message.DESCRIPTOR.fields_by_name
        seen: set[str] = set()
        for item in block.fields:
            descriptor = known.get(item.name)
            if descriptor is None:
                self._unknown(item, message.DESCRIPTOR)
                continue
            repeated = is_repeated(descriptor)
            if not repeated and item.name in seen:
                self._fail("repeated-field", item.start, f"'{item.name}' is given twice; only one is allowed")
                continue
            seen.add(item.name)
            if descriptor.message_type is not None:
                self._message(item, message, repeated)
            elif isinstance(item.value, Block):
                complaint = f"'{item.name}': expected {_expected(descriptor)}, got a block {{ … }}"
                self._fail("wrong-value", item.start, complaint)
            else:
                self._scalar(item.value, message, descriptor, repeated)

    def _message(self, item: Field, message: Any, repeated: bool) -> None:
        if isinstance(item.value, Scalar):
            self._fail("wrong-value", item.start, f"'{item.name}': expected a block {{ … }}, got {item.value.text!r}")
            return
        inner = getattr(message, item.name)
        if repeated:
            inner = inner.add()
        else:
            inner.SetInParent()
        self.fill(item.value, inner)

    def _scalar(self, scalar: Scalar, message: Any, descriptor: Any, repeated: bool) -> None:
        value = _convert(descriptor, scalar)
        if value is None and "${" in scalar.text and self.placeholders is not None:
            value = _placeholder(descriptor, scalar.text, self.placeholders)
        if value is None:
            self._misfit(descriptor, scalar)
        elif repeated:
            getattr(message, descriptor.name).append(value)
        else:
            setattr(message, descriptor.name, value)

    # -- what does not match the schema

    def _unknown(self, item: Field, owner: Any) -> None:
        if "${" in item.name or item.is_template:
            if self.placeholders is None:
                text = self.document.text[item.start : item.name_end]
                self._fail("template", item.start, f"the template variable {text} has no value; set it")
            return
        former = _FORMER.get((owner.name, item.name))
        names = [f.name for f in owner.fields]
        hint = f"; {former[0]}" if former else did_you_mean(item.name, names)
        start = item.listed.start if item.listed else item.start
        instead = former[1] if former else nearest_word(item.name, names, cutoff=0.75)
        self._fail(
            "unknown-field", start, f"{owner.name} has no field '{item.name}'{hint}", start, item.name_end, instead
        )

    def _misfit(self, descriptor: Any, scalar: Scalar) -> None:
        text, instead, hint = scalar.text, None, ""
        shown = text.encode("utf-8", "backslashreplace").decode()  # bytes that are not text can still be shown
        shown = f'"{shown}"' if scalar.quoted and descriptor.enum_type is None else shown
        if descriptor.enum_type is not None:
            names = list(descriptor.enum_type.values_by_name)
            hint, instead = did_you_mean(text, names), nearest_word(text, names, cutoff=0.75)
        if unset := VARIABLE.search(text):
            hint = f": a template variable without a value; set {unset[1]}=…"
        complaint = f"'{descriptor.name}': expected {_expected(descriptor)}, got {shown}{hint}"
        limits = _INTEGERS.get(_TYPE_NAMES.get(descriptor.type, ""))
        number = None if scalar.quoted or limits is None else _integer(text)
        if limits and number is not None and not limits[0] <= number <= limits[1]:
            kind = _TYPE_NAMES[descriptor.type]
            complaint = f"'{descriptor.name}' is {text}, out of range for {kind}: {limits[0]} … {limits[1]}"
        kind = "template" if unset else "wrong-value"
        self._fail(kind, scalar.start, complaint, scalar.start, scalar.end, instead)

    def _fail(
        self, kind: str, offset: int, message: str, start: int = 0, end: int = 0, instead: str | None = None
    ) -> None:
        problem = Problem(kind, self.document.error(offset, message), start, end, instead)
        if self.report is None:
            raise problem.error
        self.report(problem)


def is_repeated(descriptor: Any) -> bool:
    """Whether a field of a message is repeated."""
    # `label` is gone from protobuf 7, `is_repeated` is new in 6.
    flag = getattr(descriptor, "is_repeated", None)
    return bool(flag) if flag is not None else descriptor.label == descriptor.LABEL_REPEATED


def _expected(descriptor: Any) -> str:
    if descriptor.enum_type is not None:
        return "one of " + ", ".join(v.name for v in descriptor.enum_type.values)
    return {"string": "a quoted string", "bytes": "a quoted string", "bool": "true or false"}.get(
        _TYPE_NAMES[descriptor.type], f"a number ({_TYPE_NAMES[descriptor.type]})"
    )


def _convert(descriptor: Any, value: Scalar) -> Any:
    """The Python value of a scalar for a field; None if it is not valid for the field."""
    text = value.text
    if descriptor.enum_type is not None:
        return _enum(descriptor, value)
    kind = _TYPE_NAMES[descriptor.type]
    try:
        if kind in ("string", "bytes"):
            if value.quoted:
                stored = text.encode("utf-8", "surrogateescape")
                return stored if kind == "bytes" else stored.decode("utf-8")
        elif value.quoted or "_" in text:  # Python's numbers may have underscores
            return None
        elif kind == "bool":
            return _BOOLS.get(text)
        elif kind in _INTEGERS:
            number = _integer(text)
            low, high = _INTEGERS[kind]
            return number if number is not None and low <= number <= high else None
        else:
            return float(text[:-1] if re.fullmatch(r"[-+.\deE]+[fF]", text) else text)
    except ValueError:  # UnicodeEncodeError is one
        pass
    return None


def _integer(text: str) -> int | None:
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


def _placeholder(descriptor: Any, text: str, placeholders: Placeholders) -> Any:
    """A value of the field's kind in place of a variable's."""
    if descriptor.enum_type is not None:
        return descriptor.enum_type.values[0].number
    kind = _TYPE_NAMES[descriptor.type]
    if kind in ("string", "bytes"):
        return text if kind == "string" else text.encode()
    return True if kind == "bool" else placeholders.number(text)
