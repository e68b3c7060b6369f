"""Command lines in the form of gflags, which Caffe's programs take: `--flag=value`, `-flag value`, `--noflag`."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import InputError
from ..spelling import did_you_mean

_BOOLS = {**dict.fromkeys(("true", "t", "yes", "y", "1"), True), **dict.fromkeys(("false", "f", "no", "n", "0"), False)}
_TYPES = {bool: "bool", int: "int32", float: "double", str: "string"}
_HELP = ("help", "helpfull", "helpshort", "h")


@dataclass(frozen=True)
class Flag:
    """A flag: its name, its default, which decides the type, and what it does."""

    name: str
    default: str | int | float | bool
    help: str

    def convert(self, text: str) -> Any:
        """The value that a text stands for; InputError where it is none."""
        kind = type(self.default)
        try:
            return _BOOLS[text.lower()] if kind is bool else int(text, 0) if kind is int else kind(text)
        except (KeyError, ValueError):
            wanted = {bool: "true or false", int: "a whole number", float: "a number"}[kind]
            raise InputError(f"--{self.name} wants {wanted}, got '{text}'") from None


@dataclass(frozen=True)
class Program:
    """What a program's command line may hold: its usage line or lines, and its flags."""

    usage: str
    flags: tuple[Flag, ...] = ()

    def parse(self, words: Sequence[str]) -> tuple[dict[str, Any], list[str]] | None:
        """The value of every flag, and the words that are left; None where help is asked for.

        A flag that is given twice has its last value. Raises InputError for an unknown flag or a wrong value.
        """
        values = {flag.name: flag.default for flag in self.flags}
        left: list[str] = []
        rest = list(words)
        while rest:
            word = rest.pop(0)
            if word == "--":
                left += rest
                break
            if not word.startswith("-") or word == "-":
                left.append(word)
                continue
            name, assigned, text = word.lstrip("-").partition("=")
            if name in _HELP:
                return None
            flag, value = self._look_up(name, bool(assigned))
            if assigned:
                value = flag.convert(text)
            elif value is None:
                if not rest:
                    raise InputError(f"--{flag.name} wants a value: --{flag.name}=…")
                value = flag.convert(rest.pop(0))
            values[flag.name] = value
        return values, left

    def _look_up(self, name: str, assigned: bool) -> tuple[Flag, bool | None]:
        """The flag of a name, and its value if the name alone says it: `flag` or `noflag`."""
        known = {flag.name: flag for flag in self.flags}
        spelt = name.replace("-", "_")
        if spelt in known:
            flag = known[spelt]
            return flag, None if assigned or not isinstance(flag.default, bool) else True
        opposite = known.get(spelt.removeprefix("no"))
        if opposite and isinstance(opposite.default, bool) and not assigned:
            return opposite, False
        raise InputError(f"unknown flag '--{name}'{did_you_mean(spelt, known)}")

    def help(self) -> str:
        """Usage and flags, as a text of several lines."""
        lines = [self.usage.rstrip()]
        if self.flags:
            lines += ["", "Flags:"]
        for flag in self.flags:
            default = f'"{flag.default}"' if isinstance(flag.default, str) else str(flag.default).lower()
            text = f"-{flag.name} ({flag.help}) type: {_TYPES[type(flag.default)]} default: {default}"
            lines += textwrap.wrap(text, 96, initial_indent="    ", subsequent_indent="      ")
        return "\n".join(lines)


def run_program(
    program: Program, function: Callable[[dict[str, Any], list[str]], int | None], words: Sequence[str]
) -> int | None:
    """Call a program's function with its flags and the words that are left, or print its help; the exit code."""
    parsed = program.parse(words)
    if parsed is None:
        print(program.help())
        return 0
    return function(*parsed)
