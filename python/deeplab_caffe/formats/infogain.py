"""The matrix H of an InfogainLoss in a file: a BlobProto of C × C floats, row by row; rows are the labels."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence

from ..errors import InputError
from ..files import write_bytes
from ..reading import read_bytes, reading
from . import schema

_WHAT = "the matrix H (a BlobProto)"


def write_diagonal(path: str | os.PathLike[str], weights: Sequence[float]) -> None:
    """Write the matrix whose diagonal are the weights of the classes: with it, a label's loss counts so much.

    All elements 1 make InfogainLoss the same as SoftmaxWithLoss.
    """
    count = len(weights)
    proto = schema.BlobProto()
    proto.shape.dim.extend([1, 1, count, count])
    values = [0.0] * (count * count)
    values[:: count + 1] = map(float, weights)
    proto.data.extend(values)
    write_bytes(path, proto.SerializeToString(deterministic=True))


def read_diagonal(path: str | os.PathLike[str]) -> list[float] | None:
    """The diagonal of a matrix; None if other elements are not 0.

    Raises:
        InputError: the file is missing, damaged, or holds no square matrix.
    """
    data = read_bytes(path, _WHAT)
    with reading(path, _WHAT, f"not {_WHAT.replace('the', 'a', 1)}"):
        proto = schema.BlobProto.FromString(data)
    values = list(proto.double_data or proto.data)
    count = math.isqrt(len(values))
    if not values or count * count != len(values):
        raise InputError(f"{os.fspath(path)}: has {len(values)} values; expected a square matrix of class weights")
    diagonal = values[:: count + 1]
    others = sum(map(bool, values)) - sum(map(bool, diagonal))
    return None if others else diagonal
