"""Template variables `${NAME}`: their values, from `--set NAME=value` or the environment, and filling them in."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence

from ..errors import InputError
from .edits import Edits
from .prototxt import Document
from .writer import quote

_SETTING = re.compile(r"(\w+)=(.*)", re.DOTALL)


class TemplateValues(Mapping[str, str]):
    """A value for every name: the given one, else the environment variable, else `${NAME}` itself.

    So a variable without a value stays as written. That is harmless in the name of a file that is not opened, and
    gives an error that shows the variable where a number is expected.
    """

    def __init__(self, settings: Mapping[str, str], environment: Mapping[str, str] | None = None) -> None:
        self._known = {**(os.environ if environment is None else environment), **settings}

    def __getitem__(self, name: str) -> str:
        return self._known.get(name, f"${{{name}}}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


def template_values(settings: Sequence[str], environment: Mapping[str, str] | None = None) -> TemplateValues:
    """The values of command line settings `NAME=value`; raises InputError for any other form.

    Example:
        >>> template_values(["DATA_ROOT=data/VOC2012"], environment={})["DATA_ROOT"]
        'data/VOC2012'
    """
    parsed: dict[str, str] = {}
    for setting in settings:
        match = _SETTING.fullmatch(setting)
        if match is None:
            raise InputError(f"--set {setting}: expected NAME=value, with a name of letters, digits and underscores")
        parsed[match[1]] = match[2]
    return TemplateValues(parsed, environment)


def fill_in(document: Document, values: Mapping[str, str], whole: bool = True) -> str:
    """The text of a document with the value of every `${NAME}` outside comments filled in; the rest stays as it is.

    Args:
        document: a document that was parsed without values for its template variables.
        values: the value of each variable.
        whole: False keeps variables without a value instead of raising.

    Raises:
        PrototxtError: a variable has no value; names its place.

    Example:
        >>> fill_in(Document("source: '${LIST}.txt'  # ${LIST}"), {"LIST": "train"})
        "source: 'train.txt'  # ${LIST}"
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
