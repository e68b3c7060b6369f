"""One numeric variable of a MAT file of version 5, written and read with numpy and the standard library."""

from __future__ import absolute_import, division

import os
import shutil
import struct
import zlib

import numpy as np

_INT8, _INT32, _UINT32, _SINGLE, _MATRIX, _COMPRESSED = 1, 5, 6, 7, 14, 15
_CLASS_SINGLE, _CLASS_DOUBLE = 7, 6
#: how numbers are stored, by the data type of their element; MATLAB stores whole numbers as integers
_STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}


class MatError(ValueError):
    """A file that is not a MAT file of version 5, is damaged, or lacks the variable."""


def write_variable(path, name, dims, values):
    """Write `values`, the bytes of little-endian singles in MATLAB's order, as variable `name`: whole or not at all."""
    flags = struct.pack("<II", _CLASS_SINGLE, 0)
    head = _element(_UINT32, flags) + _element(_INT32, struct.pack("<%di" % len(dims), *dims))
    head += _element(_INT8, name.encode("ascii"))
    padding = b"\0" * (-len(values) % 8)
    size = len(head) + 8 + len(values) + len(padding)
    text = b"MATLAB 5.0 MAT-file".ljust(116) + b"\0" * 8 + struct.pack("<H", 0x0100) + b"IM"
    before = text + struct.pack("<II", _MATRIX, size) + head + struct.pack("<II", _SINGLE, len(values))
    _write(os.path.realpath(path), (before, values, padding))


def _write(path, parts):
    """A new file is renamed to `path`; what is no plain file, such as a device or a pipe, is written through."""
    through = os.path.exists(path) and not os.path.isfile(path)
    temporary = path if through else "%s.%d.tmp" % (path, os.getpid())
    try:
        with open(temporary, "wb") as out:
            for part in parts:
                out.write(part)
        if not through:
            if os.path.exists(path):
                shutil.copymode(path, temporary)
            os.rename(temporary, path)
    finally:
        if not through and os.path.exists(temporary):
            os.remove(temporary)


def _element(kind, content):
    """A data element: its tag, and the content filled up to a multiple of 8 bytes."""
    return struct.pack("<II", kind, len(content)) + content + b"\0" * (-len(content) % 8)


def read_variable(path, name):
    """A variable of class single or double, as an array with MATLAB's dims."""
    with open(path, "rb") as source:
        content = source.read()
    order = {b"IM": "<", b"MI": ">"}.get(content[126:128])
    if order is None:
        raise MatError("is not a MAT file of version 5")
    for kind, body in _elements(content[128:], order):
        if kind == _COMPRESSED:
            try:
                kind, body = next(_elements(zlib.decompress(body), order))
            except (zlib.error, StopIteration):
                raise MatError("is damaged: a compressed variable cannot be read")
        if kind == _MATRIX:
            parts = list(_elements(body, order))
            if len(parts) >= 4 and parts[2][1] == name.encode("ascii"):
                return _matrix(parts, order)
    raise MatError("has no variable '%s'" % name)


def _elements(content, order):
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
            raise MatError("is damaged: it ends in the middle of an element")
        yield kind, content[begin : begin + size]


def _matrix(parts, order):
    """The array of a matrix: flags, dims, name, real part."""
    (_, flags), (_, dims), _, (kind, values) = parts[:4]
    if len(flags) < 4 or struct.unpack_from(order + "I", flags)[0] & 0xFF not in (_CLASS_SINGLE, _CLASS_DOUBLE):
        raise MatError("its variable is not of class single or double")
    shape = tuple(int(d) for d in np.frombuffer(dims, order + "i4"))
    stored = np.frombuffer(values, order + _STORED.get(kind, "u1"))
    if kind not in _STORED or min(shape) < 0 or int(np.prod(shape, dtype=np.int64)) != stored.size:
        raise MatError("is damaged: %d values for dims %s" % (stored.size, list(shape)))
    return stored.reshape(shape, order="F")
