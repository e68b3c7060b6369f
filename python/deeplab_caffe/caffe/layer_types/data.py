"""Layers that bring data from the user and from HDF5 files. Mirrors `input_layer.cpp`, `hdf5_data_layer.cpp`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from ...arrays import Shape
from ...formats.weights_hdf5 import members
from ...lazy import imported_on_use
from .. import log, mode
from ..blob import Blob
from .base import MANY, DataLayer, Layer, register

if TYPE_CHECKING:
    import h5py
else:
    h5py = imported_on_use("h5py")


@register("Input")
class Input(Layer):
    """Tops of the stated shapes (none, one for all, or one for each); the user writes their contents."""

    bottoms = (0, 0)
    tops = (1, MANY)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shapes = self.param.input_param.shape
        if len(shapes) not in (0, 1, len(top)):
            self.fail(f"states {len(shapes)} shapes for {len(top)} tops, wanted none, one, or one for each")
        for i, blob in enumerate(top):
            if shapes:
                blob.reshape(*shapes[i if len(shapes) > 1 else 0].dim)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        pass

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        pass

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        pass


#: HDF5's word for the kinds of numbers
_CLASSES = {"f": "FLOAT", "i": "INTEGER", "u": "INTEGER"}


@register("HDF5Data")
class HDF5Data(DataLayer):
    """Batches of rows from the .h5 files that the list `source` names; each top is the dataset of its name.

    Batches run across files and wrap round; `shuffle` permutes files and rows. Values become float32.
    """

    tops = (1, MANY)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.param.hdf5_data_param
        if self.param.HasField("transform_param"):
            self.fail("does not support transform_param")
        if p.batch_size < 1:
            self.fail("batch_size is 0 or not stated, wanted a positive number")
        log.detail(f"Loading list of HDF5 filenames from: {p.source}", "hdf5_data_layer.cpp:79")
        with self.reading(p.source, "the list of files, source:"):
            self.files = Path(p.source).read_text(encoding="utf-8-sig").split()
        if not self.files:
            self.fail(f"the list '{p.source}' is empty; wanted the names of .h5 files")
        log.detail(f"Number of HDF5 files: {len(self.files)}", "hdf5_data_layer.cpp:93")
        self._pass = 0
        self._file = self._row = 0
        self._first: tuple[str, list[Shape]] | None = None
        self._start_pass()

    def _start_pass(self) -> None:
        self._order = list(range(len(self.files)))
        if self.param.hdf5_data_param.shuffle:
            self._order = list(self._random(0).permutation(len(self.files)))
        self._file = 0
        self._open()

    def _random(self, salt: int) -> np.random.Generator:
        return np.random.default_rng([mode.seed(), self._pass, salt])

    def _open(self) -> None:
        path = self.files[self._order[self._file]]
        what = f"a file that '{self.param.hdf5_data_param.source}' names,"
        with self.reading(path, what), h5py.File(path, "r") as file:
            self._rows = [self._read(file, name) for name in self.param.top]
        counts = {len(rows) for rows in self._rows}
        if len(counts) != 1 or 0 in counts:
            self.fail(f"{path}: the datasets have {sorted(counts)} rows, wanted one number of rows, above 0")
        self._check_shapes(path)
        self._row = 0
        count = counts.pop()
        shuffle = self.param.hdf5_data_param.shuffle
        self._row_order = self._random(self._file + 1).permutation(count) if shuffle else np.arange(count)

    def _read(self, file: h5py.File, name: str) -> np.ndarray:
        """The rows of a dataset."""
        if name not in file:
            self.fail(f"{file.filename} has no dataset '{name}' (it has {', '.join(sorted(file))})")
        rows = dict(members(file, file.filename, only=name))[name]
        if not isinstance(rows, h5py.Dataset) or not rows.shape:
            self.fail(f"{file.filename}: '{name}' is not a dataset of rows")
        log.detail_once(f"Datatype class: H5T_{_CLASSES.get(rows.dtype.kind, 'OTHER')}", "hdf5.cpp:32")
        return np.asarray(rows, dtype=np.float32)

    def _check_shapes(self, path: str) -> None:
        """Rows must be of one shape in all files: batches run across them."""
        shapes = [rows.shape[1:] for rows in self._rows]
        self._first = self._first or (path, shapes)
        for name, shape, wanted in zip(self.param.top, shapes, self._first[1], strict=True):
            if shape != wanted:
                self.fail(f"{path}: the rows of '{name}' have shape {shape}, those of {self._first[0]} {wanted}")

    def _take(self, count: int) -> list[list[np.ndarray]]:
        """The next rows, as pieces for each top."""
        pieces: list[list[np.ndarray]] = [[] for _ in self._rows]
        while count > 0:
            if self._row == len(self._row_order):
                self._file += 1
                if self._file == len(self.files):
                    self._pass += 1
                    self._start_pass()
                else:
                    self._open()
            rows = self._row_order[self._row : self._row + count]
            for piece, values in zip(pieces, self._rows, strict=True):
                piece.append(values[rows])
            self._row += len(rows)
            count -= len(rows)
        return pieces

    def seek(self, position: int) -> None:
        self._pass = 0
        self._start_pass()
        self.position = 0
        self._take(position)
        self.position = position

    def contents(self) -> str:
        return f"{len(self.files)} files"

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        return [(self.param.hdf5_data_param.batch_size, *rows.shape[1:]) for rows in self._rows]

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        count = self.param.hdf5_data_param.batch_size * self.sharers
        self.position += count
        tops = [np.concatenate(pieces)[self.share :: self.sharers] for pieces in self._take(count)]
        return [mode.on_device(torch.from_numpy(np.ascontiguousarray(values))) for values in tops]
