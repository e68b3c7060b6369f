"""Binary weight files, `.caffemodel` and `.solverstate`, read and written without a schema.

The forks of Caffe differ in the field numbers of layer parameters, but not in those of names, types and blobs. So only
these are decoded (field numbers: `layer` 100, `layers` 2; in a blob data 5, shape 7, legacy sizes 1 to 4,
double_data 8). Files are memory-mapped, and values become arrays without a copy.
"""

from __future__ import annotations

import math
import mmap
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..files import replacing
from ..lazy import imported_on_use
from ..reading import CANNOT_OPEN, reading
from .prototxt import Document

if TYPE_CHECKING:
    import numpy as np
else:
    np = imported_on_use("numpy")

Buffer = memoryview
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@dataclass
class BlobArray:
    """One blob of a file.

    Attributes:
        data: the values as float32, in the shape of the file.
        legacy: whether the file gives the shape as num, channels, height, width.
        diff: the gradient, if the file has one.
        dtype: the type of the values in the file, "float" or "double".
    """

    data: np.ndarray
    legacy: bool = False
    diff: np.ndarray | None = None
    dtype: str = "float"


@dataclass
class LayerWeights:
    """One layer of a weight file.

    Attributes:
        name: the layer's name.
        type: its type: a word (V2), a number as text (V1), or a word in lower case (V0).
        blobs: its parameters.
        form: which of these the file uses: "V2", "V1" or "V0".
    """

    name: str
    type: str
    blobs: list[BlobArray] = field(default_factory=list)
    form: str = "V2"


#: a state in place of weights
NO_WEIGHTS = "{path}: is the state of a solver (.solverstate); the weights are in the .caffemodel beside it"


class _Damaged(ValueError):
    """The bytes at an offset are not valid in the wire format."""


def read_caffemodel(path: str | os.PathLike[str]) -> list[LayerWeights]:
    """Every layer of a binary `.caffemodel` of any dialect, in order, with read-only arrays.

    Raises:
        InputError: the file is missing, truncated or not a caffemodel; a `.solverstate` and a prototxt are named as
            such.
    """
    layers: list[LayerWeights] = []
    with reading(path, damaged="truncated or not a .caffemodel", cannot=CANNOT_OPEN):
        view = _map(path)
        try:
            for number, kind, value in fields(view):
                if number == 1 and kind == _VARINT and not layers:  # the iteration; a net has its name there
                    raise InputError(NO_WEIGHTS.format(path=path))
                if number == 100 and kind == _BYTES:
                    layers.append(_layer(value, name=1, kind=2, blobs=7))
                elif number == 2 and kind == _BYTES:
                    layers.append(_old_layer(value))
        except _Damaged as error:
            _refuse_prototxt(path, view)
            done = f" after layer '{layers[-1].name}'" if layers else ""
            raise _Damaged(f"{error}{done}; the file has {len(view)} bytes") from None
    if not layers:
        _refuse_prototxt(path, view)
        raise InputError(f"{path}: has no layers; expected a .caffemodel")
    return layers


def _refuse_prototxt(path: str | os.PathLike[str], view: Buffer) -> None:
    """Raise InputError if what holds no weights is a prototxt."""
    if b"\0" in bytes(view[:65536]):  # spares reading the whole of a damaged file
        return
    try:
        fields_of_text = Document.read(path).root.fields
    except InputError:
        return
    if fields_of_text:
        raise InputError(f"{path}: is a prototxt, which has no weights; expected a .caffemodel")


def fields(view: Buffer) -> Iterator[tuple[int, int, Any]]:
    """(number, wire type, value) of every field of a message: integers, or memoryviews of the bytes."""
    at, end = 0, len(view)
    while at < end:
        key, at = _varint(view, at)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, at = _varint(view, at)
            yield number, kind, value
            continue
        if kind == _BYTES:
            size, at = _varint(view, at)
        elif kind in (_FIXED32, _FIXED64):
            size = 4 if kind == _FIXED32 else 8
        else:
            raise _Damaged(f"wire type {kind} at byte {at}")
        if at + size > end or number == 0:
            raise _Damaged(f"a field of {size} bytes at byte {at} of {end}")
        yield number, kind, view[at : at + size]
        at += size


