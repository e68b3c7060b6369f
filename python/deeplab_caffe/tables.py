"""Tables as plain text and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any


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


def csv_text(headings: Sequence[str], rows: Iterable[Iterable[Any]]) -> str:
    """A table as CSV, its lines ended by a newline alone; None and NaN are empty.

    Example:
        >>> csv_text(("name", "score"), [("a, b", 0.5), ("c", float("nan"))])
        'name,score\\n"a, b",0.5\\nc,\\n'
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(headings)
    writer.writerows(["" if cell is None or cell != cell else cell for cell in row] for row in rows)
    return buffer.getvalue()
