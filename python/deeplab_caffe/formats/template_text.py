"""Filling in a template's variables in its text, whose comments and layout stay."""

from __future__ import annotations

from collections.abc import Mapping

from .edits import Edits
from .prototxt import Document
from .writer import quote


def fill_in(document: Document, values: Mapping[str, str], whole: bool = True) -> str:
    """The text with a value in the place of every `${NAME}` outside comments, as it is written or within a string.

    Raises PrototxtError with the place of the first variable without a value; with `whole` False such a one stays.
    """
    edits = Edits(document)
    for variable in document.variables:
        written = f"${{{variable.name}}}"
        value = values.get(variable.name, written)
        if value == written:
            if whole:
                raise document.error(
                    variable.offset, f"the template variable {written} has no value; --set {variable.name}=…"
                )
            continue
        text = quote(value)[1:-1] if variable.quote else value
        if variable.quote == "'":
            text = text.replace("'", "\\'")
        edits.replace(variable.offset, variable.offset + len(written), text)
    return edits.apply()
