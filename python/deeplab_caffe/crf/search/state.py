"""Scores that were already counted, kept in a file so that a search can be killed and go on."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deeplab_caffe.errors import InputError

from .space import Setting

Matrix = NDArray[np.int64]
Key = tuple[str, Setting | None]


class State:
    """Confusion matrices by item digest and setting (None: without CRF); with a path, each is also a line of a file.

    The file is only ever appended to. A digest covers the item's contents and all that is fixed in the search, so lines
    of other inputs are never used; a last line that was cut off by a kill is dropped.
    Raises InputError for a file that this class did not write.
    """

    def __init__(self, path: str | os.PathLike[str] | None) -> None:
        self._matrices: dict[Key, Matrix] = {}
        self._file = None
        if path is None:
            return
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = self._read(path) if path.exists() else 0
        self._file = path.open("ab")
        self._file.truncate(whole)

    def _read(self, path: Path) -> int:
        """Take up the file's lines; return the length of its whole lines."""
        data = path.read_bytes()
        whole = data.rfind(b"\n") + 1
        for number, line in enumerate(data[:whole].splitlines(), 1):
            try:
                digest, setting, classes, entries = json.loads(line)
                matrix = np.zeros((classes, classes), np.int64)
                matrix.flat[entries[0]] = entries[1]
                self._matrices[digest, Setting(*setting) if setting else None] = matrix
            except (ValueError, TypeError, IndexError) as error:
                raise InputError(
                    f"{path}:{number}: not a line of a CRF search's state; name another file, or delete this one"
                ) from error
        return whole

    def __contains__(self, key: Key) -> bool:
        return key in self._matrices

    def __getitem__(self, key: Key) -> Matrix:
        return self._matrices[key]

    def add(self, key: Key, matrix: Matrix) -> None:
        """Keep a matrix, on disk too."""
        self._matrices[key] = matrix
        if self._file is not None:
            places = np.flatnonzero(matrix)
            entries = [places.tolist(), matrix.flat[places].tolist()]
            self._file.write(json.dumps([*key, len(matrix), entries], separators=(",", ":")).encode() + b"\n")

    def flush(self) -> None:
        """Hand what was added to the operating system, which keeps it when this process is killed."""
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        """Flush and close the file."""
        if self._file is not None:
            self._file.close()
