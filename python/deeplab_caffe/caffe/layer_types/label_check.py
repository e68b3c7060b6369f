"""Labels that are not a class: an error at once on the CPU, as soon as the device gets there elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from .. import mode
from .base import Layer
from .deferred_label_check import DeferredLabelCheck


def check_labels(layer: Layer, labels: torch.Tensor, classes: int, ignored: Sequence[int], items: int) -> torch.Tensor:
    """Where labels (any shape, `items` items first) are classes; LabelError if one is neither a class nor ignored.

    A device that computes while the host goes on is not waited for: the layer gets a check to be finished later.
    """
    valid = torch.ones_like(labels, dtype=torch.bool)
    for value in ignored:
        valid &= labels != value
    wrong = valid & ((labels < 0) | (labels >= classes))
    if labels.numel() == 0:
        return valid
    if mode.asynchronous():
        layer.deferred_checks.append(DeferredLabelCheck(layer.describe(), labels, wrong, classes, ignored, items))
        return valid & ~wrong
    if bool(wrong.any()):
        DeferredLabelCheck(layer.describe(), labels, wrong, classes, ignored, items).finish()
    return valid
