"""SegNet's class weights in a SoftmaxWithLoss, and the InfogainLoss that means the same, compared.

`deeplab prototxt upgrade` writes the one as the other: `formats/upgrade_class_weights.py` has the rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..formats import schema
from ..formats.infogain import read_diagonal
from ..formats.scalar_values import number_of
from ..lazy import imported_on_use

if TYPE_CHECKING:
    import numpy as np
else:
    np = imported_on_use("numpy")

_WEIGHTS, _SWITCH = "loss_param.class_weighting", "loss_param.weight_by_label_freqs"
_TRUE = ("true", "t", "True", "1")

Unknown = list[tuple[str, str]]


def alike(before: Any, after: Any, unknown: tuple[Unknown, Unknown]) -> tuple[Any, Any, tuple[Unknown, Unknown]]:
    """Two LayerParameters and what their texts say besides, with class weights in the form that the other one has."""
    old, new = (_without_unused(layer, found) for layer, found in zip((before, after), unknown, strict=True))
    if before.type == "SoftmaxWithLoss" and after.type == "InfogainLoss":
        before, old = _as_infogain(before, old, after)
    elif before.type == "InfogainLoss" and after.type == "SoftmaxWithLoss":
        after, new = _as_infogain(after, new, before)
    return before, after, (old, new)


def _without_unused(layer: Any, unknown: Unknown) -> Unknown:
    """Weights that are not switched on count nothing."""
    if layer.type != "SoftmaxWithLoss" or dict(unknown).get(_SWITCH) in _TRUE:
        return unknown
    return [(path, value) for path, value in unknown if path not in (_WEIGHTS, _SWITCH)]


def _as_infogain(layer: Any, unknown: Unknown, other: Any) -> tuple[Any, Unknown]:
    """A loss with class weights as an InfogainLoss, if the matrix of the `other` has these weights; else as it is."""
    weights = [number_of(value) for path, value in unknown if path == _WEIGHTS]
    if not weights or None in weights or not _is_diagonal(other.infogain_loss_param.source, weights):
        return layer, unknown
    copy = schema.LayerParameter()
    copy.CopyFrom(layer)
    copy.type = other.type
    copy.infogain_loss_param.source = other.infogain_loss_param.source
    if copy.softmax_param.HasField("axis"):
        copy.infogain_loss_param.axis = copy.softmax_param.axis
    copy.ClearField("softmax_param")
    loss = copy.loss_param
    if loss.HasField("normalize") and (loss.normalize or loss.HasField("normalization")):
        loss.ClearField("normalize")
    return copy, [(path, value) for path, value in unknown if path not in (_WEIGHTS, _SWITCH)]


def _is_diagonal(source: str, weights: list[Any]) -> bool:
    """Whether a file is the matrix of these weights; one that cannot be read is another."""
    try:
        found = read_diagonal(source)
    except InputError:
        return False
    return found is not None and np.array_equal(np.asarray(found, np.float32), np.asarray(weights, np.float32))
