"""What is wrong with results: collected by kind, then refused in one message."""

from __future__ import annotations

import os
from collections.abc import Iterable

from ...errors import InputError

_NAMED = 5  # of each kind


class Faults:
    """Faults of a folder or an archive, by kind.

    Example:
        >>> faults = Faults()
        >>> faults.add("missing", ["a", "b"])
        >>> print(faults.message("x.tgz"))
        x.tgz: refused
          missing (2): a, b
    """

    def __init__(self) -> None:
        self._found: dict[str, list[str]] = {}

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, kind: str, texts: Iterable[str]) -> None:
        """Add faults of a kind, such as "missing"."""
        if texts := list(texts):
            self._found.setdefault(kind, []).extend(texts)

    def message(self, name: str | os.PathLike[str]) -> str:
        """Every kind with its number, and the first of each."""
        lines = [f"{os.fspath(name)}: refused"]
        for kind, texts in self._found.items():
            more = f" and {len(texts) - _NAMED:,} more" if len(texts) > _NAMED else ""
            lines.append(f"  {kind} ({len(texts):,}): {_joined(texts[:_NAMED])}{more}")
        return "\n".join(lines)

    def refuse(self, name: str | os.PathLike[str]) -> None:
        """Raise InputError if there are any."""
        if self:
            raise InputError(self.message(name))


def _joined(texts: list[str]) -> str:
    """Names in a row; whole sentences below each other."""
    return "".join(f"\n    {text}" for text in texts) if any(": " in text for text in texts) else ", ".join(texts)
