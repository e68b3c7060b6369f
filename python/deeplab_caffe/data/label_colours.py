"""Turns label files that show classes as colours into class indices, by the palette of a data set."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..arrays import Label
from ..errors import InputError
from ..formats.encoded_images import decode_image
from ..lazy import imported_on_use
from ..reading import read_bytes, reading
from . import indexed_png
from .dataset import Dataset
from .label_conversion import Reader, Tally
from .labels import read_label

if TYPE_CHECKING:
    import cv2
    from PIL import Image
else:
    cv2 = imported_on_use("cv2")
    Image = imported_on_use("PIL.Image")

Colour = tuple[int, int, int]
_BLACK: Colour = (0, 0, 0)
#: of the colours of one file that mean nothing, so many are kept
_MOST_PER_FILE = 1000
#: more colours that mean nothing than this are no colours of further classes
_MANY = 50
_SHOWN = 8


@dataclass(frozen=True, eq=False)
class ColourTable:
    """What each colour means.

    Attributes:
        dataset: whose palette it is.
        ignored: the colours of ignored pixels, RGB.
        indices: (2^24,) int16, the class of each colour 0xRRGGBB, or the ignore label; -1 for all other colours.
        unmatched: what all other colours become; None: they are refused.
    """

    dataset: Dataset
    ignored: tuple[Colour, ...]
    indices: NDArray[np.int16]
    unmatched: int | None = None

    def words(self) -> str:
        """The colours of ignored pixels, for people."""
        return " and ".join(map(_shown, self.ignored)) or "none"


def colour_table(
    dataset: Dataset, ignored: Sequence[Colour] | None = None, unmatched: int | None = None
) -> ColourTable:
    """The meaning of colours in a data set.

    Args:
        dataset: each of its classes has a colour.
        ignored: the colours of ignored pixels; None: the palette's colour of the ignore label (of 255 in VOC's colour
            map: 224,224,192), and black, unless a class has it (Cityscapes and CamVid draw what they ignore black).
        unmatched: the index of all other colours; None: they are refused.

    Raises:
        InputError: two classes have one colour, or a class has the colour of ignored pixels.
    """
    colours = [_colour(row) for row in dataset.palette[: dataset.num_classes]]
    for place, colour in enumerate(colours):
        if colour in colours[:place]:
            names = f"'{dataset.classes[colours.index(colour)]}' and '{dataset.classes[place]}'"
            raise InputError(f"{dataset.file}: palette: {names} both have the colour {_shown(colour)}")
    if ignored is None:
        usual = dict.fromkeys((_colour(dataset.palette[dataset.ignore_label]), _BLACK))
        ignored = [colour for colour in usual if colour not in colours]
    for colour in ignored:
        if colour in colours:
            name = dataset.classes[colours.index(colour)]
            raise InputError(f"the colour {_shown(colour)} of ignored pixels is that of the class '{name}'")
    indices = np.full(1 << 24, -1, np.int16)
    for place, colour in enumerate(colours):
        indices[_packed(colour)] = place
    for colour in ignored:
        indices[_packed(colour)] = dataset.ignore_label
    return ColourTable(dataset, tuple(ignored), indices, unmatched)


def by_colour(table: ColourTable) -> Reader:
    """Reads a PNG of colours, or with a palette in any order, as class indices."""

    def read(path: Path, tally: Tally) -> Label:
        colours, places = _colours_of(path)
        classes = table.indices[colours]
        indices = classes if places is None else classes[places]
        strange = indices < 0
        if strange.any():
            tally.add(path, _counted(colours[strange] if places is None else colours[places[strange]]))
            indices[strange] = table.unmatched or 0  # without such a value the check refuses the file
        return indices.astype(np.uint8)

    return read


def _counted(strange: NDArray[np.uint32]) -> dict[int, int]:
    """The pixels of each of these colours, the most frequent ones of very many."""
    found, pixels = np.unique(strange, return_counts=True)
    most = np.argsort(-pixels, kind="stable")[:_MOST_PER_FILE]
    return dict(zip(found[most].tolist(), pixels[most].tolist(), strict=True))


def _colours_of(path: Path) -> tuple[NDArray[np.uint32], Label | None]:
    """The colours 0xRRGGBB of a PNG: of each pixel (H, W), or of each place of its palette with the places (H, W)."""
    data = read_bytes(path, "the label file")
    header = indexed_png.read_header(data)
    if header is None:
        raise InputError(f"{path}: not a PNG, or damaged; other formats may change colours")
    if header.depth == 16:
        raise InputError(f"{path}: has 16 bits per channel; expected colours of 8 bits, as palettes have")
    if header.colour == indexed_png.INDEXED:
        return _palette_of(path), read_label(path)
    with reading(path, "the label file", "damaged label file"):
        decoded = decode_image(data, cv2.IMREAD_UNCHANGED)
        if decoded is None:
            raise ValueError("OpenCV cannot decode it")
        image = np.asarray(decoded, np.uint8)
        convert = cv2.COLOR_GRAY2BGRA if image.ndim == 2 else cv2.COLOR_BGR2BGRA
        four = image if image.ndim == 3 and image.shape[2] == 4 else cv2.cvtColor(image, convert)
        packed = np.ascontiguousarray(four).view("<u4")[..., 0]
        return np.asarray(packed & 0xFFFFFF, np.uint32), None


def _palette_of(path: Path) -> NDArray[np.uint32]:
    """(256,) 0xRRGGBB; places behind the end of the palette are black, as OpenCV and Pillow show them."""
    with reading(path, "the label file", "damaged label file"), Image.open(path) as image:
        values = np.zeros(768, np.uint32)
        stated = (image.getpalette("RGB") or [])[:768]
        values[: len(stated)] = stated
    red, green, blue = values.reshape(256, 3).T
    return np.asarray(red << 16 | green << 8 | blue, np.uint32)


def refuse_unmatched(table: ColourTable, folder: str | os.PathLike[str]) -> Callable[[Tally], None]:
    """A check that raises InputError and names the colours that mean nothing, unless the table has a value for them."""

    def check(tally: Tally) -> None:
        if tally.pixels and table.unmatched is None:
            what = f"{os.fspath(folder)}: {unmatched(table, tally)}"
            raise InputError(f"{what}. Nothing was written. {_advice(table, tally)}")

    return check


def unmatched(table: ColourTable, tally: Tally) -> str:
    """The colours that mean nothing, the most frequent first, with their pixels, and the nearest class."""
    shown = [
        f"{_shown(_unpacked(colour))} ({pixels} pixels in {_files(tally.files[colour])} {tally.first[colour]}; "
        f"nearest: {_nearest(table, colour)})"
        for colour, pixels in tally.pixels.most_common(_SHOWN)
    ]
    count = len(tally.pixels)
    more = f" and {count - _SHOWN} more" if count > _SHOWN else ""
    colours = "1 colour is" if count == 1 else f"{count} colours are"
    return f"{colours} neither in the palette of {table.dataset.file} nor ignored: {', '.join(shown)}{more}"


def _files(count: int) -> str:
    return "1 file," if count == 1 else f"{count} files, such as"


def _advice(table: ColourTable, tally: Tally) -> str:
    if len(tally.pixels) > _MANY:
        return (
            "So many colours come from lossy compression or smooth edges: save the labels again without; or write the "
            "ignore label for them: --unmatched ignore"
        )
    indices = {_packed((v, v, v)) for v in range(table.dataset.num_classes)} | {0xFFFFFF}
    if set(tally.pixels) <= indices:
        return "They seem to be class indices already, which need no conversion"
    return "Correct the palette, name a colour that means ignored (--ignore-colour R,G,B), or --unmatched ignore"


def _nearest(table: ColourTable, colour: int) -> str:
    palette = table.dataset.palette[: table.dataset.num_classes].astype(int)
    place = int(((palette - _unpacked(colour)) ** 2).sum(1).argmin())
    return f"{_shown(_colour(palette[place]))} '{table.dataset.classes[place]}'"


def _colour(row: Sequence[int] | NDArray[np.integer]) -> Colour:
    red, green, blue = map(int, row)
    return red, green, blue


def _packed(colour: Colour) -> int:
    return colour[0] << 16 | colour[1] << 8 | colour[2]


def _unpacked(colour: int) -> Colour:
    return colour >> 16, colour >> 8 & 255, colour & 255


def _shown(colour: Colour) -> str:
    return ",".join(map(str, colour))
