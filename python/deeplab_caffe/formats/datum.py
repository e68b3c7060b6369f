"""Datums (the records of LMDB and LevelDB databases) and mean files (`.binaryproto`), to arrays and back.

Mirrors Caffe's `util/io.cpp`.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from ..files import write_bytes
from ..lazy import imported_on_use
from ..reading import reading, reason_of
from . import schema
from .encoded_images import decode_image

if TYPE_CHECKING:
    import cv2
else:
    cv2 = imported_on_use("cv2")


def parse_datum(value: bytes) -> Any:
    """Parse the bytes of a record as a Datum; raises InputError if they are not one or are truncated."""
    datum = schema.Datum()
    try:
        datum.ParseFromString(value)
    except Exception:
        raise InputError(f"not a Datum, or truncated ({len(value)} bytes)") from None
    return datum


def datum_to_array(datum: Any, color: bool | None = None) -> np.ndarray:
    """The pixels of a datum, (C, H, W): uint8, or float32 if it has float_data.

    Args:
        datum: a Datum. An encoded image is decoded, with channels in OpenCV's order (BGR).
        color: for an encoded image: True gives 3 channels, False one, None as many as it has.

    Raises:
        InputError: the number of values does not match the shape, or OpenCV cannot decode the image to 8 bits.
    """
    if datum.encoded:
        return _decoded(datum.data, color)
    shape = (datum.channels, datum.height, datum.width)
    values = np.frombuffer(datum.data, np.uint8) if datum.data else np.array(datum.float_data, dtype=np.float32)
    if math.prod(shape) == 0 or values.size != math.prod(shape):
        stated = "×".join(map(str, shape))
        raise InputError(f"a datum of {stated} (channels × height × width) has {values.size} values")
    return values.reshape(shape)


def array_to_datum(array: np.ndarray, label: int | None = None) -> Any:
    """A Datum from an array (C, H, W): uint8 is stored as raw bytes, any other type as float_data.

    Example:
        >>> datum = array_to_datum(np.zeros((3, 2, 5), np.uint8), label=7)
        >>> datum_to_array(datum).shape, datum.label
        ((3, 2, 5), 7)
    """
    if array.ndim != 3:
        raise InputError(f"expected a datum (channels, height, width), got an array of shape {array.shape}")
    datum = schema.Datum(channels=array.shape[0], height=array.shape[1], width=array.shape[2])
    if array.dtype == np.uint8:
        datum.data = array.tobytes()
    else:
        datum.float_data.extend(array.astype(np.float32).ravel().tolist())
    if label is not None:
        datum.label = label
    return datum


def read_mean_file(path: str | os.PathLike[str]) -> np.ndarray:
    """The mean image of a `.binaryproto`: (C, H, W) float32, channels in the order of the data (BGR).

    Raises:
        InputError: the file cannot be read, is not a BlobProto, or is not a single image.
    """
    blob = schema.BlobProto()
    with reading(path, "the mean file", "not a mean file (BlobProto), or truncated"):
        blob.ParseFromString(Path(path).read_bytes())
    values = np.array(blob.double_data or blob.data, dtype=np.float32)
    legacy = any(blob.HasField(f) for f in ("num", "channels", "height", "width"))
    shape = (blob.num, blob.channels, blob.height, blob.width) if legacy else tuple(blob.shape.dim)
    image = shape[1:] if len(shape) == 4 and shape[0] == 1 else shape
    if len(image) != 3 or values.size == 0 or values.size != math.prod(image):
        raise InputError(
            f"{os.fspath(path)}: {values.size} values in a blob of shape {shape}; expected one mean image, (1, C, H, W)"
        )
    return values.reshape(image)


def write_mean_file(path: str | os.PathLike[str], mean: np.ndarray) -> None:
    """Write a mean image (C, H, W) as the `.binaryproto` that Caffe reads, whole or not at all."""
    if mean.ndim != 3:
        raise InputError(f"expected a mean image (channels, height, width), got an array of shape {mean.shape}")
    blob = schema.BlobProto(num=1, channels=mean.shape[0], height=mean.shape[1], width=mean.shape[2])
    blob.data.extend(mean.astype(np.float32).ravel().tolist())
    write_bytes(path, blob.SerializeToString())


def _decoded(data: bytes, color: bool | None) -> np.ndarray:
    flags = {None: cv2.IMREAD_UNCHANGED, True: cv2.IMREAD_COLOR, False: cv2.IMREAD_GRAYSCALE}[color]
    if color is not None:
        flags |= cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = decode_image(data, flags)
    except Exception as error:  # OpenCV: too large, or out of memory
        raise InputError(f"OpenCV cannot read the encoded image: {reason_of(error)}") from error
    if image is None:
        raise InputError(f"OpenCV cannot read the encoded image ({len(data)} bytes)")
    if image.dtype != np.uint8:
        raise InputError(f"expected an encoded image of 8 bits per channel, got {image.dtype}")
    return np.ascontiguousarray(image[None] if image.ndim == 2 else image.transpose(2, 0, 1))
