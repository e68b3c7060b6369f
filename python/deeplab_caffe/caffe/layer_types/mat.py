"""Blobs as MATLAB files. Mirrors `mat_write_layer.cpp` and `mat_read_layer.cpp` of DeepLab.

Variable `data`, class single, MATLAB dims [W, H, C, N] column-major: the blob's memory as it is. MATLAB users
permute [2 1 3]; in Python `scipy.io.loadmat(path)["data"].transpose(3, 2, 1, 0)` is (N, C, H, W).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from ...arrays import Shape
from ...files import replacing
from ...formats.mat_files import read_mat
from ...lazy import imported_on_use
from .. import mode
from ..blob import Blob
from .base import MANY, DataLayer, Layer, register
from .gradientless import SilentLayer

if TYPE_CHECKING:
    from scipy import io as scipy_io
else:
    scipy_io = imported_on_use("scipy.io")


def _names(layer: Layer, source: str, strip: int) -> list[str]:
    """The first word of each line of a list file, without its last `strip` characters."""
    if strip < 0:
        layer.fail(f"strip is {strip}, wanted 0 or more")
    with layer.reading(source, "the list, source:"):
        lines = Path(source).read_text(encoding="utf-8").splitlines()
    words = [(number, line.split()[0]) for number, line in enumerate(lines, 1) if line.strip()]
    if not words:
        layer.fail(f"the list '{source}' is empty; wanted a name on each line")
    for number, word in words:
        if len(word) <= strip:
            layer.fail(f"{source}:{number}: '{word}' is not longer than the {strip} characters to be stripped")
    return [word[: len(word) - strip] for _, word in words]


@register("MatWrite")
class MatWrite(SilentLayer):
    """Writes bottom i of every `period`-th forward to `<prefix><name>_blob_<i>.mat`; no tops.

    The name is that of the forward's entry in the list `source`, or `iter_<count>` without a list; forwards count
    from 0. A prefix that names a folder ends in a slash, and the folder must exist. A file is written whole or not
    at all.
    """

    bottoms = (1, MANY)
    tops = (0, 0)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.param.mat_write_param
        if not p.HasField("prefix"):
            self.fail("prefix is missing")
        if p.period < 1:
            self.fail(f"period is {p.period}, wanted a positive number")
        self.names = _names(self, p.source, p.strip) if p.source else []
        #: forwards so far
        self.count = 0

    def shapes_without_data(
        self, bottoms: Sequence[Shape], tops: int, image: tuple[int, int] | None
    ) -> list[Shape] | None:
        return []

    def allow_force_backward(self, bottom_index: int) -> bool:
        return False

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        for name, shape in zip(self.param.bottom, bottoms, strict=True):
            if len(shape) > 4:
                self.fail(f"bottom '{name}' {shape} has {len(shape)} axes, wanted at most 4")
        return []

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        p, count = self.param.mat_write_param, self.count
        if count % p.period == 0:
            if self.names and count >= len(self.names):
                self.fail(f"forward {count} (from 0) has no name: the list '{p.source}' has {len(self.names)}")
            stem = p.prefix + (self.names[count] if self.names else f"iter_{count}")
            for i, blob in enumerate(bottoms):
                self._write(f"{stem}_blob_{i}.mat", blob.detach().cpu().numpy())
        self.count += 1
        return []

    def _write(self, path: str, blob: np.ndarray) -> None:
        folder = Path(path).parent
        if not folder.is_dir():
            self.fail(f"cannot write '{path}': the folder '{folder}' does not exist; create it first")
        data = blob.reshape(blob.shape + (1,) * (4 - blob.ndim)).transpose(3, 2, 1, 0)
        try:
            with replacing(path) as temporary:
                scipy_io.savemat(temporary, {"data": data}, format="5", do_compression=False)
        except OSError as error:
            self.fail(f"cannot write '{path}': {error.strerror or error}")


@register("MatRead")
class MatRead(DataLayer):
    """Top i is read from `<prefix><name>_blob_<i>.mat`, one file for each item; the names of `source` wrap round.

    Tops (batch_size, C, H, W). Raises InputError for a file that is missing, holds no variable `data` of class
    single or double with dims [W, H, C, 1], or has another shape than the first.
    """

    tops = (1, MANY)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.param.mat_read_param
        if not p.HasField("prefix"):
            self.fail("prefix is missing")
        if not p.source:
            self.fail("source, the list of names, is missing")
        if p.batch_size < 1:
            self.fail(f"batch_size is {p.batch_size}, wanted a positive number")
        self.names = _names(self, p.source, p.strip)
        self.shapes = [self._read(0, i).shape for i in range(len(top))]

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        return [(self.param.mat_read_param.batch_size, *shape) for shape in self.shapes]

    def compute(self, bottoms: list[torch.Tensor], params: list[torch.Tensor]) -> list[torch.Tensor]:
        items = range(self.position, self.position + self.param.mat_read_param.batch_size)
        tops = [np.stack([self._item(item, i) for item in items]) for i in range(len(self.shapes))]
        self.position = items.stop
        return [mode.on_device(torch.from_numpy(top)) for top in tops]

    def _item(self, item: int, top: int) -> np.ndarray:
        data = self._read(item, top)
        if data.shape != self.shapes[top]:
            self.fail(f"'{self._path(item, top)}' is {data.shape} (C, H, W), the first was {self.shapes[top]}")
        return data

    def _path(self, item: int, top: int) -> str:
        return f"{self.param.mat_read_param.prefix}{self.names[item % len(self.names)]}_blob_{top}.mat"

    def _read(self, item: int, top: int) -> np.ndarray:
        """(C, H, W), float32."""
        path = self._path(item, top)
        with self.reading(path):
            data = read_mat(path, "data")
        if not isinstance(data, np.ndarray) or data.dtype not in (np.float32, np.float64) or data.ndim > 4:
            kind = f"{data.dtype} with {data.ndim} axes" if isinstance(data, np.ndarray) else type(data).__name__
            self.fail(f"'{path}': data is {kind}, wanted single with at most 4 axes [W, H, C, N]")
        data = data.reshape(data.shape + (1,) * (4 - data.ndim))
        if data.shape[3] != 1:
            self.fail(f"'{path}' holds {data.shape[3]} items, wanted 1")
        return np.ascontiguousarray(data[..., 0].transpose(2, 1, 0), dtype=np.float32)
