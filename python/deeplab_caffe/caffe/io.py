"""Images and arrays on their way into a net. Mirrors the behaviour of BVLC Caffe's python/caffe/io.py.

Images are (H, W, K) arrays with K = 3 (RGB) or 1; what a net takes is (K, H, W), usually BGR.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from ..formats import schema
from ..lazy import imported_on_use
from ..reading import reading
from .proto import caffe_pb2  # noqa: F401 - scripts say caffe.io.caffe_pb2

if TYPE_CHECKING:
    from PIL import Image
    from scipy import ndimage
else:
    Image = imported_on_use("PIL.Image")
    ndimage = imported_on_use("scipy.ndimage")

__all__ = [
    "Transformer",
    "array_to_blobproto",
    "array_to_datum",
    "arraylist_to_blobprotovecor_str",
    "arraylist_to_blobprotovector_str",
    "blobproto_to_array",
    "blobprotovector_str_to_arraylist",
    "datum_to_array",
    "load_image",
    "oversample",
    "resize_image",
]

# -- messages


def blobproto_to_array(blob: Any, return_diff: bool = False) -> np.ndarray:
    """A BlobProto's data, or diff, as a float64 array: 4-D where it has the fields of old, else in its `shape`."""
    data = np.array(blob.diff or blob.double_diff) if return_diff else np.array(blob.data or blob.double_data)
    if any(blob.HasField(name) for name in ("num", "channels", "height", "width")):
        return data.reshape(blob.num, blob.channels, blob.height, blob.width)
    return data.reshape(tuple(blob.shape.dim))


def array_to_blobproto(arr: np.ndarray, diff: np.ndarray | None = None) -> Any:
    """A BlobProto with `shape` from an array, and its gradient if there is one."""
    blob = schema.BlobProto(data=arr.astype(np.float64).ravel())
    blob.shape.dim.extend(arr.shape)
    if diff is not None:
        blob.diff.extend(diff.astype(np.float64).ravel())
    return blob


def arraylist_to_blobprotovector_str(arraylist: Sequence[np.ndarray]) -> bytes:
    """The bytes of a BlobProtoVector that holds the arrays."""
    return schema.BlobProtoVector(blobs=[array_to_blobproto(arr) for arr in arraylist]).SerializeToString()


#: pycaffe spells it so
arraylist_to_blobprotovecor_str = arraylist_to_blobprotovector_str


def blobprotovector_str_to_arraylist(text: bytes) -> list[np.ndarray]:
    """The arrays of a serialised BlobProtoVector."""
    return [blobproto_to_array(blob) for blob in schema.BlobProtoVector.FromString(text).blobs]


def array_to_datum(arr: np.ndarray, label: int | None = None) -> Any:
    """A Datum from a (C, H, W) array: uint8 values as bytes, any others as float_data. ValueError for other axes."""
    if arr.ndim != 3:
        raise ValueError(f"Incorrect array shape. Wanted (channels, height, width), got {arr.shape}")
    datum = schema.Datum(channels=arr.shape[0], height=arr.shape[1], width=arr.shape[2])
    if arr.dtype == np.uint8:
        datum.data = arr.tobytes()
    else:
        datum.float_data.extend(arr.astype(np.float64).ravel())
    if label is not None:
        datum.label = label
    return datum


def datum_to_array(datum: Any) -> np.ndarray:
    """The (C, H, W) array of a Datum: uint8 from bytes, else float64. Its label is `datum.label`."""
    shape = (datum.channels, datum.height, datum.width)
    if datum.data:
        return np.frombuffer(datum.data, dtype=np.uint8).reshape(shape).copy()
    return np.array(datum.float_data, dtype=np.float64).reshape(shape)


# -- images


