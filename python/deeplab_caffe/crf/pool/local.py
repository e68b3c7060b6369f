"""Threads or processes of this machine."""

from __future__ import annotations

import multiprocessing
import signal
import threading
import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, nullcontext
from itertools import chain, islice
from multiprocessing import resource_tracker
from typing import Any

from .common import LostWorkers, WorkFactory, work

_TASKS_AHEAD = 2  # per worker, so that none has to wait


class LocalPool:
    """A `WorkerPool` of `count` threads, or processes, which start with the first task."""

    def __init__(self, make: WorkFactory, count: int, processes: bool = False) -> None:
        self._make, self._count, self._processes, self._token = make, count, processes, uuid.uuid4().hex
        self._stop = None if processes else threading.Event()
        self._pool = self._start()

    def _start(self) -> Executor:
        if not self._processes:
            return ThreadPoolExecutor(self._count, "crf")
        return ProcessPoolExecutor(self._count, multiprocessing.get_context("spawn"), _ignore_interrupts)

    def run(self, tasks: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        """See `WorkerPool`."""
        waiting: Iterator[Any] = iter(tasks)
        pending: dict[Future, Any] = {}
        losses = LostWorkers("worker processes")
        while True:
            lost: list[Any] = []
            for task in islice(waiting, (1 + _TASKS_AHEAD) * self._count - len(pending)):
                future = self._submit(task)
                if future:
                    pending[future] = task
                else:
                    lost.append(task)
            if not pending and not lost:
                return
            for future in wait(pending, return_when=FIRST_COMPLETED).done if pending else ():
                task = pending.pop(future)
                try:
                    result = future.result()
                except BrokenProcessPool:
                    lost.append(task)
                    continue
                losses.none()
                yield task, result
            if lost:
                losses.another()
                waiting = chain([*lost, *pending.values()], waiting)
                pending.clear()
                self._pool.shutdown(wait=False)
                self._pool = self._start()

    def _submit(self, task: Any) -> Future | None:
        """None if the pool has lost a process."""
        try:
            with _interrupts_held() if self._processes else nullcontext():
                return self._pool.submit(work, self._token, self._make, task, self._stop)
        except BrokenProcessPool:
            return None

    def close(self) -> None:
        """See `WorkerPool`."""
        if self._stop:
            self._stop.set()
        self._pool.shutdown(cancel_futures=True)


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the parent ends the pool


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold SIGINT back while processes start: they inherit that, until `_ignore_interrupts` runs in them."""
    resource_tracker.ensure_running()  # which would let SIGINT through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
