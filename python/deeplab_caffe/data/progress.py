"""How far a long piece of work is."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from tqdm import tqdm

LINE_SECONDS = 15.0


class Progress:
    """A bar with rate and time left on a terminal; elsewhere a line now and then. Both to standard error.

    Args:
        total: bytes there are in all; None if unknown.
        done: bytes that were there before; they do not count for the rate.
    """

    def __init__(self, title: str, total: int | None, done: int = 0, shown: bool = True) -> None:
        terminal = sys.stderr.isatty()
        self._bar = tqdm(
            desc=title, total=total, initial=done, unit="B", unit_scale=True, disable=not (shown and terminal)
        )
        self._title, self._total, self._first, self._done = title, total, done, done
        self._lines = shown and not terminal
        self._start = self._last = time.monotonic()

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()
        if self._lines:
            self._line()

    def reach(self, done: int) -> None:
        """`done` bytes are there now."""
        self._bar.update(done - self._done)
        self._done = done
        if self._lines and time.monotonic() - self._last >= LINE_SECONDS:
            self._line()

    def _line(self) -> None:
        self._last = time.monotonic()
        rate = (self._done - self._first) / max(self._last - self._start, 1e-3)
        text = f"{self._title}: {self._done / 1e6:.1f}"
        if self._total:
            text += f" of {self._total / 1e6:.1f} MB ({100 * self._done // self._total} %)"
        else:
            text += " MB"
        text += f", {rate / 1e6:.1f} MB/s"
        if self._total and rate and self._done < self._total:
            text += f", {tqdm.format_interval((self._total - self._done) / rate)} left"
        print(text, file=sys.stderr, flush=True)
