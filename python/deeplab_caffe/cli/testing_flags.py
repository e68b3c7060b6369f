"""Flags of the stages test, search and crf: `--scales 0.5,1 --flip --tile 513 --weights FILE --preset NAME`."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Collection
from dataclasses import fields
from typing import Any

from ..errors import InputError
from ..experiment.testing import WHOLE, Testing
from ..nets.option_flags import TakesFlags, help_of

#: flag to what stands for its value in the help text; False: it has no value
_METAVARS: dict[str, str | bool] = {
    "scales": "X,X,…",
    "flip": False,
    "tile": "N|HxW",
    "overlap": "X",
    "weights": "FILE",
    "stage": "N",
    "preset": "NAME",
}


def add_arguments(parser: TakesFlags, names: Collection[str] = tuple(_METAVARS)) -> None:
    """Add a flag for each named setting; one that is not given leaves the setting at its default."""
    for setting in fields(Testing):
        if setting.name not in names:
            continue
        flag, text, metavar = f"--{setting.name}", help_of(setting), _METAVARS[setting.name]
        if isinstance(metavar, str):
            parser.add_argument(flag, default=argparse.SUPPRESS, metavar=metavar, help=text)
        else:
            parser.add_argument(flag, action="store_true", help=text)


def from_arguments(arguments: argparse.Namespace) -> Testing:
    """The settings that parsed flags state.

    Raises:
        InputError: the value of a flag cannot be read, or is invalid.
    """
    values: dict[str, Any] = {}
    for setting in fields(Testing):
        if hasattr(arguments, setting.name):
            given = getattr(arguments, setting.name)
            values[setting.name] = _read(setting.name, given) if isinstance(given, str) else given
    return Testing(**values)


def _read(name: str, text: str) -> Any:
    read, wanted = _READERS.get(name, (str, ""))
    try:
        return read(text)
    except ValueError:
        raise InputError(f"--{name}: got {text!r}; wanted {wanted}") from None


def _scales(text: str) -> tuple[float, ...]:
    return tuple(float(word) for word in text.split(","))


def _tile(text: str) -> int | tuple[int, int] | str:
    match = re.fullmatch(r"(\d+)(?:[xX×](\d+))?", text)
    if text == WHOLE:
        return WHOLE
    if match is None:
        raise ValueError
    return (int(match[1]), int(match[2])) if match[2] else int(match[1])


_READERS: dict[str, tuple[Callable[[str], Any], str]] = {
    "scales": (_scales, "numbers separated by commas, as 0.5,0.75,1"),
    "tile": (_tile, f"pixels, as 513 or 513x1025 (height x width), or {WHOLE} for whole images"),
    "overlap": (float, "a part of the tile, as 0.25"),
    "stage": (int, "1 or 2"),
}
