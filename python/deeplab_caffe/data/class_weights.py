"""Weights of classes in a loss: from how often each class occurs, or from a file.

A class that no label has gets the weight 1: its weight is never used, unless the labels change.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..arrays import NDArray
from ..errors import InputError
from ..lazy import imported_on_use
from ..reading import read_json
from ..spelling import did_you_mean
from .label_statistics import LabelCounts
from .mapped_arrays import open_npy

if TYPE_CHECKING:
    import numpy as np

    #: a weight, or a frequency, of each class: (C,)
    Weights = NDArray[np.float64]
else:
    np = imported_on_use("numpy")
    Weights = Any

_HUGE = 1e300  # more than a weight may be; larger integers do not fit into a float
_EXPECTED = "expected a weight for each class: a list, or an object {class name: weight}"


def frequencies(counts: LabelCounts) -> Weights:
    """The share, 0..1, of each class in all pixels of the images that have the class; 0 for absent classes.

    Ignored pixels count among all pixels, not as a class (Eigen and Fergus, arXiv 1411.4734).
    """
    files = counts.files[:, : len(counts.classes)].astype(np.int64)
    totals = counts.files.sum(1, dtype=np.int64)
    shown = ((files > 0) * totals[:, None]).sum(0)
    found = files.sum(0) / np.maximum(shown, 1)
    if counts.ignore_label is not None and counts.ignore_label < len(found):
        found[counts.ignore_label] = 0
    return np.asarray(found)


def median_frequency(counts: LabelCounts) -> Weights:
    """The median of the classes' `frequencies`, divided by each: rare classes above 1, frequent ones below.

    Eigen and Fergus, arXiv 1411.4734; SegNet, arXiv 1511.00561.
    """
    found = frequencies(counts)
    present = found > 0
    weights = np.ones(len(found))
    if present.any():
        weights[present] = np.median(found[present]) / found[present]
    return weights


def inverse_frequency(counts: LabelCounts) -> Weights:
    """The inverse of each class's pixels, scaled so that the mean weight of all pixels of classes is 1."""
    pixels = counts.pixels[: len(counts.classes)].astype(np.float64)
    if counts.ignore_label is not None and counts.ignore_label < len(pixels):
        pixels[counts.ignore_label] = 0
    present = pixels > 0
    weights = np.ones(len(pixels))
    weights[present] = pixels.sum() / (present.sum() * pixels[present])
    return weights


#: the names of the ways to compute weights from labels
METHODS: Mapping[str, Callable[[LabelCounts], Weights]] = {
    "median-frequency": median_frequency,
    "inverse": inverse_frequency,
}


def absent_classes(counts: LabelCounts) -> list[str]:
    """The classes that no label has, whose weight is therefore 1."""
    pixels = counts.pixels
    return [name for value, name in enumerate(counts.classes) if not pixels[value] and value != counts.ignore_label]


def read_weights(path: str | os.PathLike[str], classes: Sequence[str]) -> Weights:
    """Weights (C,) from a file: a JSON list or an object {class name: weight}, or a .npy of shape (C,).

    Raises:
        InputError: the file is missing or damaged, or a weight is missing, negative or not a finite number.

    Example:
        >>> from deeplab_caffe.files import write_text
        >>> write_text("weights.json", '{"sky": 0.5, "car": 4}')
        >>> read_weights("weights.json", ["sky", "car"]).tolist()
        [0.5, 4.0]
    """
    path = Path(path)
    if path.suffix == ".npy":
        values: Any = np.asarray(open_npy(path, "read the class weights"))
        if values.ndim != 1 or values.dtype.kind not in "fiu":
            raise InputError(f"{path}: has {values.dtype} of shape {values.shape}; expected {len(classes)} numbers")
        values = values.tolist()
    else:
        values = read_json(path, "the class weights")
    if isinstance(values, dict):
        values = _by_name(path, values, classes)
    return _checked(path, values, classes)


def _by_name(path: Path, values: Mapping[str, Any], classes: Sequence[str]) -> list[Any]:
    for name in values:
        if name not in classes:
            known = did_you_mean(name, classes, f"; the classes are {', '.join(classes)}")
            raise InputError(f"{path}: '{name}' is not a class{known}")
    missing = [name for name in classes if name not in values]
    if missing:
        raise InputError(f"{path}: no weight for {', '.join(missing)}; {_EXPECTED}")
    return [values[name] for name in classes]


def _checked(path: Path, values: Any, classes: Sequence[str]) -> Weights:
    if not isinstance(values, list) or not all(type(value) in (int, float) for value in values):
        raise InputError(f"{path}: {_EXPECTED}")
    if len(values) != len(classes):
        raise InputError(f"{path}: has {len(values)} weights; expected {len(classes)}, one for each class")
    weights = np.array([min(max(value, -_HUGE), _HUGE) for value in values], np.float64)
    bad = ~(np.isfinite(weights) & (weights >= 0) & (weights <= np.finfo(np.float32).max))
    if bad.any():
        place = int(np.flatnonzero(bad)[0])
        shown = f"{values[place]!r:.40}"
        raise InputError(f"{path}: the weight of {classes[place]} is {shown}; expected a number, 0 or more")
    if not weights.astype(np.float32).any():
        raise InputError(f"{path}: all weights are 0, so nothing would be learned")
    return weights
