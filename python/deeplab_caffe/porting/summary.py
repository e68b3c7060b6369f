"""What a weight file contains: layers, shapes, statistics, and values that are NaN or infinite."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..formats.weight_files import WeightFile
from ..tables import table

#: values per step, so that the statistics of a memory-mapped file need little memory
_BLOCK = 1 << 22


@dataclass(frozen=True)
class BlobSummary:
    """One blob: its shape as stored (`legacy`: as num, channels, height, width), and statistics of its finite values.

    not_finite: number of values that are NaN or infinite; without finite values the statistics are NaN.
    """

    layer: str
    type: str
    index: int
    shape: tuple[int, ...]
    dtype: str
    legacy: bool
    mean: float
    std: float
    minimum: float
    maximum: float
    not_finite: int

    @property
    def count(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))


@dataclass(frozen=True)
class Summary:
    """A weight file: its path, size in bytes, format, and blobs in order."""

    path: str
    size: int
    container: str
    dialect: str
    layers: int
    blobs: list[BlobSummary]

    @property
    def parameters(self) -> int:
        return sum(blob.count for blob in self.blobs)

    @property
    def warnings(self) -> list[str]:
        """One sentence per blob with values that are NaN or infinite."""
        return [
            f"layer '{b.layer}' blob {b.index}: {b.not_finite} of {b.count} values are NaN or infinite"
            for b in self.blobs
            if b.not_finite
        ]

    def to_json(self) -> dict[str, Any]:
        """The summary as plain values; NaN becomes null."""
        blobs = [{key: None if value != value else value for key, value in asdict(b).items()} for b in self.blobs]
        return {**asdict(self), "blobs": blobs, "parameters": self.parameters, "warnings": self.warnings}

    def __str__(self) -> str:
        form = f"{self.container}, {self.dialect}" if self.dialect else self.container
        weighted = len({b.layer for b in self.blobs})
        head = f"{self.path}: {form}; {self.size / 1e6:.1f} MB, {self.layers} layers, {weighted} with weights, "
        return "\n".join([f"{head}{self.parameters} parameters", *table(_HEADINGS, self._rows())])

    def _rows(self) -> Iterator[list[str]]:
        for b in self.blobs:
            first = [b.layer, b.type or "-"] if b.index == 0 else ["", ""]
            shape = "x".join(map(str, b.shape)) or "scalar"
            numbers = [f"{value:.4g}" for value in (b.mean, b.std, b.minimum, b.maximum)]
            yield [*first, str(b.index), f"{shape}{' (4-D)' if b.legacy else ''}", b.dtype, *numbers]


_HEADINGS = ("layer", "type", "blob", "shape", "values", ">mean", ">std", ">least", ">greatest")


def summarise(file: WeightFile) -> Summary:
    """Summarise every blob of a file."""
    blobs = [
        BlobSummary(x.name, x.type, i, blob.data.shape, blob.dtype, blob.legacy, *_statistics(blob.data))
        for x in file.weighted
        for i, blob in enumerate(x.blobs)
    ]
    return Summary(file.path, os.path.getsize(file.path), file.container, file.dialect, len(file.layers), blobs)


def _statistics(values: np.ndarray) -> tuple[float, float, float, float, int]:
    """Mean, standard deviation, minimum and maximum of the finite values, and the number of other values."""
    flat = values.reshape(-1)
    count, total, squares, least, greatest = 0, 0.0, 0.0, np.inf, -np.inf
    for start in range(0, flat.size, _BLOCK):
        block = flat[start : start + _BLOCK]
        finite = np.isfinite(block)
        block = block if finite.all() else block[finite]
        if block.size:
            wide = block.astype(np.float64)
            count, total, squares = count + block.size, total + wide.sum(), squares + np.dot(wide, wide)
            least, greatest = min(least, block.min()), max(greatest, block.max())
    if not count:
        return np.nan, np.nan, np.nan, np.nan, flat.size
    mean = total / count
    std = max(squares / count - mean**2, 0.0) ** 0.5
    return float(mean), float(std), float(least), float(greatest), flat.size - count
