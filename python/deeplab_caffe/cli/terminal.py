"""What the command line prints, made safe for a terminal: control characters are shown, not obeyed."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any

#: control characters but tab and newline, a carriage return within a line, and those that change the direction of text
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]|(?<!\A)\r(?!\n)")
#: longer than paths usually are
_LONG_WORD = re.compile(r"\S{1000,}")
#: what the progress bars write alone, to go to another line
_MOVES = re.compile(r"(?:\r|\n|\x1b\[A)*")
#: the colours of `prototxt diff`
_COLOUR = re.compile(r"(\x1b\[(?:0|31|32|33|36)m)")


def visible(text: str) -> str:
    r"""Text with its control characters as escapes: names of layers and files may hold any character.

    Example:
        >>> visible("conv\x1b[2J1")
        'conv\\x1b[2J1'
    """
    return _CONTROL.sub(lambda match: _escape(match[0]), text)


def shortened(text: str) -> str:
    """Text without the middle of words that no screen holds, such as the name of a layer in a damaged file.

    Example:
        >>> shortened("layer '" + "x" * 5000 + "'")[:60]
        "layer 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        >>> shortened("layer '" + "x" * 5000 + "'")[-25:]
        "x… (5002 characters) …xx'"
    """
    return _LONG_WORD.sub(lambda match: f"{match[0][:200]}… ({len(match[0])} characters) …{match[0][-3:]}", text)


def _escape(character: str) -> str:
    return repr(character)[1:-1]


class _Printable:
    """A text stream that writes only what `visible` leaves; on a terminal also the colours of `prototxt diff`."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        if _MOVES.fullmatch(text):
            self.stream.write(text)
        elif self.stream.isatty():
            parts = _COLOUR.split(text)
            self.stream.write("".join(part if i % 2 else visible(part) for i, part in enumerate(parts)))
        else:
            self.stream.write(visible(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def write_content(text: str) -> None:
    """Write the content of a file to stdout: as it is, unless that is a terminal."""
    stream = sys.stdout
    raw = stream.stream if isinstance(stream, _Printable) and not stream.isatty() else stream
    raw.write(text)


@contextlib.contextmanager
def printable() -> Iterator[None]:
    """A context in which stdout and stderr get no control characters, and take characters outside their encoding."""
    before = sys.stdout, sys.stderr
    for stream in before:
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    sys.stdout, sys.stderr = (
        stream if stream is None or isinstance(stream, _Printable) else _Printable(stream) for stream in before
    )
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
