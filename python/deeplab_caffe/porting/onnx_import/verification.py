"""Compares every blob of an imported net with onnxruntime's values."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays import Shape
from ...errors import InputError
from ...reading import reason_of
from ..difference import distance
from ..export.runners import onnx_runner
from ..export.verification import BlobCheck, Verification, compute_blobs
from .convert import Imported
from .libraries import onnx
from .model import NUMBERS


def verify_import(found: Imported, tolerance: float = 1e-4, seed: int = 0) -> Verification:
    """Run both on drawn inputs and compare the values that have one name in both.

    Args:
        found: the import.
        tolerance: the relative difference of an output that rounding may cause.
        seed: of the inputs, which are standard normal.

    Raises:
        InputError: onnxruntime is not installed, or cannot run the model.
    """
    net, model = found.net, found.model
    random = np.random.default_rng(seed)
    given = {name: _drawn(random, model.shapes[name], NUMBERS[model.types[name]]) for name in model.inputs}
    for name, values in given.items():
        net.blobs[name].data[...] = values
    compute_blobs(net)
    names = {name: name for name in net.blobs if name in model.shapes and name not in given} | dict(found.outputs)
    with _running(model.source):
        theirs = onnx_runner(_showing(model.proto, list(names)))(given)
    checks = [_check(model.source, name, net.blobs[blob].data, theirs[name]) for name, blob in names.items()]
    return Verification(checks, list(found.outputs), tolerance)


def _drawn(random: np.random.Generator, shape: Shape, kind: Any) -> NDArray[Any]:
    """Values of a type: standard normal, or whole numbers from 0 to 9 (truth values: 0 or 1)."""
    if np.issubdtype(kind, np.floating):
        return random.standard_normal(shape).astype(kind)
    return random.integers(0, 2 if kind == np.dtype(bool) else 10, shape).astype(kind)


@contextlib.contextmanager
def _running(source: str) -> Iterator[None]:
    """Turn what onnxruntime raises on a model into an InputError that names it."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{source}: onnxruntime cannot run it: {reason_of(error)} (--no-verify skips this)") from error


def _check(source: str, name: str, mine: NDArray[np.float32], theirs: NDArray[Any]) -> BlobCheck:
    if theirs.size != mine.size:
        raise InputError(f"{source}: '{name}' is {tuple(theirs.shape)} in onnxruntime; in Caffe it is {mine.shape}")
    other = np.ascontiguousarray(theirs, np.float32).reshape(mine.shape)
    alike = ~np.isfinite(mine) & ((mine == other) | (np.isnan(mine) & np.isnan(other)))
    mine, other = (np.ascontiguousarray(np.where(alike, np.float32(0), values)) for values in (mine, other))
    size = mine.shape[2:4] if mine.ndim == 4 else (1, 1)
    return BlobCheck(name, size, mine.shape, *distance(mine, other))  # type: ignore[arg-type]


def _showing(proto: onnx.ModelProto, names: list[str]) -> bytes:
    """The model with these values as its outputs."""
    shown = onnx.ModelProto()
    shown.CopyFrom(proto)
    del shown.graph.output[:]
    shown.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    return bytes(shown.SerializeToString())
