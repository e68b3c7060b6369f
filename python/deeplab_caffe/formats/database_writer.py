"""New key-value stores of datums: LMDB, and LevelDB where plyvel is installed. Mirrors `util/db*.cpp`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

import lmdb

from ..errors import InputError
from ..files import new_folder

#: records that are written together
_TOGETHER = 1000
#: bytes that an LMDB may grow to at first; doubled whenever it is full
_ROOM = 1 << 28


class DatabaseWriter(Protocol):
    """A store in the making; its records become those of a database when `new_database` ends well."""

    def put(self, key: bytes, value: bytes) -> None:
        """Add a record; the last one of a key counts."""


@contextmanager
def new_database(path: str | os.PathLike[str], backend: str) -> Iterator[DatabaseWriter]:
    """A new store in the folder `path`, 'lmdb' or 'leveldb', whole or not at all: it is made beside and renamed.

    Raises InputError where the folder is there already, cannot be written (a full disk), or plyvel is missing.
    """
    target = Path(path)
    if target.exists():
        raise InputError(f"{target}: is there already; remove it, or name another database")
    if backend not in ("lmdb", "leveldb"):
        raise InputError(f"unknown backend '{backend}'; wanted lmdb or leveldb")
    try:
        with new_folder(target) as beside, closing(_writer(beside, backend)) as writer:
            yield writer
            writer.flush()
    except lmdb.Error as error:
        raise InputError(f"{target}: cannot write the database: {error}") from None


def _writer(folder: Path, backend: str) -> _Lmdb | _LevelDb:
    return _Lmdb(folder) if backend == "lmdb" else _LevelDb(folder)


class _Lmdb:
    def __init__(self, folder: Path) -> None:
        self._env = lmdb.open(str(folder), map_size=_ROOM)
        self._pending: dict[bytes, bytes] = {}

    def put(self, key: bytes, value: bytes) -> None:
        self._pending[key] = value
        if len(self._pending) >= _TOGETHER:
            self.flush()

    def flush(self) -> None:
        while self._pending:
            try:
                with self._env.begin(write=True) as transaction:
                    for key, value in self._pending.items():
                        transaction.put(key, value)
                self._pending.clear()
            except lmdb.MapFullError:
                self._env.set_mapsize(2 * self._env.info()["map_size"])

    def close(self) -> None:
        self._env.close()


class _LevelDb:
    def __init__(self, folder: Path) -> None:
        try:
            import plyvel
        except ImportError:
            raise InputError("a LevelDB needs the package plyvel: pip install plyvel; or write an LMDB") from None
        self._database: Any = plyvel.DB(str(folder), create_if_missing=True)

    def put(self, key: bytes, value: bytes) -> None:
        try:
            self._database.put(key, value)
        except OSError as error:  # plyvel's errors are of these
            raise InputError(f"cannot write the LevelDB: {error}") from None

    def flush(self) -> None:
        """Every record is written when it is put."""

    def close(self) -> None:
        self._database.close()
