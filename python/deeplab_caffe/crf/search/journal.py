"""The results of a search, in a file that stays valid if the search is killed at any moment."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ...locks import locked
from ...reading import check_plain
from .space import Setting

Matrix = NDArray[np.int64]
Key = tuple[str, Setting | None]

_HEADER = b'{"deeplab": "crf-search", "journal": 2}\n'


class Journal:
    """Confusion matrices by digest and setting (None: without CRF); if a path is given, also kept in a file.

    The first line of the file identifies it. Each further line holds the results for one image on one lattice, with a
    checksum before them, and is appended by one write. A line that is incomplete or damaged is ignored when the file
    is read: its image is evaluated again. A digest covers an item's contents and everything that is fixed in the
    search, so lines of other inputs are never used, and a line that occurs twice counts once. Only one search at a time
    can use the file.
    Raises InputError for a file that is not a journal, and for one that is in use.
    """

    def __init__(self, path: str | os.PathLike[str] | None) -> None:
        self._matrices: dict[Key, Matrix] = {}
        self._file: BinaryIO | None = None
        if path is None:
            return
        self._path = Path(path)
        if self._path.exists():
            check_plain(self._path)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as opened:
            busy = f"{self._path}: another search is using this journal"
            opened.enter_context(locked(self._path.with_name(f".{self._path.name}.lock"), busy))
            self._file = opened.enter_context(self._path.open("a+b", buffering=0))
            self._read()
            self._opened = opened.pop_all()

    def _read(self) -> None:
        """Read the complete lines of the file, and cut off an incomplete last one."""
        assert self._file is not None
        data = self._path.read_bytes()
        if len(data) < len(_HEADER) and _HEADER.startswith(data):
            self._file.truncate(0)
            self._file.write(_HEADER)
            return
        if not data.startswith(_HEADER):
            raise InputError(f"{self._path}: not the journal of a CRF search; name another file, or delete this one")
        whole = data.rfind(b"\n") + 1
        self._file.truncate(whole)
        lines = data[len(_HEADER) : whole].splitlines()
        damaged = sum(not self._take(line) for line in lines)
        if damaged:
            print(
                f"{self._path}: {damaged} of {len(lines)} lines are damaged; their images are evaluated again",
                file=sys.stderr,
            )

    def _take(self, line: bytes) -> bool:
        """Store the matrices of a line; False if it is damaged."""
        checksum, _, text = line.partition(b" ")
        if checksum != _checksum(text):
            return False
        try:
            self._matrices.update(_matrices(text))
        except Exception:  # the checksum is right, but it was not a search that wrote it
            return False
        return True

    def __contains__(self, key: Key) -> bool:
        return key in self._matrices

    def __getitem__(self, key: Key) -> Matrix:
        return self._matrices[key]

    def __iter__(self) -> Iterator[Key]:
        return iter(self._matrices)

    def add(self, digest: str, settings: Sequence[Setting | None], matrices: Sequence[Matrix]) -> None:
        """Store the results on one lattice; they are written to the file before this returns."""
        self._matrices.update(((digest, setting), matrix) for setting, matrix in zip(settings, matrices, strict=True))
        if self._file is None:
            return
        counted = [[setting, *_sparse(matrix)] for setting, matrix in zip(settings, matrices, strict=True)]
        text = json.dumps([digest, len(matrices[0]), counted], separators=(",", ":")).encode()
        self._file.write(_checksum(text) + b" " + text + b"\n")

    def close(self) -> None:
        """Close the file, so that another search can use it."""
        if self._file is not None:
            self._opened.close()


def _sparse(matrix: Matrix) -> tuple[list[Any], list[Any]]:
    places = np.flatnonzero(matrix)
    return places.tolist(), matrix.flat[places].tolist()


def _checksum(text: bytes) -> bytes:
    return b"%08x" % zlib.crc32(text)


def _matrices(text: bytes) -> dict[Key, Matrix]:
    """The matrices in the JSON of a line."""
    digest, classes, counted = json.loads(text)
    found: dict[Key, Matrix] = {}
    for setting, places, counts in counted:
        matrix = np.zeros((classes, classes), np.int64)
        matrix.flat[places] = counts
        found[digest, Setting(*setting) if setting else None] = matrix
    return found
