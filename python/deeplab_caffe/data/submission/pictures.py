"""Look at one label PNG as a test server would: kind, size, values, palette."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...arrays import Label, Palette, Size
from ...lazy import imported_on_use
from ...words import some_of
from .. import indexed_png
from ..labels import value_counts
from .servers import COLOUR_NAMES

if TYPE_CHECKING:
    from PIL import Image
else:
    Image = imported_on_use("PIL.Image")

#: kind of a fault → text
PictureFaults = list[tuple[str, str]]


@dataclass(frozen=True, eq=False)
class Wanted:
    """What a label PNG has to be.

    Attributes:
        sizes: (height, width), any of these.
        values: the values that pixels may have.
        colours: the PNG colour types.
        palettes: (256, 3) each: the colours of the values that occur must be those of one of them; empty: any.
    """

    sizes: tuple[Size, ...]
    values: Collection[int]
    colours: tuple[int, ...]
    palettes: tuple[Palette, ...] = ()


def look(content: bytes, wanted: Wanted) -> tuple[Label | None, PictureFaults]:
    """The labels (H, W) in the bytes of a PNG, or None if they cannot be read, and what is wrong with them.

    Pixels are decoded only if the size in the header is one that is wanted, so that no file takes the memory.
    """
    header = indexed_png.read_header(content)
    if header is None:
        return None, [("not a PNG", "")]
    faults = list(_header_faults(header, wanted))
    if faults:
        return None, faults
    try:
        label, palette = _decoded(content)
    except Exception as error:  # Pillow raises almost anything on damaged bytes
        return None, [("damaged", f": {error}")]
    values = np.flatnonzero(value_counts(label))
    return label, [*_value_faults(values, wanted), *_palette_faults(values, palette, wanted)]


def _header_faults(header: indexed_png.Header, wanted: Wanted) -> Iterator[tuple[str, str]]:
    small = header.colour == indexed_png.INDEXED and header.depth < 8
    if header.colour not in wanted.colours or not (header.depth == 8 or small):
        kinds = " or ".join(COLOUR_NAMES[colour] for colour in wanted.colours)
        found = f"{COLOUR_NAMES.get(header.colour, 'unknown')}, {header.depth} bits"
        yield "wrong kind of PNG", f": {found}; expected {kinds}, 8 bits"
    size = (header.height, header.width)
    if size not in wanted.sizes:
        expected = " or ".join(f"{width}×{height}" for height, width in wanted.sizes)
        yield "wrong size", f": {header.width}×{header.height} pixels; expected {expected}"


def _decoded(content: bytes) -> tuple[Label, Palette | None]:
    """The samples, and the palette if it has one."""
    with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
        colours = image.getpalette("RGB") if image.mode == "P" else None
        label = indexed_png.decode_indices(content)
        if label is None:
            label = np.array(image, np.uint8)
    if label.ndim != 2:
        raise ValueError(f"its pixels have {label.ndim} dimensions")
    return label, None if colours is None else np.array(colours, np.uint8).reshape(-1, 3)


def _value_faults(values: np.ndarray, wanted: Wanted) -> Iterator[tuple[str, str]]:
    bad = [int(v) for v in values if v not in wanted.values]
    if bad:
        low, high = min(wanted.values), max(wanted.values)
        yield "values out of range", f": {some_of(bad)}; expected {low}..{high}"


def _palette_faults(values: np.ndarray, palette: Palette | None, wanted: Wanted) -> Iterator[tuple[str, str]]:
    if palette is None or not wanted.palettes:
        return
    differ = min((_differing(values, palette, colours) for colours in wanted.palettes), key=len)
    if differ:
        value = differ[0]
        found = palette[value].tolist() if value < len(palette) else "missing"
        yield "wrong palette", f": the colour of {value} is {found}; expected {wanted.palettes[0][value].tolist()}"


def _differing(values: np.ndarray, palette: Palette, wanted: Palette) -> list[int]:
    """The values (N,) whose colours in a palette (K, 3) are not those of another one (256, 3)."""
    return [int(v) for v in values if v >= len(palette) or (palette[v] != wanted[v]).any()]


def encode_indexed(label: Label, palette: Palette) -> bytes:
    """A label map (H, W) as a PNG with a palette of 256 colours; the same bytes for the same labels."""
    file = io.BytesIO()
    writer = indexed_png.IndexedPngWriter(file, label.shape[0], label.shape[1], palette)
    writer.write(label)
    writer.close()
    return file.getvalue()


def encode_grey(label: Label) -> bytes:
    """A label map (H, W) as a grey PNG of 8 bits."""
    file = io.BytesIO()
    Image.fromarray(label).save(file, format="PNG")
    return file.getvalue()
