"""Read databases of datums: LMDB, and LevelDB if plyvel is installed. Mirrors `util/db*.cpp`."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any, Protocol

from ..errors import InputError
from ..reading import reading, reason_of
from .lmdb_pages import LmdbFile


class Database(Protocol):
    """An open database: records in the order of their keys. `get` may be called from any thread."""

    def __len__(self) -> int:
        """The number of records."""

    def keys(self) -> Iterator[bytes]:
        """All keys in order."""

    def get(self, key: bytes) -> bytes:
        """The value of an existing key."""


def open_database(path: str, backend: str) -> Database:
    """Open a database for reading.

    Args:
        path: the folder of the database.
        backend: "lmdb" or "leveldb".

    Raises:
        InputError: the folder does not exist or holds another kind of database, the database is damaged or truncated,
            or plyvel is missing.
    """
    if not path:
        raise InputError("source is missing; expected the folder of a database")
    if not os.path.isdir(path):
        what = "is a file" if os.path.exists(path) else "does not exist"
        raise InputError(f"{path}: {what}; expected the folder of a database of kind {backend}")
    kind = _kind(path)
    if kind is None:
        raise InputError(f"{path}: the folder has no database; expected one of kind {backend}")
    if kind != backend:
        raise InputError(f"{path}: the folder has a database of kind {kind}; set backend: {kind.upper()}")
    return _Lmdb(path) if backend == "lmdb" else _leveldb(path)


def _kind(path: str) -> str | None:
    names = os.listdir(path)
    return "lmdb" if "data.mdb" in names else "leveldb" if "CURRENT" in names else None


class _Lmdb:
    """An LMDB, read without its lock file: nothing is written to the folder."""

    def __init__(self, path: str) -> None:
        self.path = os.path.join(path, "data.mdb")
        with reading(self.path, "the LMDB", "cannot open the LMDB"):
            self._file = LmdbFile(self.path)

    def _reading(self) -> AbstractContextManager[None]:
        return reading(self.path, "the LMDB", "the LMDB is damaged")

    def __len__(self) -> int:
        return self._file.entries

    def keys(self) -> Iterator[bytes]:
        with self._reading():
            yield from self._file.keys()

    def get(self, key: bytes) -> bytes:
        with self._reading():
            value = self._file.get(key)
        if value is None:
            raise InputError(f"{self.path}: record {key!r} is missing")
        return value


class _LevelDb:
    """A LevelDB; its records are counted only on request."""

    def __init__(self, path: str, database: Any) -> None:
        self.path = path
        self._database = database

    def __len__(self) -> int:
        return sum(1 for _ in self.keys())

    def keys(self) -> Iterator[bytes]:
        with reading(self.path, "the LevelDB", "the LevelDB is damaged"):
            yield from self._database.iterator(include_value=False)

    def get(self, key: bytes) -> bytes:
        with reading(self.path, "the LevelDB", "the LevelDB is damaged"):
            value = self._database.get(key)
        if value is None:
            raise InputError(f"{self.path}: record {key!r} is missing")
        return bytes(value)


#: open databases by path: opening a LevelDB locks it, and the nets of one process may share it
_open_leveldbs: weakref.WeakValueDictionary[str, _LevelDb] = weakref.WeakValueDictionary()


def _leveldb(path: str) -> _LevelDb:
    try:
        import plyvel
    except ImportError:
        raise InputError(
            f"{path}: reading a LevelDB (backend: LEVELDB) needs the package plyvel: pip install plyvel; "
            "or convert the data to LMDB and set backend: LMDB"
        ) from None
    key = os.path.realpath(path)
    database = _open_leveldbs.get(key)
    if database is None:
        try:
            database = _LevelDb(path, plyvel.DB(path, create_if_missing=False))
        except Exception as error:
            raise InputError(f"{path}: cannot open the LevelDB: {reason_of(error)}") from error
        _open_leveldbs[key] = database
    return database
