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
    """A value for every name: the one that is set, else the environment's, else `${NAME}` itself.

    So what nobody gives a value stays as it is written: harmless in the name of a file that is not opened; where a
    number is wanted, an error that shows it.
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
    """The values from settings as they stand on a command line, `NAME=value`; raises InputError for any other form."""
    parsed: dict[str, str] = {}
    for setting in settings:
        match = _SETTING.fullmatch(setting)
        if match is None:
            raise InputError(f"--set {setting}: wanted NAME=value, the name in letters, digits and underscores")
        parsed[match[1]] = match[2]
    return TemplateValues(parsed, environment)


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
