"""Losses and parameters that are not finite: where it began, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch

from ..blob import Blob
from ..net.step import NetStep

#: what a solver does when its loss or a parameter is not finite: continue as Caffe does, also warn once, or stop
POLICIES = ("continue", "warn", "stop")
#: what to do about it
ADVICE = "try a smaller base_lr or clip_gradients, and check the initial weights, the mean, the scale and the labels"


def finite(blob: Blob) -> bool:
    """Whether all values of a blob are finite; memory that holds nothing counts as finite."""
    return blob.data_memory.blank or bool(torch.isfinite(blob.data_tensor()).all())


def first_not_finite(steps: Iterable[NetStep]) -> str | None:
    """The first layer, in the order of a forward pass, with a parameter or top that is not finite; None if all are."""
    return next((f"{step.layer.describe()}{place}" for step in steps for place in _places(step)), None)


def _places(step: NetStep) -> Iterator[str]:
    yield from (f"parameter {i} is not finite" for i, blob in enumerate(step.layer.blobs) if not finite(blob))
    for name, blob in zip(step.top_names, step.tops, strict=True):
        if not finite(blob):
            yield f"its top '{name}' is not finite"


def explanation(iteration: int, what: str, rate: float, steps: Sequence[NetStep]) -> str:
    """The message of a run that is not finite.

    Args:
        iteration: the number of updates done.
        what: such as "the loss is nan".
        rate: the learning rate of the iteration.
        steps: of the training net, after a pass that kept its blobs.
    """
    place = first_not_finite(steps)
    origin = f"; first: {place}" if place else ""
    return f"iteration {iteration}: {what} (learning rate {rate:g}){origin}; {ADVICE}"