def load_image(filename: str | os.PathLike[str], color: bool = True) -> np.ndarray:
    """An image file as float32 in [0, 1]: (H, W, 3) RGB with gray repeated and alpha dropped, or (H, W, 1) gray.

    Gray from colour is 0.2125 R + 0.7154 G + 0.0721 B. Raises InputError if it is missing or not an image.
    """
    cannot = "cannot read the image {path}: {reason}"
    with reading(filename, damaged=cannot, cannot=cannot), Image.open(filename) as file:
        values = _unit_values(file)
    if values.ndim == 2:
        values = values[:, :, np.newaxis]
        return (np.tile(values, (1, 1, 3)) if color else values).astype(np.float32)
    values = values[:, :, :3]
    return (values if color else values @ [[0.2125], [0.7154], [0.0721]]).astype(np.float32)


def _unit_values(file: Image.Image) -> np.ndarray:
    """Pixels as float64 in [0, 1], (H, W) or (H, W, 3)."""
    if file.mode == "F":
        return np.asarray(file, dtype=np.float64)
    if file.mode == "I" or file.mode.startswith("I;16"):
        return np.asarray(file).astype(np.float64) / 65535
    if file.mode in ("1", "L", "LA"):
        return np.asarray(file.convert("L"), dtype=np.float64) / 255
    return np.asarray(file.convert("RGB"), dtype=np.float64) / 255


def resize_image(
    im: np.ndarray, new_dims: Sequence[int], interp_order: int = 1, anti_aliasing: bool = False
) -> np.ndarray:
    """An (H, W, K) image resized to (height, width), float32; interp_order is the spline's (1: bilinear).

    With 1 or 3 channels the values are brought to [0, 1], resized by the rule of scikit-image's
    `resize(…, mode="constant")`, and brought back. The rule: output pixel i reads the input at
    (i + 0.5) · input size / output size - 0.5, beyond the border lie zeros, and results stay in [0, 1].
    scikit-image from 0.15 on blurs before it makes smaller; pycaffe was made for those before, `anti_aliasing` gives
    the later result. Other numbers of channels go through `scipy.ndimage.zoom`, as in pycaffe.
    """
    height, width = (int(d) for d in new_dims)
    factors = (height / im.shape[0], width / im.shape[1], 1)
    if im.shape[-1] not in (1, 3):
        return ndimage.zoom(im, factors, order=interp_order).astype(np.float32)
    low, high = im.min(), im.max()
    if high <= low:
        return np.full((height, width, im.shape[-1]), low, dtype=np.float32)
    unit = (im - low) / (high - low)
    if anti_aliasing:
        blur = [max(0.0, (1 / factor - 1) / 2) for factor in factors]
        unit = ndimage.gaussian_filter(unit, blur, mode="grid-constant")
    resized = ndimage.zoom(unit, factors, order=interp_order, mode="grid-constant", grid_mode=True)
    return (resized.clip(0, 1) * (high - low) + low).astype(np.float32)


def oversample(images: Sequence[np.ndarray] | np.ndarray, crop_dims: Sequence[int]) -> np.ndarray:
    """Ten crops of each (H, W, K) image: the corners, the centre, and their mirror images; (10 N, h, w, K) float32."""
    height, width = (int(d) for d in crop_dims)
    rows, columns = images[0].shape[:2]
    if height > rows or width > columns:
        raise InputError(f"oversample: crops of ({height}, {width}) from an image of ({rows}, {columns})")
    corners = [(top, left) for top in (0, rows - height) for left in (0, columns - width)]
    places = [*corners, (int((rows - height) / 2), int((columns - width) / 2))]
    crops = []
    for image in images:
        five = [image[top : top + height, left : left + width] for top, left in places]
        crops += five + [crop[:, ::-1] for crop in five]
    return np.stack(crops).astype(np.float32)


