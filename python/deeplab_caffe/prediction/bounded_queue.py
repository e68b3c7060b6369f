"""Work on many images with few of them in memory: some are read ahead, one is computed, some are written behind."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from ..errors import InputError

Item = TypeVar("Item")
Read = TypeVar("Read")
Computed = TypeVar("Computed")
Written = TypeVar("Written")


def worked(
    items: Iterable[Item],
    read: Callable[[Item], Read],
    compute: Callable[[Item, Read], Computed],
    write: Callable[[Item, Computed], Written],
    ahead: int = 2,
    behind: int = 2,
) -> Iterator[tuple[Item, Written | InputError]]:
    """Read, compute and write items, in order.

    At most `ahead` + 1 items are read and not yet computed, at most `behind` + 1 computed and not yet written.

    Args:
        items: what to work on.
        read: runs in `ahead` threads.
        compute: runs in this thread.
        write: runs in `behind` threads; with one thread the items are written in order.
        ahead, behind: 1 or more.

    Yields:
        Each item, with what `write` returned; or the InputError of one that cannot be read, computed or written, after
        which the others go on.

    Raises:
        OSError: a result cannot be written; nothing more is begun.

    Example:
        >>> def half(item: int, value: int) -> int:
        ...     return value // 2
        >>> list(worked([2, 4], lambda item: item * 10, half, lambda item, value: value + 1))
        [(2, 11), (4, 21)]
    """
    readers, writers = ThreadPoolExecutor(ahead), ThreadPoolExecutor(behind)
    going = deque[tuple[Item, Future[Written] | InputError]]()
    try:
        for item, future in _read_ahead(items, read, readers, ahead):
            going.append((item, _computed(item, future, compute, write, writers)))
            del future  # with it, what it holds
            while len(going) > behind:
                done, found = going.popleft()
                yield done, _result(found)
        while going:
            done, found = going.popleft()
            yield done, _result(found)
    finally:
        for pool in (readers, writers):
            pool.shutdown(cancel_futures=True)


def _read_ahead(
    items: Iterable[Item], read: Callable[[Item], Read], pool: ThreadPoolExecutor, ahead: int
) -> Iterator[tuple[Item, Future[Read]]]:
    coming = deque[tuple[Item, Future[Read]]]()
    for item in items:
        coming.append((item, pool.submit(read, item)))
        if len(coming) > ahead:
            yield coming.popleft()
    while coming:
        yield coming.popleft()


def _computed(
    item: Item,
    future: Future[Read],
    compute: Callable[[Item, Read], Computed],
    write: Callable[[Item, Computed], Any],
    pool: ThreadPoolExecutor,
) -> Future[Any] | InputError:
    try:
        return pool.submit(write, item, compute(item, future.result()))
    except InputError as error:
        return error


def _result(found: Future[Any] | InputError) -> Any:
    if isinstance(found, InputError):
        return found
    try:
        return found.result()
    except InputError as error:
        return error
