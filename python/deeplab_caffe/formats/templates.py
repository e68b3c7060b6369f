"""Values of the variables `${NAME}` in templates: from `--set NAME=value`, else from the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence

from ..errors import InputError

_SETTING = re.compile(r"(\w+)=(.*)", re.DOTALL)


class Values(Mapping[str, str]):
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


def template_values(settings: Sequence[str], environment: Mapping[str, str] | None = None) -> Values:
    """The values from settings as they stand on a command line, `NAME=value`; raises InputError for any other form."""
    parsed: dict[str, str] = {}
    for setting in settings:
        match = _SETTING.fullmatch(setting)
        if match is None:
            raise InputError(f"--set {setting}: wanted NAME=value, the name in letters, digits and underscores")
        parsed[match[1]] = match[2]
    return Values(parsed, environment)
