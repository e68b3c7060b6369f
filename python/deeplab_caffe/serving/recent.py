"""What was used last stays in memory, up to a number of bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Recent(Generic[Value]):
    """Values by key; beyond `most` bytes those that were not used for longest are dropped. Threads may share it.

    The value that was put last stays, however large it is.

    Example:
        >>> recent = Recent(10)
        >>> for key in "ab":
        ...     recent.put(key, key.upper(), 6)
        >>> recent.get("a"), recent.get("b")
        (None, 'B')
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: OrderedDict[str, tuple[Value, int]] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, key: str, value: Value, nbytes: int) -> None:
        """Keep a value of so many bytes, in place of an earlier one of the same key."""
        with self._lock:
            self._held.pop(key, None)
            self._held[key] = value, nbytes
            while len(self._held) > 1 and sum(size for _, size in self._held.values()) > self._most:
                self._held.popitem(last=False)

    def get(self, key: str) -> Value | None:
        """The value of a key; None if there is none, or not any more."""
        with self._lock:
            if key not in self._held:
                return None
            self._held.move_to_end(key)
            return self._held[key][0]
