"""Write databases of images and compute their mean.

Mirrors `tools/convert_imageset.cpp` and `tools/compute_image_mean.cpp`.
"""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..formats import schema
from ..formats.database import open_database
from ..formats.database_writer import new_database
from ..formats.datum import array_to_datum, datum_to_array, parse_datum, write_mean_file
from ..lazy import imported_on_use
from ..progress import tracked
from ..words import some_lines
from .images import read_pixels
from .lists import ListEntry, check_files, full_path, read_numbered_list

if TYPE_CHECKING:
    import cv2
else:
    cv2 = imported_on_use("cv2")


@dataclass(frozen=True)
class Conversion:
    """How images are converted to datums.

    Attributes:
        gray: one channel instead of three (BGR).
        shuffle: write them in random order.
        height, width: resize to this many pixels; 0 keeps the size.
        check_size: require all images to have one size.
        encoded: store them compressed.
        encode_type: the format of compressed images, 'png' or 'jpg'; that of each file if not given.
    """

    gray: bool = False
    shuffle: bool = False
    height: int = 0
    width: int = 0
    check_size: bool = False
    encoded: bool = False
    encode_type: str = ""


AS_THEY_ARE = Conversion()


def convert_imageset(
    root_folder: str,
    list_file: str | os.PathLike[str],
    database: str | os.PathLike[str],
    backend: str = "lmdb",
    conversion: Conversion = AS_THEY_ARE,
) -> int:
    """Write the images of a list into a new database; returns how many.

    Keys are the index in the list and the name, as in `00000000_cat.jpg`.

    Args:
        root_folder: prepended to the names in the list as it is.
        list_file: the list, lines `<image> <number>`.
        database: the folder of the new database.
        backend: "lmdb" or "leveldb".
        conversion: how images are converted.

    Raises:
        InputError: the list cannot be read, the database exists or cannot be written, or images differ in size (with
            check_size). Images that cannot be read are named after all others are in the database.
    """
    entries = read_numbered_list(list_file)
    if conversion.shuffle:
        random.shuffle(entries)
    missing: list[str] = []
    first: tuple[str, int] | None = None
    with new_database(database, backend) as store:
        for place, entry in enumerate(tracked(entries, "convert_imageset")):
            datum = _datum(full_path(root_folder, entry.image), entry, conversion)
            if datum is None:
                missing.append(f"{os.fspath(list_file)}:{entry.line}: {full_path(root_folder, entry.image)}")
                continue
            first = _checked(entry, datum, first) if conversion.check_size else None
            key = f"{place:08d}_{entry.image}".encode("utf-8", "surrogateescape")
            store.put(key, datum.SerializeToString())
        if len(missing) == len(entries):
            check_files(entries, root_folder, list_file, labels=False)  # says what may be wrong
            raise InputError(f"{missing[0]}: OpenCV cannot read any image of the list")
    if missing:
        raise InputError(
            f"{len(missing)} of {len(entries)} images cannot be read; the others are in {os.fspath(database)}:"
            + some_lines(missing)
        )
    return len(entries)


def _datum(path: str, entry: ListEntry, conversion: Conversion) -> Any:
    """The datum of an image file, or None if OpenCV cannot read it."""
    suffix = os.path.splitext(path)[1].lstrip(".").lower()
    kind = conversion.encode_type or (suffix if conversion.encoded else "")
    try:
        image: NDArray[Any] = read_pixels(path, colour=not conversion.gray)
    except InputError:
        return None
    resized = bool(conversion.height and conversion.width)
    if resized:
        size = (conversion.width, conversion.height)
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    label = int(entry.label or 0)
    if not kind:
        datum = array_to_datum(image[None] if image.ndim == 2 else image.transpose(2, 0, 1), label)
        datum.encoded = False
        return datum
    as_stored = not resized and not conversion.gray and _same_type(kind, suffix)
    return schema.Datum(data=_file(path) if as_stored else _compressed(image, kind), label=label, encoded=True)


def _same_type(kind: str, suffix: str) -> bool:
    return kind.lower().replace("jpeg", "jpg") == suffix.replace("jpeg", "jpg")


def _file(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _compressed(image: NDArray[Any], kind: str) -> bytes:
    try:
        return cv2.imencode(f".{kind}", image)[1].tobytes()
    except cv2.error:
        raise InputError(f"encode_type '{kind}' is not supported by OpenCV; use png or jpg") from None


def _checked(entry: ListEntry, datum: Any, first: tuple[str, int] | None) -> tuple[str, int]:
    """The first image and the number of its values; raises InputError for an image of another size."""
    size = datum.channels * datum.height * datum.width if not datum.encoded else datum_to_array(datum).size
    if first and size != first[1]:
        raise InputError(
            f"{entry.image}: has {size} values, but {first[0]} has {first[1]}; set resize_height and resize_width"
        )
    return first or (entry.image, size)


def compute_image_mean(
    database: str, backend: str = "lmdb", output: str | os.PathLike[str] = ""
) -> NDArray[np.float32]:
    """The mean image of a database: (C, H, W) float32, channels in the order of the data (BGR).

    Args:
        database: the folder of the database.
        backend: "lmdb" or "leveldb".
        output: the `.binaryproto` file to write, if any.

    Raises:
        InputError: the database is empty, a record is damaged, or images differ in size.
    """
    store = open_database(database, backend)
    total: NDArray[np.float64] | None = None
    count = 0
    for key in tracked(store.keys(), "compute_image_mean", len(store)):
        try:
            values = datum_to_array(parse_datum(store.get(key)))
            if total is not None and values.shape != total.shape:
                raise InputError(f"has the shape {_size(values.shape)}, those before have {_size(total.shape)}")
        except InputError as error:
            raise InputError(f"{database}: record '{key.decode('utf-8', 'backslashreplace')}': {error}") from None
        total = values.astype(np.float64) if total is None else total + values
        count += 1
    if total is None:
        raise InputError(f"{database}: the database is empty")
    mean = (total / count).astype(np.float32)
    if output:
        write_mean_file(output, mean)
    return mean


def channel_means(mean: NDArray[np.float32]) -> list[float]:
    """The mean of each channel of a mean image, for `mean_value`."""
    return [float(value) for value in mean.astype(np.float64).mean((1, 2))]


def _size(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape)) + " (channels × height × width)"
