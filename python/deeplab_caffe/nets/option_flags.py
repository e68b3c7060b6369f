"""Options as command-line flags, and flags as options: `--batch-size 4 --crop 161`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import fields
from typing import Any, Protocol

from ..errors import InputError
from .options import GeneratorOptions

#: options whose flags have another name, since other commands have the same flags
_NAMES = {"dataset": "data", "experiment": "exp", "folder": "prototxt"}
#: what stands for the value of some flags in the help
_METAVARS = {"dataset": "NAME|TOML", "experiment": "FOLDER", "folder": "FOLDER"}


class TakesFlags(Protocol):
    """A parser, or what passes flags on to one."""

    def add_argument(self, *names: str, **how: Any) -> Any: ...


def flag_of(name: str) -> str:
    """The flag of an option.

    Example:
        >>> flag_of("batch_size"), flag_of("dataset")
        ('--batch-size', '--data')
    """
    return f"--{_NAMES.get(name, name).replace('_', '-')}"


def add_arguments(parser: TakesFlags) -> None:
    """Add one flag per option: its name with dashes. A flag that is not given leaves the option at its default.

    Flags that had another name before are added with both.
    """
    for option in fields(GeneratorOptions):
        names = list(dict.fromkeys((flag_of(option.name), f"--{option.name.replace('_', '-')}")))
        how: dict[str, Any] = {"dest": option.name, "help": help_of(option)}
        if option.default is False:
            parser.add_argument(*names, action="store_true", **how)
        else:
            how |= _values_of(option) | {"default": argparse.SUPPRESS}
            parser.add_argument(*names, **how)


def help_of(option: Any) -> str:
    """The help text of a field for argparse; what stands after the last semicolon is its default."""
    text, semicolon, default = str(option.metadata["help"]).replace("%", "%%").rpartition("; ")
    return f"{text} (default: {default})" if semicolon else default


def _values_of(option: Any) -> dict[str, Any]:
    """The values that a flag takes: its choices, or what stands for a value in the help."""
    if choices := option.metadata.get("choices"):
        return {"choices": choices}
    return {"metavar": _METAVARS.get(option.name) or _metavar(option.type)}


def from_arguments(arguments: argparse.Namespace) -> GeneratorOptions:
    """The options that parsed flags state.

    Raises:
        InputError: the value of a flag cannot be read, or is invalid.
    """
    values: dict[str, Any] = {}
    for option in fields(GeneratorOptions):
        if hasattr(arguments, option.name):
            given = getattr(arguments, option.name)
            values[option.name] = _read(option, given) if isinstance(given, str) else given
    return GeneratorOptions(**values)


def command_line(options: GeneratorOptions) -> list[str]:
    """The flags that state these options; defaults need none.

    Example:
        >>> command_line(GeneratorOptions(batch_size=4, crop=(161, 321), softmax=True))
        ['--crop', '161x321', '--batch-size', '4', '--softmax']
    """
    words: list[str] = []
    for name, value in options.stated().items():
        words.append(flag_of(name))
        words += [] if value is True else [_text(value, "x" if "crop" in name else ",")]
    return words


def _text(value: Any, separator: str) -> str:
    if isinstance(value, tuple):
        return separator.join(_text(item, separator) for item in value)
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


def _read(option: Any, text: str) -> Any:
    convert, wanted = _KINDS[_kind(option.type)]
    try:
        return convert(text)
    except ValueError:
        raise InputError(f"{flag_of(option.name)}: got {text!r}; wanted {wanted}") from None


def _size(text: str) -> int | tuple[int, ...]:
    numbers = tuple(int(part) for part in text.split("x"))
    return numbers[0] if len(numbers) == 1 else numbers


_KINDS: dict[str, tuple[Callable[[str], Any], str]] = {
    "str": (str, "text"),
    "int": (int, "a whole number"),
    "float": (float, "a number"),
    "Size": (_size, "pixels, as 321 or 321x417 (height x width)"),
    "tuple": (lambda text: tuple(float(part) for part in text.split(",")), "numbers separated by commas"),
}


def _kind(annotation: Any) -> str:
    """The key of `_KINDS` for a field's annotation, which is a string, since annotations are not evaluated."""
    text = str(annotation)
    return "Size" if "Size" in text else text.partition("[")[0].partition(" ")[0]


def _metavar(annotation: Any) -> str:
    return {"str": "TEXT", "int": "N", "float": "X", "Size": "N|HxW", "tuple": "X,X,…"}[_kind(annotation)]
