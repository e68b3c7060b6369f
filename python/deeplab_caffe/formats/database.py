"""Key-value stores of datums, for reading: LMDB, and LevelDB where plyvel is installed. Mirrors `util/db*.cpp`."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator
from typing import Any, Protocol

import lmdb

from ..errors import InputError


class Database(Protocol):
    """Records in the order of their keys. `get` may be called from any thread."""

    def __len__(self) -> int:
        """The number of records."""

    def keys(self) -> Iterator[bytes]:
        """All keys, from the first."""

    def get(self, key: bytes) -> bytes:
        """The value of a key that there is."""


def open_database(path: str, backend: str) -> Database:
    """Open the store in the folder `path`; `backend` is 'lmdb' or 'leveldb'.

    Raises InputError where there is no such folder, it holds another kind of store, the store is damaged or
    truncated, or plyvel is missing.
    """
    if not path:
        raise InputError("states no source; wanted the folder of a database")
    if not os.path.isdir(path):
        what = "is a file" if os.path.exists(path) else "is not there"
        raise InputError(f"{path}: {what}; wanted the folder of an {backend} database")
    kind = _kind(path)
    if kind is None:
        raise InputError(f"{path}: the folder holds no database; wanted one of kind {backend}")
    if kind != backend:
        raise InputError(f"{path}: the folder holds a database of kind {kind}; state backend: {kind.upper()}")
    return _Lmdb(path) if backend == "lmdb" else _leveldb(path)


def _kind(path: str) -> str | None:
    names = os.listdir(path)
    return "lmdb" if "data.mdb" in names else "leveldb" if "CURRENT" in names else None


class _Lmdb:
    """An LMDB environment, without its lock file: neither the folder nor the file is written to."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self._env = lmdb.open(path, readonly=True, create=False, lock=False)
        except lmdb.Error as error:
            raise InputError(f"{path}: cannot open the LMDB: {error}") from None
        # Reading beyond the end of a mapped file would end the process.
        size = os.path.getsize(os.path.join(path, "data.mdb"))
        wanted = (self._env.info()["last_pgno"] + 1) * self._env.stat()["psize"]
        if size < wanted:
            raise InputError(f"{path}: data.mdb is truncated: {size} bytes, wanted {wanted}; copy it again")

    def __len__(self) -> int:
        return int(self._env.stat()["entries"])

    def keys(self) -> Iterator[bytes]:
        try:
            with self._env.begin() as transaction, transaction.cursor() as cursor:
                yield from cursor.iternext(keys=True, values=False)
        except lmdb.Error as error:
            raise InputError(f"{self.path}: the LMDB is damaged: {error}") from None

    def get(self, key: bytes) -> bytes:
        try:
            with self._env.begin() as transaction:
                value = transaction.get(key)
        except lmdb.Error as error:
            raise InputError(f"{self.path}: the LMDB is damaged: {error}") from None
        if value is None:
            raise InputError(f"{self.path}: the record {key!r} is gone")
        return bytes(value)


class _LevelDb:
    """A LevelDB, which counts its records only when asked."""

    def __init__(self, path: str, database: Any) -> None:
        self.path = path
        self._database = database

    def __len__(self) -> int:
        return sum(1 for _ in self.keys())

    def keys(self) -> Iterator[bytes]:
        yield from self._database.iterator(include_value=False)

    def get(self, key: bytes) -> bytes:
        value = self._database.get(key)
        if value is None:
            raise InputError(f"{self.path}: the record {key!r} is gone")
        return bytes(value)


#: by path: a LevelDB is locked by whoever opens it, and the nets of one process may share it
_open_leveldbs: weakref.WeakValueDictionary[str, _LevelDb] = weakref.WeakValueDictionary()


def _leveldb(path: str) -> _LevelDb:
    try:
        import plyvel
    except ImportError:
        raise InputError(
            f"{path}: reading a LevelDB (backend: LEVELDB) needs the package plyvel: pip install plyvel; "
            "or convert the data to LMDB and state backend: LMDB"
        ) from None
    key = os.path.realpath(path)
    database = _open_leveldbs.get(key)
    if database is None:
        try:
            database = _LevelDb(path, plyvel.DB(path, create_if_missing=False))
        except plyvel.Error as error:
            raise InputError(f"{path}: cannot open the LevelDB: {error}") from None
        _open_leveldbs[key] = database
    return database
