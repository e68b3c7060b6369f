"""Variables of MATLAB files of version 5, read with NumPy and the standard library: score maps, labels, annotations.

SciPy's reader can crash the process on a damaged file; this one checks each size before it uses it.
"""

from __future__ import annotations

import math
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..reading import reading

_MATRIX, _COMPRESSED = 14, 15
_STRUCT, _TEXT, _COMPLEX = 2, 4, 0x0800
#: how numbers are stored, by the data type of their element; MATLAB stores whole numbers as small integers
_STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
#: what they are, by the class of the array: double, single, and the integers
_CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
#: how text is stored: as UTF-8, UTF-16, UTF-32, or as numbers of characters
_ENCODINGS = {1: "latin-1", 2: "latin-1", 4: "utf-16-{}", 16: "utf-8", 17: "utf-16-{}", 18: "utf-32-{}"}
_MOST_DEEP = 20

_Element = tuple[int, memoryview]


def read_mat(path: str | os.PathLike[str], name: str, limit: int = 1 << 32) -> Any:
    """A variable of a `.mat` file of version 5, compressed or not.

    Args:
        path: the file.
        name: of the variable.
        limit: the most bytes that a compressed variable may have; the format allows no more than 4 GiB.

    Returns:
        A numeric array with MATLAB's axes and type; for a struct of one element a dict of its fields, for one of more
        or of none a list of such dicts in MATLAB's order. A field is of the same kinds, or text: a str. A field of
        another class, such as a cell array, is None.

    Raises:
        InputError: the file is missing, damaged, of another version, or has no such variable.
    """
    with reading(path, damaged="damaged or not a MAT file of version 5"):
        content = Path(path).read_bytes()
        if content[:4] == b"\x89HDF" or content[:19] == b"MATLAB 7.3 MAT-file":
            raise InputError(f"{path}: a MAT file of version 7.3; expected version 5: save with '-v7' in MATLAB")
        order = {b"IM": "<", b"MI": ">"}.get(content[126:128])
        if order is None:
            raise InputError(f"{path}: is not a MAT file of version 5")
        for kind, body in _elements(memoryview(content)[128:], order):
            parts = _parts(kind, body, order, limit)
            if len(parts) >= 3 and bytes(parts[2][1]) == name.encode():
                return _value(parts, order)
    raise InputError(f"{path}: has no variable '{name}'")


def _parts(kind: int, body: memoryview, order: str, limit: int) -> list[_Element]:
    """The elements of a variable; empty for an element that is not a variable."""
    if kind == _COMPRESSED:
        unpacker = zlib.decompressobj()
        head = unpacker.decompress(body, 8)
        kind, size = struct.unpack(order + "II", head)
        if size > limit:
            raise ValueError(f"a variable of {size} bytes; expected at most {limit}")
        body = memoryview(unpacker.decompress(unpacker.unconsumed_tail, size)) if size else memoryview(b"")
        if len(body) < size:
            raise ValueError("a compressed variable is truncated")
    return list(_elements(body, order)) if kind == _MATRIX else []


def _elements(content: memoryview, order: str) -> Iterator[_Element]:
    """(data type, content) of each data element."""
    position = 0
    while position + 8 <= len(content):
        kind, size = struct.unpack_from(order + "II", content, position)
        begin = position + 8
        if kind >> 16:  # a small element: size, type and up to 4 bytes in 8
            kind, size, begin = kind & 0xFFFF, kind >> 16, position + 4
            position += 8
        else:
            position = begin + size + (-size % 8 if kind != _COMPRESSED else 0)
        if begin + size > len(content):
            raise ValueError("it ends in the middle of an element")
        yield kind, content[begin : begin + size]


def _value(parts: list[_Element], order: str, depth: int = 0) -> Any:
    """The value of a variable: flags, dims, name, then what its class needs."""
    flags = struct.unpack_from(order + "I", parts[0][1])[0]
    shape = tuple(int(n) for n in np.frombuffer(parts[1][1], order + "i4"))
    if len(shape) < 2 or min(shape) < 0:
        raise ValueError(f"an array of dims {list(shape)}")
    if flags & 0xFF == _STRUCT and depth < _MOST_DEEP:
        return _struct(parts, shape, order, depth)
    kind = _CLASSES.get(flags & 0xFF)
    if kind is None or flags & _COMPLEX:
        raise ValueError("a variable that is not an array of real numbers")
    stored_as, values = parts[3]
    if stored_as not in _STORED:
        raise ValueError(f"numbers of type {stored_as}")
    stored = np.frombuffer(values, order + _STORED[stored_as])
    if math.prod(shape) != stored.size:
        raise ValueError(f"{stored.size} values for dims {list(shape)}")
    return stored.astype(kind, copy=False).reshape(shape, order="F")


def _struct(parts: list[_Element], shape: tuple[int, ...], order: str, depth: int) -> Any:
    """A dict of the fields of a struct of one element, or the list of those of several."""
    names = _names(parts, order)
    count = math.prod(shape)
    if count * len(names) != len(parts) - 5:
        raise ValueError(f"a struct of dims {list(shape)} and {len(names)} fields with {len(parts) - 5} values")
    rows = [parts[5 + i : 5 + i + len(names)] for i in range(0, count * len(names), max(1, len(names)))]
    found = [_fields(names, row, order, depth) for row in rows]
    return (found or [{}])[0] if count == 1 else found


def _names(parts: list[_Element], order: str) -> list[str]:
    """The names of a struct's fields."""
    length = struct.unpack_from(order + "i", parts[3][1])[0]
    text = bytes(parts[4][1])
    if length < 1:
        raise ValueError("a struct without names")
    return [text[i : i + length].split(b"\0")[0].decode("latin-1") for i in range(0, len(text), length)]


def _fields(names: list[str], row: list[_Element], order: str, depth: int) -> dict[str, Any]:
    return {name: _field(kind, body, order, depth) for name, (kind, body) in zip(names, row, strict=True)}


def _field(kind: int, body: memoryview, order: str, depth: int) -> Any:
    """The value of a field; None if it is empty or of a class that is not read."""
    parts = list(_elements(body, order)) if kind == _MATRIX else []
    if len(parts) < 4:
        return None
    of = parts[0][1][0 if order == "<" else 3]
    if of == _TEXT:
        return _text(parts, order)
    return _value(parts, order, depth + 1) if of in {_STRUCT, *_CLASSES} else None


def _text(parts: list[_Element], order: str) -> str:
    """A char array of one row."""
    shape = np.frombuffer(parts[1][1], order + "i4")
    stored_as, content = parts[3]
    if stored_as not in _ENCODINGS or (len(content) and shape[0] != 1):
        raise ValueError(f"text of dims {shape.tolist()}, stored as type {stored_as}")
    return bytes(content).decode(_ENCODINGS[stored_as].format("le" if order == "<" else "be"))
