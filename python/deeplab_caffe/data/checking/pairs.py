"""One line of a list: what its image and its label hold, and what is wrong with them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ...formats.encoded_images import decode_image
from ...lazy import imported_on_use
from ...reading import reading
from .. import indexed_png
from ..dataset import Dataset
from ..images import ImageHeader, check_complete, image_header, image_mode
from ..labels import invalid_values, read_label, value_counts, values_of
from ..lists import ListEntry

if TYPE_CHECKING:
    import cv2
else:
    cv2 = imported_on_use("cv2")

_HEAD = 1 << 16  # bytes of a file, in which the palette of a PNG lies
_COLOURS = (2, 6)  # of a PNG's header: RGB, without and with alpha


class Fault(NamedTuple):
    """Something found: its kind, a key of KINDS, a message that names the file, and the file."""

    kind: str
    text: str
    file: str


@dataclass
class Seen:
    """What one line's files hold; what could not be read is None.

    Attributes:
        counts: pixels of each value of the label, (256,).
        size: (height, width) of the label in pixels.
        header: of the image.
        faults: what was found, the most basic first.
    """

    counts: NDArray[np.uint32] | None = None
    size: tuple[int, int] | None = None
    header: ImageHeader | None = None
    faults: list[Fault] = field(default_factory=list)

    def fits(self, upright: bool) -> bool:
        """Whether the label has the size of the image, turned upright or as stored."""
        return self.header is None or self.size in (None, self.header.size(upright))

    def attempt(self, kind: str, file: str, read: Callable[[], None]) -> bool:
        """Whether `read` succeeds; if not, its InputError becomes a fault of this kind."""
        try:
            read()
        except InputError as error:
            self.faults.append(Fault(kind, str(error), file))
            return False
        return True


def look(dataset: Dataset, entry: ListEntry, pixels: bool = False) -> Seen:
    """Read the label and the image of a line of a list.

    Values of labels are not judged here: see `value_fault`.

    Args:
        dataset: the data set.
        entry: the line.
        pixels: decode the image too, and say how its pixels are unusual; otherwise its header is read, and whether
            the file is complete.
    """
    seen = Seen()
    if entry.label is not None:
        _look_at_label(seen, dataset.path_of(entry.label))
        if pixels and seen.counts is not None:
            seen.faults.extend(_other_palette(dataset, dataset.path_of(entry.label), seen.counts))
    _look_at_image(seen, dataset, dataset.path_of(entry.image), pixels)
    if seen.header and (dataset.exif or seen.header.orientation == 1) and not seen.fits(dataset.upright):
        seen.faults.append(Fault("size", _different_sizes(seen, dataset, entry), dataset.path_of(entry.label or "")))
    return seen


def value_fault(seen: Seen, dataset: Dataset, path: str, others: set[int]) -> Fault | None:
    """The fault of a label with values that are not classes.

    Args:
        seen: what was read.
        dataset: the data set.
        path: the label file.
        others: values of the other labels of its list, which help to tell the likely cause.
    """
    if seen.counts is None:
        return None
    text = invalid_values(values_of(seen.counts), dataset.num_classes, dataset.ignore_label, path, others)
    return Fault("value", text, path) if text else None


# -- labels


def _look_at_label(seen: Seen, path: str) -> None:
    if not os.path.isfile(path):
        seen.faults.append(Fault("missing-label", f"{path}: there is no such file", path))
        return

    def read() -> None:
        label = read_label(path)
        seen.counts, seen.size = value_counts(label).astype(np.uint32), (label.shape[0], label.shape[1])

    seen.attempt("colour-label" if _has_colours(path) else "damaged-label", path, read)


def _has_colours(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            header = indexed_png.read_header(file.read(64))
    except OSError:  # reading it says why
        return False
    return header is not None and header.colour in _COLOURS


def _other_palette(dataset: Dataset, path: str, counts: NDArray[np.uint32]) -> list[Fault]:
    """A label whose palette shows colours of the data set's classes, but not at their indices: it was numbered anew.

    A palette that shows other colours as well, or one class alone, says nothing.
    """
    with reading(path, "the label file"), open(path, "rb") as file:
        palette = indexed_png.read_palette(file.read(_HEAD))
    if palette is None:
        return []
    used = np.flatnonzero(counts[: min(dataset.num_classes, len(palette))])
    own = [tuple(row) for row in dataset.palette[: dataset.num_classes].tolist()]
    shown = {int(value): tuple(palette[value].tolist()) for value in used if value != dataset.ignore_label}
    odd = [value for value, colour in shown.items() if colour != own[value]]
    if not odd or len(shown) < 2 or not set(shown.values()) <= set(own):
        return []
    value = odd[0]
    name, other = dataset.classes[value], dataset.classes[own.index(shown[value])]
    text = f"{path}: {value} is '{name}', but its palette shows it in the colour of '{other}', {shown[value]}"
    return [Fault("palette", text, path)]


# -- images


def _look_at_image(seen: Seen, dataset: Dataset, path: str, pixels: bool) -> None:
    if not os.path.isfile(path):
        seen.faults.append(Fault("missing-image", f"{path}: there is no such file", path))
        return

    def read() -> None:
        seen.header = image_header(path)
        check_complete(path)

    if not seen.attempt("damaged-image", path, read) or not seen.header:
        return
    if seen.header.orientation != 1:
        kind = "turned" if dataset.exif else "not-upright"
        seen.faults.append(Fault(kind, f"{path}: its EXIF orientation is {seen.header.orientation}", path))
    if pixels:
        seen.attempt("damaged-image", path, lambda: seen.faults.extend(_of_pixels(path)))


def _of_pixels(path: str) -> list[Fault]:
    """How the pixels of an image, as OpenCV decodes them, are unusual."""
    with reading(path, "the image", "cannot read the image"):
        image = decode_image(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise InputError(f"{path}: cannot read the image: OpenCV does not support its format, or it is damaged")
    is_cmyk = image_mode(path) == "CMYK"
    found = {
        "one-colour": _is_one_colour(image),
        "grey": image.ndim == 2,
        "cmyk": is_cmyk,
        "16-bit": image.dtype.itemsize > 1,
        "alpha": image.ndim == 3 and image.shape[2] in (2, 4) and not is_cmyk,
    }
    words = {
        "one-colour": "all pixels have one colour" if image[..., :3].any() else "all pixels are black",
        "16-bit": f"has {8 * image.dtype.itemsize} bits per channel",
        "alpha": "has an alpha channel",
    }
    return [Fault(kind, f"{path}: {words.get(kind, f'is {kind}')}", path) for kind, is_so in found.items() if is_so]


def _is_one_colour(image: NDArray[np.generic]) -> bool:
    first = image[0, 0]
    return bool((image[0] == first).all() and (image == first).all())  # the first row tells for nearly all images


def _different_sizes(seen: Seen, dataset: Dataset, entry: ListEntry) -> str:
    assert seen.size and seen.header
    height, width = seen.header.size(dataset.upright)
    turned = dataset.upright and seen.header.orientation >= 5
    return (
        f"label {dataset.path_of(entry.label or '')} is {seen.size[1]}×{seen.size[0]} pixels, but its image "
        f"{dataset.path_of(entry.image)} is {width}×{height}{' after it is turned' * turned}; both must have the "
        "same size"
    )
