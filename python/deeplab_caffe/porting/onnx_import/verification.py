"""Compares every blob of an imported net with onnxruntime's values."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..difference import distance
from ..export.runners import onnx_runner
from ..export.verification import BlobCheck, Verification, compute_blobs
from .convert import Imported
from .model import onnx


def verify_import(found: Imported, tolerance: float = 1e-4, seed: int = 0) -> Verification:
    """Run both on drawn inputs and compare the values that have one name in both.

    Args:
        found: the import.
        tolerance: the relative difference of an output that rounding may cause.
        seed: of the inputs, which are standard normal.

    Raises:
        InputError: onnxruntime is not installed.
    """
    net, model = found.net, found.model
    random = np.random.default_rng(seed)
    given = {name: random.standard_normal(model.shapes[name]).astype(np.float32) for name in model.inputs}
    for name, values in given.items():
        net.blobs[name].data[...] = values
    compute_blobs(net)
    names = {name: name for name in net.blobs if name in model.shapes and name not in given} | dict(found.outputs)
    theirs = onnx_runner(_showing(model.proto, list(names)))(given)
    checks = [_check(name, net.blobs[blob].data, np.asarray(theirs[name])) for name, blob in names.items()]
    return Verification(checks, list(found.outputs), tolerance)


def _check(name: str, mine: NDArray[np.float32], theirs: NDArray[np.generic]) -> BlobCheck:
    other = np.ascontiguousarray(theirs, np.float32).reshape(mine.shape)
    size = mine.shape[2:4] if mine.ndim == 4 else (1, 1)
    return BlobCheck(name, size, mine.shape, *distance(np.ascontiguousarray(mine), other))  # type: ignore[arg-type]


def _showing(proto: onnx.ModelProto, names: list[str]) -> bytes:
    """The model with these values as its outputs."""
    shown = onnx.ModelProto()
    shown.CopyFrom(proto)
    del shown.graph.output[:]
    shown.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    return bytes(shown.SerializeToString())
