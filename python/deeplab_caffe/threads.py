"""A function of many items in threads: results in order, and few computed ahead, so that memory stays bounded."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from .files import cpus

T = TypeVar("T")
R = TypeVar("R")


def mapped(function: Callable[[T], R], items: Iterable[T], ahead: int = 64) -> Iterator[R]:
    """The results of a function, in the order of the items, computed by as many threads as there are processors.

    At least two threads work, so that one may read a file while the other computes. An exception of the function is
    raised where its result would be; what has begun is finished then, and nothing more is begun.

    Args:
        function: called in threads.
        items: taken one by one in the caller's thread, as their turn comes.
        ahead: how many items are at work or finished before their result is taken.

    Example:
        >>> list(mapped(len, ["a", "bcd"]))
        [1, 3]
    """
    waiting = iter(items)
    with ThreadPoolExecutor(max(2, cpus())) as pool:
        pending = deque(pool.submit(function, item) for item in islice(waiting, ahead))
        try:
            while pending:
                result = pending.popleft().result()
                pending.extend(pool.submit(function, item) for item in islice(waiting, 1))
                yield result
        finally:
            for future in pending:
                future.cancel()


def together(work: Callable[[], None], count: int) -> None:
    """Call `work` in `count` threads at once, one of them the caller's; an exception of one of them is raised here.

    The calls share what is to be done, as by `next` of one iterator: other threads begin late where all are busy, or
    not at all if the work is done by then.
    """
    if count < 2:
        work()
        return
    others = [_kept_threads(count - 1).submit(work) for _ in range(count - 1)]
    try:
        work()
    finally:
        begun = [other for other in others if not other.cancel()]
        for other in begun:
            other.exception()  # until it has finished
    for other in begun:
        other.result()


_kept: list[ThreadPoolExecutor] = []


def _kept_threads(count: int) -> ThreadPoolExecutor:
    """Threads that wait for work between calls."""
    if not _kept or _kept[-1]._max_workers < count:
        _kept.append(ThreadPoolExecutor(count, "deeplab_caffe"))
    return _kept[-1]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_kept.clear)  # threads do not exist in the child
