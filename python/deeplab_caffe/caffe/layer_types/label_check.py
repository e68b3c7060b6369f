"""Labels that are not a class, and indices that are not in range: an error at once on the CPU, later elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from ...errors import InputError
from .. import mode
from .base import Layer
from .deferred_check import DeferredCheck, LabelError


def check_labels(layer: Layer, labels: torch.Tensor, classes: int, ignored: Sequence[int], items: int) -> torch.Tensor:
    """Where labels (any shape, `items` items first) are classes; LabelError if one is neither a class nor ignored.

    A device that computes while the host goes on is not waited for: the layer gets a check to be finished later.
    """
    valid = torch.ones_like(labels, dtype=torch.bool)
    for value in ignored:
        valid &= labels != value
    wrong = valid & ((labels < 0) | (labels >= classes))
    if labels.numel() == 0 or not (mode.asynchronous() or bool(wrong.any())):
        return valid
    item_size = max(1, labels.numel() // max(1, items))
    ignoring = f"ignored: {', '.join(map(str, ignored))}" if ignored else "no label is ignored"

    def error(_: int, position: int, value: int) -> LabelError:
        return LabelError(
            f"{layer.describe()}label {value} is neither one of the {classes} classes (0 to {classes - 1}) nor ignored "
            f"({ignoring})",
            position // item_size,
            classes,
            list(ignored),
        )

    position = wrong.flatten().to(torch.uint8).argmax()
    _say(layer, [wrong.any(), position, labels.flatten().take(position)], error)
    return valid & ~wrong


def check_indices(
    layer: Layer, index: torch.Tensor, count: int, message: Callable[[int, int, int], str]
) -> torch.Tensor:
    """Indices (any shape, int64) that are to be from 0 to count - 1: as they are, or those in range where some are not.

    message: of the InputError, from the first wrong index, the least and the greatest one. As for labels, a device that
    computes while the host goes on is not waited for.
    """
    wrong = (index < 0) | (index >= count)
    if index.numel() == 0 or not (mode.asynchronous() or bool(wrong.any())):
        return index
    first = index.flatten().take(wrong.flatten().to(torch.uint8).argmax())
    _say(
        layer,
        [wrong.any(), first, index.min(), index.max()],
        lambda _, first, least, most: InputError(layer.describe() + message(first, least, most)),
    )
    return index.clamp(0, max(count - 1, 0))


def _say(layer: Layer, found: Sequence[torch.Tensor], error: Callable[..., InputError]) -> None:
    """Raise the error if the first number says so: now on the CPU, else when the layer's check is finished."""
    check = DeferredCheck(torch.stack([number.to(torch.int64) for number in found]), error)
    if mode.asynchronous():
        layer.deferred_checks.append(check)
    else:
        check.finish()
