"""Pieces of Markdown: code, links to places, and what is so in some states only."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ..arrays import Shape
from ..inspection.analysis_text import shape_text
from .buffers import Buffer


def code(text: str) -> str:
    """Text as code; back quotes in it, and line ends, do not end it."""
    text = " ".join(text.split("\n"))
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    space = " " * ("`" in text)
    return f"{fence}{space}{text}{space}{fence}"


def link(buffer: Buffer, offset: int) -> str:
    """A link to the line of an offset."""
    line = buffer.position(offset).line + 1
    return f"[line {line}]({buffer.uri}#L{line})" if ":" in buffer.uri else f"line {line}"


def known_shape(shape: Shape | None) -> str:
    """`10×3×321×321`, `scalar` or `not known`."""
    return "not known" if shape is None else shape_text(shape)


def by_state(texts: Mapping[str, str]) -> str:
    """A text for each state, each text once: `1×3` alone if all are equal, else `10×3 in TRAIN, 1×3 in TEST deploy`.

    Args:
        texts: by the state's title; an empty text is left out.
    """
    groups: dict[str, list[str]] = {}
    for title, text in texts.items():
        if text:
            groups.setdefault(text, []).append(title)
    if len(groups) == 1 and all(texts.values()):
        return next(iter(groups))
    return ", ".join(f"{text} in {joined(titles)}" for text, titles in groups.items())


def joined(words: Sequence[str]) -> str:
    """`a, b and c`."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
