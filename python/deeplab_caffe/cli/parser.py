"""The parser of a command's flags: what is wrong with them is said in one line, with the nearest flag."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from ..spelling import did_you_mean
from ..words import one_of


def add_renamed(parser: argparse._ActionsContainer, flag: str, *older: str, **how: Any) -> None:
    """Add a flag that had other names before: they still work, and neither help nor suggestions show them.

    Args:
        parser: a parser, or a group of one.
        how: the keywords of `argparse`.
    """
    how.setdefault("dest", (older or (flag,))[0].lstrip("-").replace("-", "_"))
    if not how.keys() & {"action", "nargs"}:
        how["action"] = _Stored
    action = parser.add_argument(flag, **how)
    for name in older:
        parser._option_string_actions[name] = action


def tolerance(text: str) -> float:
    """The value of a flag that says how much may differ; for `type` of `argparse`."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"got '{text}'; wanted a number, 0 or greater, such as 1e-4")
    return value


class _Stored(argparse.Action):
    """Stores a value; two names of one flag with two values are refused."""

    def __call__(self, parser: Any, namespace: argparse.Namespace, values: Any, flag: str | None = None) -> None:
        name, before = parser.named.get(self.dest, (flag, values))
        if name != flag and before != values:
            parser.error(f"{name} {before} and {flag} {values} contradict each other; they mean the same: state one")
        parser.named[self.dest] = flag, values
        setattr(namespace, self.dest, values)


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that does not print the usage with an error, which may be a screen long.

    Attributes:
        elsewhere: flags of other commands, and what to say to a call with one.
        named: the name and the value of each renamed flag of a call.
    """

    def __init__(self, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self.elsewhere: dict[str, str] = {}
        self.named: dict[str, tuple[str | None, Any]] = {}

    def error(self, message: str) -> NoReturn:
        """Print one line and exit with 2."""
        self.exit(2, f"{self.prog}: error: {message}\n")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            known = [str(choice) for choice in action.choices]
            wanted = f"wanted {one_of(known)}{did_you_mean(str(value), known)}"
            raise argparse.ArgumentError(action, f"got '{value}'; {wanted}")

    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:
        """Parse words; exits with 2 and one line if a word is unknown."""
        words = sys.argv[1:] if args is None else list(args)
        for word in words[: words.index("--") if "--" in words else None]:
            if said := self.elsewhere.get(word.partition("=")[0]):
                self.error(said)
        self.named.clear()
        found, unknown = self.parse_known_args(words, namespace)
        if unknown:
            self.error(self._unknown(unknown))
        return found

    def flags(self) -> list[str]:
        """The names of all flags, without older ones."""
        return [name for action in self._actions for name in action.option_strings]

    def _unknown(self, words: Sequence[str]) -> str:
        flag = next((word.partition("=")[0] for word in words if word.startswith("-")), None)
        help_ = f"; see `{self.prog} --help`"
        if flag is None:
            return f"unexpected argument '{words[0]}'{help_}"
        return f"unknown flag '{flag}'{did_you_mean(flag, [*self.flags(), *self.elsewhere], help_)}"
