"""Progress of long work on standard error: a bar on a terminal, otherwise a line every 15 seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from types import TracebackType
from typing import TypeVar

from tqdm import tqdm

LINE_SECONDS = 15.0
T = TypeVar("T")


def tracked(items: Iterable[T], what: str, total: int | None = None, unit: str = "image") -> Iterator[T]:
    """Iterate over `items` and show how many are done, the rate and the time left.

    Args:
        items: what to iterate over.
        what: a title for the bar.
        total: the number of items where `items` has no length; None if unknown.
        unit: the singular of what is counted.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    with Progress(what, total, unit=unit) as progress:
        for done, item in enumerate(items, 1):
            yield item
            progress.reach(done)


class Progress:
    """The bar or lines of `tracked`, for work that reports its progress itself, with `reach`.

    Args:
        what: a title for the bar.
        total: how much there is to do; None if unknown.
        done: how much was done before; it does not count for the rate.
        unit: the singular of what is counted; "B" for bytes, which are shown in MB.
        shown: False shows nothing.
    """

    def __init__(self, what: str, total: int | None, done: int = 0, unit: str = "image", shown: bool = True) -> None:
        terminal = sys.stderr.isatty()
        self._bar = tqdm(
            desc=what,
            total=total,
            initial=done,
            unit=unit,
            unit_scale=unit == "B",
            dynamic_ncols=True,
            disable=not (shown and terminal),
        )
        self._what, self._unit, self._total, self._first, self._done = what, unit, total, done, done
        self._lines = shown and not terminal
        self._start = self._last = time.monotonic()

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()
        if self._lines and kind is None:
            self._line()

    def reach(self, done: int) -> None:
        """Report that `done` items (of `total`) are finished."""
        self._bar.update(done - self._done)
        self._done = done
        if self._lines and time.monotonic() - self._last >= LINE_SECONDS and done != self._total:
            self._line()

    def _line(self) -> None:
        self._last = time.monotonic()
        rate = (self._done - self._first) / max(self._last - self._start, 1e-3)
        parts = [self._count(), self._rate(rate)]
        if self._total and rate and self._done < self._total:
            parts.append(f"{tqdm.format_interval((self._total - self._done) / rate)} left")
        print(f"{self._what}: {', '.join(parts)}", file=sys.stderr, flush=True)

    def _count(self) -> str:
        if self._unit != "B":
            return f"{self._done} of {self._total} {self._unit}s" if self._total else f"{self._done} {self._unit}s"
        if not self._total:
            return f"{self._done / 1e6:.1f} MB"
        return f"{self._done / 1e6:.1f} of {self._total / 1e6:.1f} MB ({100 * self._done // self._total} %)"

    def _rate(self, rate: float) -> str:
        if self._unit == "B":
            return f"{rate / 1e6:.1f} MB/s"
        return f"{1 / rate:.1f} s/{self._unit}" if 0 < rate < 1 else f"{rate:.1f} {self._unit}s/s"
