"""The parser of a command's flags: what is wrong with them is said in one line, with the nearest flag."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from ..spelling import did_you_mean


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that does not print the usage with an error, which may be a screen long."""

    def error(self, message: str) -> NoReturn:
        """Print one line and exit with 2."""
        self.exit(2, f"{self.prog}: error: {message}\n")

    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:
        """Parse words; exits with 2 and one line if a word is unknown."""
        found, unknown = self.parse_known_args(args, namespace)
        if unknown:
            self.error(self._unknown(unknown))
        return found

    def _unknown(self, words: Sequence[str]) -> str:
        flag = next((word.partition("=")[0] for word in words if word.startswith("-")), None)
        help_ = f"; see `{self.prog} --help`"
        if flag is None:
            return f"unexpected argument '{words[0]}'{help_}"
        return f"unknown flag '{flag}'{did_you_mean(flag, self._option_string_actions, help_)}"
