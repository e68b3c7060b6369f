"""Names within quotes: where they stand in the text, and how another name is written in their place."""

from __future__ import annotations

import re

from ..formats.tree import Scalar
from ..formats.writer import quote

_ONE_STRING = re.compile(r""""(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'""")

_STRING_OR_COMMENT = re.compile(rf"{_ONE_STRING.pattern}|#[^\n]*")


def content(text: str, value: Scalar) -> tuple[int, int]:
    """The offsets between the quotes of a value; those of the whole value if it is not one quoted string.

    Args:
        text: of the document.
        value: a value in it.
    """
    is_one = _ONE_STRING.fullmatch(text, value.start, value.end) is not None
    return (value.start + 1, value.end - 1) if is_one else (value.start, value.end)


def replaced(text: str, value: Scalar, name: str) -> tuple[int, int, str]:
    """The offsets of what has to be replaced so that a value is `name`, and the text to put there.

    Quotes stay as they are, and characters are escaped as their kind needs it. A value of several strings, or without
    quotes, becomes one string.

    Example:
        >>> replaced("name: 'a'", Scalar("a", True, 6, 9), "it's")
        (7, 8, "it\\\\'s")
    """
    start, end = content(text, value)
    if (start, end) == (value.start, value.end):
        return start, end, quote(name)
    written = quote(name)[1:-1]
    return start, end, written.replace("'", "\\'") if text[value.start] == "'" else written


def pieces(text: str, value: Scalar) -> list[tuple[int, int]]:
    """The offsets of each string of a quoted value, with its quotes: usually one."""
    if value.end - value.start == len(value.text) + 2:
        return [(value.start, value.end)]
    found = _STRING_OR_COMMENT.finditer(text, value.start, value.end)
    return [match.span() for match in found if not match[0].startswith("#")]
