"""Command lines in gflags syntax, as Caffe's programs use: `--flag=value`, `-flag value`, `--noflag`."""

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
    """A flag: its name, its default, which also determines the type, and its help text."""

    name: str
    default: str | int | float | bool
    help: str

    def convert(self, text: str) -> Any:
        """Convert a text to the flag's type; InputError if that is not possible."""
        kind = type(self.default)
        try:
            return _BOOLS[text.lower()] if kind is bool else int(text, 0) if kind is int else kind(text)
        except (KeyError, ValueError):
            expected = {bool: "true or false", int: "an integer", float: "a number"}[kind]
            raise InputError(f"--{self.name}: expected {expected} but got '{text}'") from None


@dataclass(frozen=True)
class Program:
    """The command line of a program: its usage text and its flags.

    Example:
        >>> program = Program("usage: demo", (Flag("iterations", 50, "how many"), Flag("shuffle", False, "shuffle")))
        >>> program.parse(["--iterations=3", "-shuffle", "file"])
        ({'iterations': 3, 'shuffle': True}, ['file'])
    """

    usage: str
    flags: tuple[Flag, ...] = ()

    def parse(self, words: Sequence[str]) -> tuple[dict[str, Any], list[str]] | None:
        """Parse a command line.

        Returns:
            {flag: value} for every flag, and the remaining words; None if help was requested. If a flag is repeated,
            the last value counts.

        Raises:
            InputError: a flag is unknown, or its value is missing or invalid.
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
                    raise InputError(f"--{flag.name}: missing value; expected --{flag.name}=…")
                value = flag.convert(rest.pop(0))
            values[flag.name] = value
        return values, left

    def _look_up(self, name: str, assigned: bool) -> tuple[Flag, bool | None]:
        """The flag of a name, and its value if the name alone sets it: `flag` or `noflag`."""
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
        """The help text: usage and flags."""
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
    """Call a program's function with the parsed flags and remaining words, or print the help; returns the exit code."""
    parsed = program.parse(words)
    if parsed is None:
        print(program.help())
        return 0
    return function(*parsed)
