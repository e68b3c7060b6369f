"""What every pool does, and the worker's side of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from ...errors import InputError

WorkFactory = Callable[[], Callable[[Any], Any]]

#: how often in a row workers may be lost, with nothing done in between, before it is taken for the work's fault
MOST_LOST_WORKERS = 4


class WorkerPool(Protocol):
    """Workers that share tasks."""

    def run(self, tasks: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        """Each task with its result, as they get done; `tasks` is read as far as there are hands for.

        A task whose worker was lost is done again by another. What a task raises is raised here.
        """

    def close(self) -> None:
        """Drop what has not begun; wait for what this machine has begun."""


class LostWorkers:
    """Counts workers lost in a row, and gives up when it is too many."""

    def __init__(self, who: str) -> None:
        self._who, self._count = who, 0

    def none(self) -> None:
        """Something was done."""
        self._count = 0

    def another(self) -> None:
        """A worker was lost. Raises InputError when that was one too many."""
        self._count += 1
        if self._count == MOST_LOST_WORKERS:
            raise InputError(
                f"CRF: {self._who} were lost {MOST_LOST_WORKERS} times in a row, with nothing done in between; most "
                "likely the memory is too small for the images: use fewer workers, or smaller images"
            )


_own = threading.local()  # a worker's function serves one thread


def stopping() -> bool:
    """Whether the pool that this thread works for is being closed; tasks that last long may ask."""
    stop: threading.Event | None = getattr(_own, "stop", None)
    return stop is not None and stop.is_set()


def work(token: str, make: WorkFactory, task: Any, stop: threading.Event | None = None) -> Any:
    """Do a task in the thread that calls, with the function that `make` gave it before for the same token."""
    _own.stop = stop
    if getattr(_own, "token", None) != token:
        _own.token, _own.function = token, make()
    return _own.function(task)
