"""Read LMDB files page by page, with every offset checked: LMDB itself crashes the process on damaged pages.

Mirrors the layout of `mdb.c` (data version 1): two meta pages, then a B+ tree of branch, leaf and overflow pages.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterator

from ..errors import InputError

_MAGIC, _VERSION = 0xBEEFC0DE, 1
_BRANCH, _LEAF, _OVERFLOW, _META = 0x01, 0x02, 0x04, 0x08
_HEADER = 16
_BIG, _SUB, _DUPLICATES = 0x01, 0x02, 0x04
_NO_PAGE = 2**64 - 1
_DEEPEST = 32  # levels of the tree


class PageError(ValueError):
    """The bytes of a page are not valid."""


class LmdbFile:
    """An LMDB file, memory-mapped for reading; records in the order of their keys. Any thread may read.

    Raises:
        InputError: the file is truncated.
        PageError: on opening or reading, if it is damaged or not an LMDB.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size < 2 * (_HEADER + 136):
                raise PageError(f"truncated: it has {size} bytes")
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self.view = memoryview(self._map)
        page_size = self._meta(0)[0]
        if page_size not in (1 << n for n in range(8, 17)) or 2 * page_size > size:
            raise PageError(f"the size of a page is {page_size}")
        self.page_size = page_size
        metas = [meta for at in (0, page_size) if (meta := self._meta(at))[0] == page_size]
        _, self.entries, self._root, last, _ = max(metas, key=lambda meta: meta[-1])
        expected = (last + 1) * page_size
        if size < expected:
            raise InputError(f"{path} is truncated: expected {expected} bytes, got {size}; copy it again")
        self._pages = size // page_size

    def _meta(self, at: int) -> tuple[int, int, int, int, int]:
        """(size of a page, records, root page, last page, transaction) of the meta page at an offset."""
        flags = struct.unpack_from("<H", self.view, at + 10)[0]
        magic, version = struct.unpack_from("<II", self.view, at + _HEADER)
        if not flags & _META or magic != _MAGIC:
            raise PageError("not an LMDB file")
        if version != _VERSION:
            raise PageError(f"data of version {version}; expected version {_VERSION}")
        size = struct.unpack_from("<I", self.view, at + _HEADER + 24)[0]
        entries, root, last, transaction = struct.unpack_from("<QQQQ", self.view, at + _HEADER + 104)
        return size, entries, root, last, transaction

    def keys(self) -> Iterator[bytes]:
        """All keys in order."""
        if self._root != _NO_PAGE:
            yield from self._keys(self._root, 0)

    def _keys(self, number: int, depth: int) -> Iterator[bytes]:
        at, flags, nodes = self._page(number, depth)
        if flags & _LEAF:
            for node in nodes:
                yield self._key(at, node)
        else:
            for node in nodes:
                yield from self._keys(self._child(at, node), depth + 1)

    def get(self, key: bytes) -> bytes | None:
        """The value of a key; None if there is no such record."""
        number, depth = self._root, 0
        while number != _NO_PAGE:
            at, flags, nodes = self._page(number, depth)
            low = self._first_not_below(at, nodes, key, 0 if flags & _LEAF else 1)
            if flags & _LEAF:
                found = low < len(nodes) and self._key(at, nodes[low]) == key
                return self._value(at, nodes[low]) if found else None
            if low == len(nodes) or self._key(at, nodes[low]) != key:
                low -= 1
            number, depth = self._child(at, nodes[low]), depth + 1
        return None

    def _first_not_below(self, at: int, nodes: tuple[int, ...], key: bytes, low: int) -> int:
        """The first node whose key is not below `key`; the first key of a branch is not stored and is the lowest."""
        high = len(nodes)
        while low < high:
            middle = (low + high) // 2
            if self._key(at, nodes[middle]) < key:
                low = middle + 1
            else:
                high = middle
        return low

    def _page(self, number: int, depth: int) -> tuple[int, int, tuple[int, ...]]:
        """The offset of a branch or leaf, its flags, and the offsets of its nodes within it."""
        if not 2 <= number < self._pages or depth > _DEEPEST:
            raise PageError(f"a link to page {number} of {self._pages}, {depth} levels deep")
        at = number * self.page_size
        own, _, flags, lower = struct.unpack_from("<QHHH", self.view, at)
        if own != number or flags & (_BRANCH | _LEAF | _OVERFLOW | _META) not in (_BRANCH, _LEAF) or flags & 0x20:
            raise PageError(f"page {number} is not a page of the tree")
        count = (lower - _HEADER) // 2
        if not (flags & _LEAF or count >= 2) or not _HEADER <= lower <= self.page_size:
            raise PageError(f"page {number} has {count} records")
        return at, flags, struct.unpack_from(f"<{count}H", self.view, at + _HEADER)

    def _node(self, at: int, node: int) -> tuple[int, int, int, int]:
        """(low, high, flags, bytes of the key) of a node, which lies within its page with its key."""
        if not _HEADER <= node <= self.page_size - 8:
            raise PageError(f"a record at byte {node} of the page at byte {at}")
        low, high, flags, size = struct.unpack_from("<HHHH", self.view, at + node)
        if node + 8 + size > self.page_size:
            raise PageError(f"a key of {size} bytes at byte {at + node}")
        return low, high, flags, size

    def _key(self, at: int, node: int) -> bytes:
        start = at + node + 8
        return bytes(self.view[start : start + self._node(at, node)[3]])

    def _child(self, at: int, node: int) -> int:
        low, high, flags, _ = self._node(at, node)
        return low | high << 16 | flags << 32

    def _value(self, at: int, node: int) -> bytes:
        low, high, flags, key = self._node(at, node)
        size, start, end = low | high << 16, at + node + 8 + key, at + self.page_size
        if flags & (_SUB | _DUPLICATES):
            raise PageError("several values for one key, which Caffe does not write")
        if flags & _BIG:
            if start + 8 > end:
                raise PageError(f"a record at byte {at + node}")
            start, end = self._overflow(struct.unpack_from("<Q", self.view, start)[0])
        if start + size > end:
            raise PageError(f"a record of {size} bytes at byte {start}")
        return bytes(self.view[start : start + size])

    def _overflow(self, number: int) -> tuple[int, int]:
        """First byte and end of the content of overflow pages."""
        if not 2 <= number < self._pages:
            raise PageError(f"a link to page {number} of {self._pages}")
        at = number * self.page_size
        own, _, flags, count = struct.unpack_from("<QHHI", self.view, at)
        if own != number or not flags & _OVERFLOW or number + count > self._pages:
            raise PageError(f"page {number} is not the first of overflow pages")
        return at + _HEADER, at + count * self.page_size
