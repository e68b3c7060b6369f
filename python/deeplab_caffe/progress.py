"""Progress of long work: a bar or a line that changes on a terminal, otherwise a plain line now and then."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from types import TracebackType
from typing import NamedTuple, TextIO, TypeVar

from tqdm import tqdm

LINE_SECONDS = 15.0
#: seconds between two drawings of a line on a terminal
REFRESH_SECONDS = 0.2
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


class Part(NamedTuple):
    """A part of a line; on a narrow terminal those with a high rank are left out first, and rank 0 never."""

    text: str
    rank: int


class LiveLine:
    """One line that changes: on a terminal drawn over itself and never wider than it, elsewhere plain lines.

    Args:
        stream: where it is shown.
        seconds: the shortest time between two plain lines.
    """

    def __init__(self, stream: TextIO, seconds: float = LINE_SECONDS) -> None:
        self._stream, self._seconds = stream, seconds
        #: whether it is drawn over itself
        self.is_live = stream.isatty()
        self._drawn = ""
        self._last = -math.inf
        self._unsaid = False

    def update(self, parts: Callable[[], Sequence[Part]]) -> None:
        """Time has passed: draw the line on a terminal, if it was not drawn lately; say nothing elsewhere."""
        if self.is_live and time.monotonic() - self._last >= REFRESH_SECONDS:
            self._draw(parts())

    def say(self, parts: Callable[[], Sequence[Part]]) -> None:
        """There is news: draw the line, or write a plain one, if none was written lately."""
        if self.is_live:
            self._draw(parts())
        elif time.monotonic() - self._last >= self._seconds:
            self._write(parts())
        else:
            self._unsaid = True

    def note(self, text: str) -> None:
        """Write a plain line; nothing on a terminal."""
        if not self.is_live:
            print(text, file=self._stream, flush=True)

    def end(self, parts: Callable[[], Sequence[Part]], news: bool = False) -> None:
        """Leave the last line, complete; a plain one only if there is `news` since the last."""
        if self.is_live:
            self._draw(parts())
            print(file=self._stream, flush=True)
        elif self._unsaid or news:
            self._write(parts())

    def _draw(self, parts: Sequence[Part]) -> None:
        self._last = time.monotonic()
        width = self._width()
        text = fitting(parts, width)
        self._stream.write("\r" + text.ljust(min(width, len(self._drawn))))
        self._stream.flush()
        self._drawn = text

    def _write(self, parts: Sequence[Part]) -> None:
        self._last, self._unsaid = time.monotonic(), False
        print(", ".join(part.text for part in parts), file=self._stream, flush=True)

    def _width(self) -> int:
        """The columns of the terminal but the last, behind which the cursor would go to the next line."""
        try:
            return max(1, os.get_terminal_size(self._stream.fileno()).columns - 1)
        except (OSError, ValueError):
            return 79


def fitting(parts: Sequence[Part], width: int) -> str:
    """The parts in their order, as many as fit into a line of `width` columns.

    Example:
        >>> fitting([Part("train 1/9", 0), Part("loss 0.5", 1), Part("lr 0.01", 2)], 20)
        'train 1/9  loss 0.5'
    """
    kept = list(parts)
    while len(text := "  ".join(part.text for part in kept)) > width and len(kept) > 1:
        kept.remove(max(kept[1:], key=lambda part: part.rank))
    return text[:width]
