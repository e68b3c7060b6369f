"""What a solver shows while it trains, as numbers: for those who draw it rather than read the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ...arrays import NDArray
from ...lazy import imported_on_use

if TYPE_CHECKING:
    import numpy as np
else:
    np = imported_on_use("numpy")



class Displayed(NamedTuple):
    """The numbers of a display.

    Attributes:
        iteration: the number of updates done before it.
        loss: the mean of the last `average_loss` iterations.
        lr: the learning rate of the iteration; None behind the last one, which has no update.
        outputs: {name: values} of the net's outputs; empty behind the last iteration.
    """

    iteration: int
    loss: float
    lr: float | None
    outputs: dict[str, list[float]]


class Tested(NamedTuple):
    """The numbers of a test of one net.

    Attributes:
        iteration: the number of updates done before it.
        net: the number of the test net.
        outputs: {name: values} of the net's outputs, as the log has them.
        confusion: {name: (C, C)} for the outputs of SegAccuracy layers: the pixels of all images of this test, ground
            truth in rows, predictions in columns.
        predictions: (H, W) labels of the first images, as many as the solver was asked to keep.
    """

    iteration: int
    net: int
    outputs: dict[str, list[float]]
    confusion: dict[str, NDArray[np.int64]]
    predictions: list[NDArray[np.uint8]]
