"""Numbers that stand for template variables without values while a file is a message."""

from __future__ import annotations

from ctypes import c_float
from typing import Any

from .prototxt import Document
from .scalar_values import TYPE_NAMES, integer_of, number_of
from .tree import Scalar, walk


class Placeholders:
    """Numbers that stand for template variables without values in a message, a different one for each text.

    A float32 holds these numbers exactly, and the file has none of them as a value. So wherever an upgrade moves such
    a number, the writer, which gets `texts`, writes the variable there instead; see `writer.format_field`.

    Args:
        documents: files whose numbers are not used, besides the file that is read.

    Attributes:
        texts: number → the text that it stands for.
    """

    def __init__(self, *documents: Document) -> None:
        self.texts: dict[int, str] = {}
        self._documents = documents

    def number(self, text: str, document: Document) -> int:
        """The number for `text`, a value of the document that contains variables; always the same for the same text."""
        for number, known in self.texts.items():
            if known == text:
                return number
        taken = set(self.texts).union(*map(_numbers, (document, *self._documents)))
        number = next(n for n in range(_FIRST_PLACEHOLDER, 2**24) if n not in taken)
        self.texts[number] = text
        return number


_FIRST_PLACEHOLDER = 9_900_001


def _numbers(document: Document) -> set[float]:
    """The numbers that a file has as values, as float32 holds them."""
    texts = [f.value.text for f in walk(document.root.fields) if isinstance(f.value, Scalar) and not f.value.quoted]
    values = [float(n) if (n := integer_of(text)) is not None else number_of(text) for text in texts if len(text) < 40]
    return {c_float(value).value for value in values if value is not None}


def placeholder(descriptor: Any, text: str, placeholders: Placeholders, document: Document) -> Any:
    """A value of the field's kind in place of a variable's."""
    if descriptor.enum_type is not None:
        return descriptor.enum_type.values[0].number
    kind = TYPE_NAMES[descriptor.type]
    if kind in ("string", "bytes"):
        return text if kind == "string" else text.encode()
    return True if kind == "bool" else placeholders.number(text, document)
