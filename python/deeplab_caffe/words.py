"""Words of messages that many places need: some of many names, and text that may not be UTF-8."""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice


def some_of(items: Collection[object], most: int = 5) -> str:
    """The first items, and how many there are besides.

    Example:
        >>> some_of(["a", "b", "c"], 2), some_of([1, 2], 2)
        ('a, b and 1 more', '1, 2')
    """
    more = f" and {len(items) - most:,} more" if len(items) > most else ""
    return ", ".join(map(str, islice(items, most))) + more


def some_lines(items: Collection[object], most: int = 5) -> str:
    """The same with a line for each, indented by two blanks; begins with the end of the line before.

    Example:
        >>> print("missing:" + some_lines(["a", "b", "c"], 2))
        missing:
          a
          b
          and 1 more
    """
    lines = [*map(str, islice(items, most)), *[f"and {len(items) - most:,} more"] * (len(items) > most)]
    return "".join(f"\n  {line}" for line in lines)


def one_of(items: Collection[object]) -> str:
    """The items as a choice.

    Example:
        >>> one_of(["a", "b", "c"]), one_of(["a"])
        ('a, b or c', 'a')
    """
    *first, last = map(str, items)
    return f"{', '.join(first)} or {last}" if first else last


def for_people(name: str) -> str:
    """The name of a file as a page or picture can show it: bytes that are not UTF-8 are replaced."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
