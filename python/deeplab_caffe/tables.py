"""Plain-text tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table, each column as wide as it needs to be.

    Args:
        headings: one for each column; a leading ">" aligns the column to the right.
        rows: the cells.

    Example:
        >>> table(("layer", ">params"), [("conv1", "1792"), ("fc", "10")])
        ['layer  params', 'conv1    1792', 'fc         10']
    """
    right = [heading.startswith(">") for heading in headings]
    lines = [[heading.lstrip(">") for heading in headings], *map(list, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(headings))]
    return [
        "  ".join(c.rjust(w) if r else c.ljust(w) for c, w, r in zip(line, widths, right, strict=True)).rstrip()
        for line in lines
    ]
