"""The lines that a solver displays. Mirrors `solver.cpp`, Step and Test."""

from __future__ import annotations

import time
from collections.abc import Sequence

from .. import log
from ..net.net import Net
from .shown import Displayed
from .state import TrainingState


class Display:
    """Shows a solver's loss and outputs; knows since when."""

    def __init__(self) -> None:
        self._last: tuple[float, int] | None = None

    def show(self, solver: TrainingState) -> Displayed:
        """The lines of the present iteration, after its passes; returns the numbers, as yet without a rate."""
        speed, loss = "" if log.dialect() == "rc3" else f" ({self._speed(solver)})", solver.smoothed_loss
        log.info(f"Iteration {solver.iter}{speed}, loss = {log.number(loss)}", "solver.cpp:228")
        solver.net.deferred_checks.finish()
        outputs = {name: solver.net.blobs[name].data_tensor().flatten().tolist() for name in solver.net.outputs}
        log_outputs(solver.net, "Train", [*outputs.values()], "solver.cpp:244")
        return Displayed(solver.iter, loss, None, outputs)

    def _speed(self, solver: TrainingState) -> str:
        """Iterations per second since the last time, and how long the iterations between two displays took."""
        now = time.time()
        then, at = self._last or (now, solver.iter)
        self._last = (now, solver.iter)
        lapse = now - then
        per_second = (solver.iter - at) / lapse if lapse > 0 else 0
        return f"{log.number(per_second)} iter/s, {log.number(lapse)}s/{solver.param.display} iters"


def log_outputs(net: Net, kind: str, outputs: Sequence[Sequence[float]], place: str) -> None:
    """A line for each value of each output, numbered through; kind: Train or Test."""
    weights = net.blob_loss_weights
    pairs = [(name, value) for name, values in zip(net.outputs, outputs, strict=True) for value in values]
    for index, (name, value) in enumerate(pairs):
        shown = with_loss(value, weights[name])
        log.info(f"    {kind} net output #{index}: {name} = {shown}", place)


def with_loss(value: float, weight: float) -> str:
    """A value, and what it contributes to the loss if it has a weight: `0.7 (* 2 = 1.4 loss)`."""
    part = f" (* {log.number(weight)} = {log.number(weight * value)} loss)" if weight else ""
    return log.number(value) + part
