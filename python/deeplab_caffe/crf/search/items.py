"""The input of the search: images with their scores and labels, on disk or in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...arrays import Size
from ...data.images import read_image
from ...data.labels import read_label
from ...data.score_kinds import Kind, kind_of
from ...data.score_maps import open_score_map
from ...errors import InputError
from ...reading import read_bytes
from ..inference import check_inputs
from ..unary import DEFAULT_CONFIDENCE, input_size, resize_scores, unary_of_kind


class Sample(NamedTuple):
    """`image` (H, W, 3) RGB of 0 to 255, `unary` (C, H, W) energies, `label` (H, W) class indices."""

    image: NDArray
    unary: NDArray[np.float32]
    label: NDArray


class Item(Protocol):
    """What the search needs of an item; it must be picklable if processes share the work."""

    @property
    def name(self) -> str:
        """Its name in messages."""

    def load(self) -> Sample:
        """The arrays. Raises InputError."""

    def digest(self) -> str:
        """A hash of the contents, so that results of other contents are not reused."""


@dataclass(frozen=True)
class FileItem:
    """An image file, its score map (in any format of `data.score_maps`) and its label file.

    `size` (H, W) is that of the net's input, to which the scores are enlarged before they are cropped to the image at
    the top left; for example (513, 513) for scores of 65 x 65. Without it the scores must have the size of the image,
    or be larger by padding at the right and the bottom. `kind`: what the map contains. Hard labels of `classes` classes
    are right with probability `confidence`, those that are 255 unknown. `upright`: the image is turned as its EXIF data
    says. An image without a `label` ("") can be refined but not scored: every pixel's label is 255.
    """

    image: str
    scores: str
    label: str
    size: Size | None = None
    kind: Kind = "scores"
    confidence: float = DEFAULT_CONFIDENCE
    classes: int | None = None
    upright: bool = False

    @property
    def name(self) -> str:
        """The files' paths."""
        return f"{self.image} with {self.scores} and {self.label}"

    def load(self) -> Sample:
        """Read the three files. Raises InputError that names the file."""
        image = read_image(self.image, self.upright)
        label = read_label(self.label) if self.label else np.full(image.shape[:2], 255, np.uint8)
        maps = open_score_map(self.scores, self.kind)
        kind = kind_of(maps, self.scores, self.kind)
        if kind != "labels":
            return _sample(image, maps, label, self.size, self.name, kind)
        try:
            unary = unary_of_kind(maps, kind, self.classes or len(maps), self.confidence)
        except InputError as error:
            raise InputError(f"{self.scores}: {error}") from None
        return _sample(image, -unary, label, None, self.name)

    def digest(self) -> str:
        """A hash of the files' bytes and of how they are read. Raises InputError for a file that cannot be read."""
        labels = [self.confidence, self.classes] if self.kind != "scores" else []
        read_as = (self.size, self.kind, *labels, *["upright"] * self.upright)
        total = hashlib.blake2b(repr(read_as).encode(), digest_size=16)
        scores = Path(self.scores)
        parts = sorted(scores.glob("*.png")) if scores.is_dir() else [scores]
        for path in (Path(self.image), *parts, *([Path(self.label)] if self.label else [])):
            total.update(hashlib.blake2b(read_bytes(path)).digest())
        return total.hexdigest()


@dataclass(frozen=True, eq=False)
class ArrayItem:
    """Arrays in memory: `image` (H, W, 3), `scores` (C, h, w), `label` (H, W), `size` as in FileItem."""

    image: NDArray
    scores: NDArray
    label: NDArray
    size: Size | None = None
    name: str = "arrays"

    def load(self) -> Sample:
        """The arrays, with the scores at the image's size. Raises InputError."""
        return _sample(self.image, self.scores, self.label, self.size, self.name)

    def digest(self) -> str:
        """A hash of the arrays' bytes, shapes and types."""
        total = hashlib.blake2b(repr(self.size).encode(), digest_size=16)
        for array in (self.image, self.scores, self.label):
            total.update(f"{array.shape}{array.dtype}".encode() + np.ascontiguousarray(array).tobytes())
        return total.hexdigest()


def _sample(
    image: NDArray, maps: NDArray, label: NDArray, size: Size | None, name: str, kind: Kind = "scores"
) -> Sample:
    height, width = image.shape[:2]
    if label.shape != (height, width):
        raise InputError(f"{name}: the image is {height} x {width} (H x W) and the label {label.shape}")
    if maps.ndim != 3:
        raise InputError(f"{name}: the scores have shape {maps.shape}, wanted (classes, height, width)")
    try:
        full = input_size(maps.shape, size, (height, width))
        unary = unary_of_kind(resize_scores(maps, full, (height, width)), kind)
        return Sample(*check_inputs(image, unary), label)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error


ItemT = TypeVar("ItemT")


def choose_evenly(items: Sequence[ItemT], count: int) -> list[ItemT]:
    """At most `count` items, evenly spaced over the sequence, beginning with the first."""
    if len(items) <= count:
        return list(items)
    return [items[i * len(items) // count] for i in range(count)]