class Transformer:
    """What is done to an image before it goes into a net, for each input; `inputs` is {blob name: blob shape}.

    In order: float32; resize to the blob's H and W; transpose; channel swap; times raw_scale; minus mean; times
    input_scale. For BVLC's nets, from `load_image`: transpose (2, 0, 1), channel swap (2, 1, 0), raw_scale 255 and
    the mean in BGR.
    """

    def __init__(self, inputs: Mapping[str, Sequence[int]]) -> None:
        self.inputs = {name: tuple(shape) for name, shape in inputs.items()}
        self.transpose: dict[str, Sequence[int]] = {}
        self.channel_swap: dict[str, Sequence[int]] = {}
        self.raw_scale: dict[str, float] = {}
        self.mean: dict[str, np.ndarray] = {}
        self.input_scale: dict[str, float] = {}

    def preprocess(self, in_: str, data: np.ndarray) -> np.ndarray:
        """An (H, W, K) image as (K, H, W) float32 for input `in_`."""
        self._check(in_)
        result = np.array(data, dtype=np.float32)
        if result.shape[:2] != self.inputs[in_][2:]:
            result = resize_image(result, self.inputs[in_][2:])
        if in_ in self.transpose:
            result = result.transpose(self.transpose[in_])
        if in_ in self.channel_swap:
            result = result[list(self.channel_swap[in_]), :, :]
        result *= np.float32(self.raw_scale.get(in_, 1))
        if in_ in self.mean:
            result -= self.mean[in_]
        result *= np.float32(self.input_scale.get(in_, 1))
        return result

    def deprocess(self, in_: str, data: np.ndarray) -> np.ndarray:
        """The inverse, but for the resize: a blob's item as an image."""
        self._check(in_)
        result = data.copy().squeeze()
        if in_ in self.input_scale:
            result /= self.input_scale[in_]
        if in_ in self.mean:
            result += self.mean[in_]
        if in_ in self.raw_scale:
            result /= self.raw_scale[in_]
        if in_ in self.channel_swap:
            result = result[np.argsort(self.channel_swap[in_]), :, :]
        if in_ in self.transpose:
            result = result.transpose(np.argsort(self.transpose[in_]))
        return result

    def set_transpose(self, in_: str, order: Sequence[int]) -> None:
        """The order of the image's axes in the blob, such as (2, 0, 1)."""
        self._check(in_)
        if len(order) != len(self.inputs[in_]) - 1:
            raise InputError(
                "Transpose order needs to have the same number of dimensions as the input: "
                f"got {tuple(order)} for a blob {self.inputs[in_]}"
            )
        self.transpose[in_] = order

    def set_channel_swap(self, in_: str, order: Sequence[int]) -> None:
        """The order of the channels, such as (2, 1, 0) from RGB to BGR; applied after the transpose."""
        self._check(in_)
        if len(order) != self.inputs[in_][1]:
            raise InputError(
                "Channel swap needs to have the same number of dimensions as the input channels: "
                f"got {tuple(order)} for {self.inputs[in_][1]} channels"
            )
        self.channel_swap[in_] = order

    def set_raw_scale(self, in_: str, scale: float) -> None:
        """The factor before the mean is subtracted, such as 255 for images in [0, 1]."""
        self._set(self.raw_scale, in_, scale)

    def set_mean(self, in_: str, mean: np.ndarray) -> None:
        """The mean to subtract: (K,), or (K, H, W) or (H, W), which is resized to the blob where it differs."""
        self._check(in_)
        shape = self.inputs[in_]
        if mean.ndim == 1:
            if mean.shape[0] != shape[1]:
                raise ValueError(f"Mean channels incompatible with input: {mean.shape[0]} for {shape[1]} channels")
            mean = mean[:, np.newaxis, np.newaxis]
        else:
            if mean.ndim == 2:
                mean = mean[np.newaxis]
            if mean.ndim != 3:
                raise ValueError(f"Mean shape invalid: {mean.shape}")
            if mean.shape != shape[1:]:
                mean = resize_image(mean.transpose((1, 2, 0)), shape[2:]).transpose((2, 0, 1))
        self.mean[in_] = mean

    def set_input_scale(self, in_: str, scale: float) -> None:
        """The factor after the mean was subtracted."""
        self._set(self.input_scale, in_, scale)

    def _set(self, values: dict[str, float], in_: str, value: float) -> None:
        self._check(in_)
        values[in_] = value

    def _check(self, in_: str) -> None:
        if in_ not in self.inputs:
            raise InputError(f"{in_} is not one of the net inputs: {', '.join(self.inputs)}")
