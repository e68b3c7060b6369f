"""How far the search is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

_SECONDS_BETWEEN_LINES = 30.0
T = TypeVar("T")


def tracked(values: Iterable[T], total: int, title: str, quiet: bool = False) -> Iterator[T]:
    """Pass on `values` and show the share done, the rate and the time left on stderr."""
    if quiet:
        yield from values
    elif sys.stderr.isatty():
        yield from tqdm(values, total=total, desc=title, unit="step", dynamic_ncols=True)
    else:
        yield from _with_lines(values, total, title)


def _with_lines(values: Iterable[T], total: int, title: str) -> Iterator[T]:
    began = shown = time.monotonic()
    for done, value in enumerate(values, 1):
        yield value
        now = time.monotonic()
        if done < total and now - shown < _SECONDS_BETWEEN_LINES:
            continue
        shown, rate = now, done / max(now - began, 1e-9)
        left = tqdm.format_interval((total - done) / rate)
        print(f"{title}: {done} of {total} steps, {rate:.2f} per second, {left} left", file=sys.stderr, flush=True)
