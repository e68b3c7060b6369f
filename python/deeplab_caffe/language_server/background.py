"""Work that follows the typing, on a thread of its own: the newest text counts, outdated work is given up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial

#: seconds without a change before work begins, and the longest that changes may put it off
_REST, _PATIENCE = 0.05, 0.5
#: seconds without a change after which is tidied up, and the most pieces of work until then
_IDLE, _MOST_UNTIDY = 1.0, 4


class Outdated(Exception):
    """The text has changed since the work began."""


class Background:
    """Does one kind of work for texts that have changed.

    Args:
        work: called with the URIs that have changed since it last ended, oldest first, and with `pause`, which it calls
            often and which raises Outdated when there is something newer. It must not raise anything else.
        prepare: called once on the thread, before the first work.
        tidy: called when there has been nothing to do for a while, and after several pieces of work.
    """

    def __init__(
        self,
        work: Callable[[list[str], Callable[[], None]], None],
        prepare: Callable[[], None] = lambda: None,
        tidy: Callable[[], None] = lambda: None,
    ) -> None:
        self._work, self._prepare, self._tidy = work, prepare, tidy
        self._news = threading.Condition()
        self._changed: dict[str, None] = {}
        self._count = 0
        self._ended = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to work."""
        self._thread = threading.Thread(target=self._run, name="diagnostics", daemon=True)
        self._thread.start()

    def end(self, patience: float = 0.5) -> None:
        """Give up what is being done, and wait some seconds for that."""
        with self._news:
            self._ended = True
            self._news.notify_all()
        if self._thread is not None:
            self._thread.join(patience)

    def changed(self, uri: str) -> None:
        """Work for a text that has changed."""
        with self._news:
            self._changed.pop(uri, None)
            self._changed[uri] = None
            self._count += 1
            self._news.notify_all()

    def _run(self) -> None:
        self._prepare()
        untidy = 0
        while True:
            with self._news:
                idle = not self._news.wait_for(self._is_asked, _IDLE)
            if untidy and (idle or untidy >= _MOST_UNTIDY):
                self._tidy()
                untidy = 0
            with self._news:
                self._news.wait_for(self._is_asked)
                self._settle()
                if self._ended:
                    return
                uris, count = list(self._changed), self._count
            untidy += 1
            try:
                self._work(uris, partial(self._check, count))
            except Outdated:
                continue
            with self._news:
                if count == self._count:
                    self._changed.clear()

    def _is_asked(self) -> bool:
        return bool(self._changed) or self._ended

    def _settle(self) -> None:
        """Wait until the typing rests, but not for long."""
        latest = time.monotonic() + _PATIENCE
        while not self._ended and time.monotonic() < latest:
            count = self._count
            self._news.wait(_REST)
            if self._count == count:
                return

    def _check(self, count: int) -> None:
        if self._ended or count != self._count:
            raise Outdated
