"""Write databases of datums: LMDB, and LevelDB if plyvel is installed. Mirrors `util/db*.cpp`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

import lmdb

from ..errors import InputError
from ..files import new_folder

#: records per transaction
_TOGETHER = 1000
#: the size limit of a new LMDB in bytes; doubled whenever it is full
_ROOM = 1 << 28


class DatabaseWriter(Protocol):
    """A database while it is written; it gets its name when `new_database` ends without an error."""

    def put(self, key: bytes, value: bytes) -> None:
        """Add a record; a later record of the same key replaces it."""


@contextmanager
def new_database(path: str | os.PathLike[str], backend: str) -> Iterator[DatabaseWriter]:
    """Write a new database, whole or not at all: it is written beside `path` and then renamed.

    Args:
        path: the folder of the database, which must not exist yet.
        backend: "lmdb" or "leveldb".

    Raises:
        InputError: the folder exists already or cannot be written (such as on a full disk), or plyvel is missing.
    """
    target = Path(path)
    if target.exists():
        raise InputError(f"{target}: exists already; remove it or choose another name")
    if backend not in ("lmdb", "leveldb"):
        raise InputError(f"unknown backend '{backend}'; expected lmdb or leveldb")
    try:
        with new_folder(target) as beside, closing(_writer(beside, backend)) as writer:
            yield writer
            writer.flush()
    except lmdb.Error as error:
        raise InputError(f"{target}: cannot write the database: {error}") from None


def _writer(folder: Path, backend: str) -> _LmdbWriter | _LevelDbWriter:
    return _LmdbWriter(folder) if backend == "lmdb" else _LevelDbWriter(folder)


class _LmdbWriter:
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


class _LevelDbWriter:
    def __init__(self, folder: Path) -> None:
        try:
            import plyvel
        except ImportError:
            raise InputError("a LevelDB needs the package plyvel: pip install plyvel; or write an LMDB") from None
        self._database: Any = plyvel.DB(str(folder), create_if_missing=True)

    def put(self, key: bytes, value: bytes) -> None:
        try:
            self._database.put(key, value)
        except OSError as error:  # plyvel's errors are OSErrors
            raise InputError(f"cannot write the LevelDB: {error}") from None

    def flush(self) -> None:
        """Nothing to do: `put` writes every record at once."""

    def close(self) -> None:
        self._database.close()
