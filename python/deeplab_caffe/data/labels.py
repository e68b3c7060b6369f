"""Read, check and write label files: one class index per pixel."""

from __future__ import annotations

import io
import os
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from ..arrays import Label, NDArray, Palette
from ..errors import InputError
from ..files import replacing
from ..formats.encoded_images import check_png, decode_image
from ..lazy import imported_on_use
from ..reading import reading
from ..words import some_of
from . import indexed_png

if TYPE_CHECKING:
    import cv2
    import numpy as np
    from PIL import Image
else:
    cv2 = imported_on_use("cv2")
    Image = imported_on_use("PIL.Image")
    np = imported_on_use("numpy")

_PNG_COLOUR_NAMES = {2: "an RGB PNG", 4: "a grey PNG with alpha", 6: "an RGB PNG with alpha"}
_ADVICE = {4: "Save its grey channel alone, as an 8-bit PNG, if that has the class indices"}
_COLOURS = "It is probably a colour image of the labels: map its colours back to indices and save an 8-bit PNG"

#: number of values that a label file can have
VALUES = 256
_EXACT = 2**24  # up to here float32, in which OpenCV counts, has every integer


def value_counts(label: Label) -> NDArray[np.int64]:
    """Pixels of each value, (256,), of a label (H, W) uint8."""
    if label.size < _EXACT:
        return cv2.calcHist([label.ravel()], [0], None, [VALUES], [0, VALUES]).ravel().astype(np.int64)
    return np.bincount(label.ravel(), minlength=VALUES).astype(np.int64)


def values_of(counts: NDArray[np.integer]) -> dict[int, int]:
    """The values that occur, with their pixels, from the pixels (256,) of each value."""
    return {int(value): int(counts[value]) for value in np.flatnonzero(counts)}


def read_label(path: str | os.PathLike[str]) -> Label:
    """Read a label file as class indices, (H, W) uint8.

    A PNG with a palette gives its indices. This differs from Caffe, whose OpenCV reader converts such a file to the
    grey values of its colours. Greyscale of 1, 2 or 4 bits gives the stored samples (OpenCV scales them to 0..255);
    greyscale of 8 bits is read as it is.

    Raises:
        InputError: the file is missing or damaged, or has colours, 16-bit values or JPEG compression.
    """
    with reading(path, "the label file", "damaged label file"):
        return _read_label(path)


def _read_label(path: str | os.PathLike[str]) -> Label:
    with open(path, "rb") as file:
        data = file.read()
    header = indexed_png.read_header(data)
    if header is None:
        return _read_other(path)
    depth, colour = header.depth, header.colour
    if colour in _PNG_COLOUR_NAMES:
        what = f"{_PNG_COLOUR_NAMES[colour]}, {depth} bits per channel,"
        raise _not_indices(path, what, _ADVICE.get(colour, _COLOURS))
    if depth == 16:
        raise _not_indices(path, "a 16-bit PNG", "If its values are class indices, save them with 8 bits")
    check_png(data)
    label = indexed_png.decode_indices(data)
    if label is not None:
        return label
    if colour == indexed_png.GREY and depth == 8:
        grey = decode_image(data, cv2.IMREAD_UNCHANGED)
        if grey is not None and grey.ndim == 2 and grey.dtype == np.uint8:
            return np.asarray(grey, np.uint8)
    indices = _read_with_pillow(path)
    return indices // (255 // (2**depth - 1)) if colour == indexed_png.GREY and depth in (2, 4) else indices


def check_labels(
    label: NDArray[np.integer[Any]],
    num_classes: int,
    ignore_label: int | None,
    path: str | os.PathLike[str],
    others: Collection[int] = (),
) -> None:
    """Check that all labels are in 0..num_classes-1 or equal to `ignore_label`.

    Args:
        label: (H, W) integers.
        num_classes: the number of classes.
        ignore_label: the label of pixels that do not count, or None.
        path: the file, for the message.
        others: values of the other labels of its list, which help to tell the likely cause.

    Raises:
        InputError: names the file, the invalid values, the number of pixels and the likely cause.
    """
    fault = invalid_values(_pixels_of_values(label), num_classes, ignore_label, path, others)
    if fault:
        raise InputError(fault)


def invalid_values(
    counts: Mapping[int, int],
    num_classes: int,
    ignore_label: int | None,
    path: str | os.PathLike[str],
    others: Collection[int] = (),
) -> str | None:
    """What is wrong with the values of a label, as `check_labels` says it; None if nothing is.

    counts: pixels of each value that occurs.
    """
    bad = sorted(v for v in counts if not 0 <= v < num_classes and v != ignore_label)
    if not bad:
        return None
    return (
        f"{os.fspath(path)}: label value{'s' if len(bad) > 1 else ''} {some_of(bad, 8)} in "
        f"{sum(counts[v] for v in bad)} of {sum(counts.values())} pixels; expected 0..{num_classes - 1} or the ignore "
        f"label ({'none set' if ignore_label is None else ignore_label}). "
        + _likely_cause(bad, {*counts, *others}, num_classes, ignore_label)
    )


def _pixels_of_values(label: NDArray[np.integer[Any]]) -> dict[int, int]:
    if label.dtype == np.uint8:
        return values_of(value_counts(np.asarray(label, np.uint8)))
    values, pixels = np.unique(label, return_counts=True)
    return dict(zip(values.tolist(), pixels.tolist(), strict=True))