def _varint(view: Buffer, at: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        if at >= len(view):
            raise _Damaged(f"the data ends within a number at byte {at}")
        byte = view[at]
        at += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, at
        shift += 7
        if shift > 63:
            raise _Damaged(f"a number of more than 10 bytes at byte {at}")


def _map(path: str | os.PathLike[str]) -> Buffer:
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            raise InputError(f"{path}: the file is empty")
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def _text(value: Any) -> str:
    return bytes(value).decode("utf-8", "replace") if isinstance(value, memoryview) else str(value)


def _layer(view: Buffer, name: int, kind: int, blobs: int) -> LayerWeights:
    layer = LayerWeights("", "")
    for number, wire, value in fields(view):
        if number == name and wire == _BYTES:
            layer.name = _text(value)
        elif number == kind:
            layer.type = _text(value)
        elif number == blobs and wire == _BYTES:
            layer.blobs.append(_blob(value))
    return layer


def _old_layer(view: Buffer) -> LayerWeights:
    """A V1 layer, or a V0 connection around a layer in field 1."""
    inner = [value for number, wire, value in fields(view) if number == 1 and wire == _BYTES]
    layer = _layer(inner[0], name=1, kind=2, blobs=50) if inner else _layer(view, name=4, kind=5, blobs=6)
    layer.form = "V0" if inner else "V1"
    return layer


def _blob(view: Buffer) -> BlobArray:
    legacy: dict[int, int] = {}
    shape: list[int] | None = None
    values: dict[int, list[np.ndarray]] = {}
    for number, wire, value in fields(view):
        if number <= 4 and wire == _VARINT:
            legacy[number] = value
        elif number == 7 and wire == _BYTES:
            shape = _dims(value)
        elif number in (5, 6, 8, 9) and wire != _VARINT:
            dtype = "<f4" if number < 8 else "<f8"
            if len(value) % int(dtype[-1]):
                raise _Damaged(f"blob data of {len(value)} bytes")
            values.setdefault(number, []).append(np.frombuffer(value, dtype))
    data = _joined(values, 8, 5)
    diff = _joined(values, 9, 6)
    if legacy:
        dims = [legacy.get(i, 0) for i in (1, 2, 3, 4)]
    elif shape is not None:
        dims = shape
    elif data.size == 1:
        dims = []
    else:
        raise _Damaged(f"a blob of {data.size} values without a shape")
    if math.prod(dims) != data.size or len(dims) > 32 or max(dims, default=0) >= 2**31:
        raise _Damaged(f"a blob of shape {tuple(dims)} with {data.size} values")
    gradient = diff.reshape(dims) if diff.size == data.size else None
    return BlobArray(data.reshape(dims), bool(legacy), gradient, "double" if values.get(8) else "float")


def _joined(values: dict[int, list[np.ndarray]], double: int, single: int) -> np.ndarray:
    """Double values are preferred to single ones; unpacked values are separate fields."""
    parts = values.get(double) or values.get(single) or [np.zeros(0, np.float32)]
    whole = parts[0] if len(parts) == 1 else np.concatenate(parts)
    return whole.astype(np.float32, copy=False)


def _dims(view: Any) -> list[int]:
    dims: list[int] = []
    for number, wire, value in fields(view):
        if number == 1 and wire == _BYTES:
            at = 0
            while at < len(value):
                size, at = _varint(value, at)
                dims.append(size)
        elif number == 1:
            if wire != _VARINT:
                raise _Damaged(f"a dim of wire type {wire}")
            dims.append(value)
    return dims


# -- writing


def encode_varint(value: int) -> bytes:
    """A non-negative integer as a varint of the wire format."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def encode_bytes(number: int, payload: bytes) -> bytes:
    """A length-delimited field."""
    return encode_varint(number << 3 | _BYTES) + encode_varint(len(payload)) + payload


def encode_blob(data: np.ndarray, diff: np.ndarray | None = None) -> bytes:
    """A BlobProto with `shape` and packed float data."""
    dims = b"".join(encode_varint(d) for d in data.shape)
    values = encode_bytes(5, np.ascontiguousarray(data, dtype="<f4").tobytes())
    if diff is not None:
        values += encode_bytes(6, np.ascontiguousarray(diff, dtype="<f4").tobytes())
    return values + encode_bytes(7, encode_bytes(1, dims) if data.shape else b"")


def write_caffemodel(path: str | os.PathLike[str], name: str, layers: list[tuple[bytes, list[bytes]]]) -> None:
    """Write a binary `.caffemodel`: the net's name, and for each layer its serialised definition and encoded blobs."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(encode_bytes(1, name.encode()))
        for definition, blobs in layers:
            size = len(definition) + sum(1 + len(encode_varint(len(b))) + len(b) for b in blobs)
            file.write(encode_varint(100 << 3 | _BYTES) + encode_varint(size) + definition)
            for blob in blobs:
                file.write(encode_bytes(7, blob))


@dataclass
class SolverState:
    """The content of a `.solverstate`."""

    iter: int
    learned_net: str
    history: list[np.ndarray]
    current_step: int


def read_solverstate(path: str | os.PathLike[str]) -> SolverState:
    """Read a binary `.solverstate`; raises InputError if it is missing or damaged."""
    state = SolverState(0, "", [], 0)
    with reading(path, damaged="truncated or not a .solverstate", cannot=CANNOT_OPEN):
        for number, wire, value in fields(_map(path)):
            if number <= 4 and wire != (_BYTES if number in (2, 3) else _VARINT):
                raise _Damaged(f"field {number} has wire type {wire}")
            if number == 1 and wire == _VARINT:
                state.iter = _int32(value)
            elif number == 2 and wire == _BYTES:
                state.learned_net = _text(value)
            elif number == 3 and wire == _BYTES:
                state.history.append(_blob(value).data)
            elif number == 4 and wire == _VARINT:
                state.current_step = _int32(value)
    return state


def _int32(value: int) -> int:
    if value >= 2**31:
        raise _Damaged(f"an iteration of {value}")
    return value


def write_solverstate(path: str | os.PathLike[str], state: SolverState) -> None:
    """Write a binary `.solverstate` that Caffe reads."""
    with replacing(path) as temporary, Path(temporary).open("wb") as file:
        file.write(encode_varint(1 << 3) + encode_varint(state.iter))
        file.write(encode_bytes(2, state.learned_net.encode()))
        for blob in state.history:
            file.write(encode_bytes(3, encode_blob(blob)))
        file.write(encode_varint(4 << 3) + encode_varint(state.current_step))
