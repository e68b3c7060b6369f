"""Refining one image: reads the image and its score map, writes the refined files."""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...arrays import Palette, Size
from ...data.images import open_image
from ...data.score_kinds import Kind
from ...errors import InputError, Stopped
from ...progress import Progress
from ..inference import check_image, check_inputs, crf_labels, dense_crf
from ..params import CRFParameters, check_compact
from ..pool import stopping
from .outputs import Output, Probabilities, outputs
from .regions import ImageScores, MapReading, Region, image_scores
from .tiles import DEFAULT_OVERLAP, bands, default_tile, infer_region

#: only one image at a time is processed in tiles, which keep all threads busy
_ONE_IN_TILES = threading.Lock()
_LOOKED_AT = 1 << 20  # pixels


class Task(NamedTuple):
    """One image of a batch, turned as its EXIF data says if `upright`; results are `<id>.<format>`."""

    id: str
    scores: Path
    image: Path
    upright: bool = False


class Outcome(NamedTuple):
    """What became of a task: the kind of its score map, or the error message."""

    kind: Kind | None
    message: str | None


@dataclass(frozen=True)
class Refiner:
    """Refines score maps with the CRF.

    Args:
        parameters: of the CRF.
        folder: where the results are written, as `<id>.<format>`.
        formats: some of `FORMATS`.
        palette: the colours of PNGs; None for those of VOC.
        reading: what the maps contain (see `data.score_kinds`), and how labels are read.
        size: (H, W) of the net's input, to which smaller maps are enlarged; "image" for the image's size; None if maps
            are not enlarged.
        tile: the side of a tile in pixels, margins included; None for 1024 or 6 margins; 0 for no tiles. Images of up
            to twice a tile's pixels are processed in one piece.
        overlap: the margin in units of sigma_alpha.
        compact: see `dense_crf`.
        threads: for the tiles of one image.
        quiet: no progress.

    Raises:
        InputError: a value is out of range, or the tile is too small for its margins.
    """

    parameters: CRFParameters
    folder: Path
    formats: tuple[str, ...] = ("png",)
    palette: Palette | None = None
    reading: MapReading = MapReading()
    size: Size | str | None = None
    tile: int | None = None
    overlap: float = DEFAULT_OVERLAP
    compact: float = 0.0
    threads: int = 1
    quiet: bool = False

    def __post_init__(self) -> None:
        check_compact(self.compact)
        if not 0 <= self.overlap < math.inf:
            raise InputError(f"CRF: overlap is {self.overlap:g}, wanted 0 or more (units of sigma_alpha)")
        least = max(4 * self.margin, 16)
        if self.tile and self.tile < least:
            raise InputError(
                f"CRF: a tile of {self.tile} pixels is too small for margins of {self.margin} (overlap "
                f"{self.overlap:g} x sigma_alpha {self.parameters.sigma_alpha:g}); wanted {least} or more"
            )

    @property
    def margin(self) -> int:
        """The margin of a tile, in pixels."""
        return round(self.overlap * self.parameters.sigma_alpha)

    @property
    def side(self) -> int:
        """The side of a tile in pixels, margins included; 0 for no tiles."""
        return default_tile(self.margin) if self.tile is None else self.tile

    def __call__(self, task: Task) -> Outcome:
        """Refine one image."""
        try:
            return Outcome(self.refine(task), None)
        except InputError as error:
            message = str(error)
        except OSError as error:  # errors of reading are InputErrors
            message = f"{self.folder / task.id}: cannot be written: {error.strerror or error}"
        except MemoryError as error:
            message = f"{task.image}: out of memory ({error}); use fewer workers, or a smaller tile"
        return Outcome(None, message)

    def refine(self, task: Task) -> Kind:
        """Refine one image and write its files, whole or not at all; the kind of its map. Raises InputError."""
        image = open_image(task.image, task.upright)
        size = (image.shape[0], image.shape[1])
        net_size: Any = size if self.size == "image" else self.size
        scores = image_scores(task.scores, self.reading, net_size, size)
        if "png" in self.formats and scores.classes > 256:
            raise InputError(f"{task.scores}: {scores.classes} classes do not fit into a PNG; use --format bin or npy")
        with outputs(self.folder / task.id, self.formats, size, scores.classes, self.palette) as files:
            if self.side and size[0] * size[1] > 2 * self.side**2:
                with _ONE_IN_TILES:
                    _unless_stopping(task)
                    self._in_tiles(task, image, scores, files)
            else:
                whole = Region(0, 0, *size)
                with _band(files, size[0]):
                    _put(files, whole, *self._in_one_piece(task, image, scores.unary(whole)))
        return scores.kind

    def _in_one_piece(self, task: Task, image: NDArray, unary: NDArray) -> tuple[NDArray, Probabilities]:
        try:
            if "npy" not in self.formats:
                return crf_labels(image, unary, self.parameters, compact=self.compact), None
            probabilities = dense_crf(image, unary, self.parameters, compact=self.compact)
        except InputError as error:
            raise InputError(f"{task.scores} on {task.image}: {error}") from None
        return probabilities.argmax(axis=0), probabilities

    def _in_tiles(self, task: Task, image: NDArray, scores: ImageScores, files: Sequence[Output]) -> None:
        size = (image.shape[0], image.shape[1])
        self._check_levels(task, image)
        rows = list(bands(size, self.side, self.margin))

        def infer(pair: tuple[Region, Region]) -> None:
            _put(files, pair[0], *self._tile(task, image, scores, *pair))

        pool, done = ThreadPoolExecutor(self.threads), 0
        try:
            with Progress(f"crf {task.id}", sum(map(len, rows)), unit="tile", shown=not self.quiet) as progress:
                for row in rows:
                    with _band(files, row[0][0].size[0]):
                        for _ in pool.map(infer, row):
                            progress.reach(done := done + 1)
                            _unless_stopping(task)
        finally:
            pool.shutdown(cancel_futures=True)

    def _check_levels(self, task: Task, image: NDArray) -> None:
        """Check on every n-th row that the image was not divided by 255; a single tile may just be dark."""
        try:
            rows = image[:: max(1, image.shape[0] * image.shape[1] // _LOOKED_AT)]
            check_image(rows, self.parameters.sigma_beta, rows.shape[:2])
        except InputError as error:
            raise InputError(f"{task.image}: {error}") from None

    def _tile(
        self, task: Task, image: NDArray, scores: ImageScores, part: Region, grown: Region
    ) -> tuple[NDArray, Probabilities]:
        pixels = open_image(task.image, task.upright) if isinstance(image, np.memmap) else image
        try:
            # sigma_beta 0: the levels have been checked
            given = check_inputs(np.array(pixels[grown.slices]), scores.reopened().unary(grown), sigma_beta=0)
        except InputError as error:
            raise InputError(
                f"{task.scores} on {task.image}, in the tile from row {grown.top} and column {grown.left} on: {error}"
            ) from None
        beliefs = infer_region(*given, grown, self.parameters, self.compact)
        rows = slice(part.top - grown.top, part.bottom - grown.top)
        columns = slice(part.left - grown.left, part.right - grown.left)
        probabilities = beliefs.probabilities()[:, rows, columns] if "npy" in self.formats else None
        return beliefs.labels()[rows, columns], probabilities


def _unless_stopping(task: Task) -> None:
    if stopping():
        raise Stopped(f"{task.id}: interrupted")


def _put(files: Sequence[Output], part: Region, labels: NDArray, probabilities: Probabilities) -> None:
    for file in files:
        file.put(part, labels, probabilities)


@contextlib.contextmanager
def _band(files: Sequence[Output], height: int) -> Iterator[None]:
    """Begin a band of rows in all files, and end it when all its parts are written."""
    for file in files:
        file.begin_band(height)
    yield
    for file in files:
        file.end_band()
