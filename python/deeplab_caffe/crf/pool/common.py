"""The interface of a pool of workers, and what runs in a worker."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from ...errors import InputError

WorkFactory = Callable[[], Callable[[Any], Any]]

#: after so many losses of workers in a row, with no task done in between, the pool gives up
MOST_LOST_WORKERS = 4


class WorkerPool(Protocol):
    """Workers that share tasks."""

    def run(self, tasks: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        """Each task with its result, in the order of completion; `tasks` is read only as far as workers are free.

        If a worker is lost, another does its task. An exception of a task is raised here.
        """

    def close(self) -> None:
        """Drop tasks that have not begun, and wait for those that run on this machine."""


class LostWorkers:
    """Counts losses of workers in a row, and gives up when there are too many."""

    def __init__(self, who: str) -> None:
        self._who, self._count = who, 0

    def none(self) -> None:
        """A task was done: count from 0 again."""
        self._count = 0

    def another(self) -> None:
        """A worker was lost. Raises InputError if that was one too many."""
        self._count += 1
        if self._count == MOST_LOST_WORKERS:
            raise InputError(
                f"CRF: {self._who} were lost {MOST_LOST_WORKERS} times in a row, with no task done in between; the "
                "memory is probably too small for the images: use fewer workers, or smaller images"
            )


_own = threading.local()  # each thread has its own function


def stopping() -> bool:
    """Whether the pool of this thread is being closed; long tasks should ask now and then."""
    stop: threading.Event | None = getattr(_own, "stop", None)
    return stop is not None and stop.is_set()


def work(token: str, make: WorkFactory, task: Any, stop: threading.Event | None = None) -> Any:
    """Do a task in the calling thread, with the function that `make` returned there for the same token."""
    _own.stop = stop
    if getattr(_own, "token", None) != token:
        _own.token, _own.function = token, make()
    return _own.function(task)