def write_label(path: str | os.PathLike[str], label: NDArray[np.integer[Any]], palette: Palette | None = None) -> None:
    """Write class indices as an indexed PNG, the format of VOC's annotations, whole or not at all.

    Args:
        path: the file to write.
        label: (H, W) integers 0..255.
        palette: (K, 3) RGB, K <= 256; further indices get VOC's colours. None means VOC's colour map.

    Raises:
        InputError: the values do not fit into 8 bits.
    """
    label = np.asarray(label)
    if label.ndim != 2 or not label.size or label.min() < 0 or label.max() > 255:
        values = f", values {label.min()}..{label.max()}" if label.size else ""
        raise InputError(f"{os.fspath(path)}: expected labels (H, W) of 0..255, got shape {label.shape}{values}")
    colours = voc_palette()
    if palette is not None:
        colours[: len(palette)] = palette
    with replacing(path) as temporary:
        temporary.write_bytes(label_png(label, colours))


def label_png(label: NDArray[np.integer[Any]], palette: Palette) -> bytes:
    """Class indices (H, W) of 0..255 as an indexed PNG with a palette of 256 colours, (256, 3) RGB."""
    file, image = io.BytesIO(), Image.fromarray(np.ascontiguousarray(label, dtype=np.uint8))
    # Always 256 colours: with fewer, Pillow writes 4 bits per pixel and loses label 255.
    image.putpalette(palette.tobytes())
    image.save(file, format="PNG")
    return file.getvalue()


def write_grey_label(path: str | os.PathLike[str], label: Label) -> None:
    """Write class indices (H, W) uint8 as a plain 8-bit grey PNG, which every reader takes as the indices themselves.

    A C++ Caffe reads a palette PNG, as `write_label` writes it, as the grey values of its colours.
    """
    with replacing(path) as temporary:
        Image.fromarray(np.ascontiguousarray(label, dtype=np.uint8)).save(temporary, format="PNG")


def is_grey(path: str | os.PathLike[str]) -> bool:
    """Whether a C++ Caffe reads the class indices of a label file: a PNG of 8-bit grey, or no PNG at all."""
    with open(path, "rb") as file:
        header = indexed_png.read_header(file.read(64))
    return header is None or (header.colour == indexed_png.GREY and header.depth == 8)


def voc_palette(num_colours: int = 256) -> Palette:
    """The colour map of PASCAL VOC, (num_colours, 3) RGB: bits 0, 3, 6 of an index are the high bits of red, and so on.

    Example:
        >>> voc_palette(4).tolist()
        [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0]]
    """
    palette = np.zeros((num_colours, 3), np.uint8)
    index = np.arange(num_colours)
    for bit in range(8):
        for channel in range(3):
            palette[:, channel] |= (((index >> (3 * bit + channel)) & 1) << (7 - bit)).astype(np.uint8)
    return palette


def _read_other(path: str | os.PathLike[str]) -> Label:
    """Read a label file that is not a PNG: lossless one-channel formats that Pillow supports."""
    try:
        with Image.open(path) as image:
            kind, mode = image.format, image.mode
    except Image.DecompressionBombError as error:
        raise _too_large(path, error) from None
    except Exception:  # Pillow raises almost anything on damaged bytes
        raise InputError(f"{os.fspath(path)}: not an image file, or damaged; expected an 8-bit PNG") from None
    if kind == "JPEG":
        raise _not_indices(path, f"a JPEG (mode {mode}), whose compression changes values,")
    if mode not in ("1", "L", "P"):
        raise _not_indices(path, f"a {kind} of mode {mode}")
    return _read_with_pillow(path)


def _read_with_pillow(path: str | os.PathLike[str]) -> Label:
    try:
        with Image.open(path) as image:
            return np.array(image, dtype=np.uint8)
    except Image.DecompressionBombError as error:
        raise _too_large(path, error) from None


def _too_large(path: str | os.PathLike[str], error: Exception) -> InputError:
    return InputError(f"{os.fspath(path)}: the label file is too large for Pillow ({error}); save it as an 8-bit PNG")


def _not_indices(path: str | os.PathLike[str], what: str, advice: str = _COLOURS) -> InputError:
    expected = "expected class indices, 8-bit grey or with a palette"
    return InputError(f"{os.fspath(path)}: {what} is not a label file; {expected}. {advice}")


def _likely_cause(bad: list[int], values: Collection[int], num_classes: int, ignore_label: int | None) -> str:
    """Why values are invalid. values: all that occur, in this label or in others of its list."""
    if bad == [255] and ignore_label != 255:
        return "255 usually marks pixels without a label: set ignore_label to 255"
    if num_classes == 19 and set(values) - {255} <= set(range(34)):
        return (
            "These are Cityscapes' ids (*_labelIds.png) instead of its 19 train ids (*_labelTrainIds.png): "
            "deeplab dataset convert-labels FOLDER -o NEW_FOLDER --cityscapes"
        )
    if set(values) - {ignore_label} == {0, *bad} and len(bad) == 1 and bad[0] > num_classes:
        return (
            f"Labels of only 0 and {bad[0]} are masks: write the object as class 1: "
            f"deeplab dataset convert-labels FOLDER -o NEW_FOLDER --map {bad[0]}=1"
        )
    greys = {int(v) for v in _luma(voc_palette(21))}
    if len(bad) > 1 and set(bad) - {255} <= greys:
        return "These are the grey values of VOC's colours: the file has colours instead of class indices"
    if bad == [num_classes] and 0 not in values:
        return (
            f"The labels count the {num_classes} classes from 1: subtract 1: "
            "deeplab dataset convert-labels FOLDER -o NEW_FOLDER --subtract 1"
        )
    if len(bad) >= 5 or max(bad) >= 2 * num_classes + 20:
        return "The file seems to have grey values or colours instead of class indices, or the ignore label is wrong"
    return f"Either num_output is too small (the file needs {max(bad) + 1} classes) or the ignore label is wrong"


def _luma(palette: Palette) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(palette[None], cv2.COLOR_RGB2GRAY)[0], np.uint8)
