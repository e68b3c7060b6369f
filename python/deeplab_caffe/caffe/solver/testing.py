"""The tests of a solver's test nets. Mirrors `solver.cpp`, TestAll and Test."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch

from .. import log
from ..layer_types.base import DataLayer
from ..layer_types.segmentation import SegAccuracy
from ..net.net import Net
from ..parallel.group import Group
from ..signals import Action
from .log import log_outputs
from .shown import Tested
from .snapshot import Place


class TestingSolver(Protocol):
    """What a test needs to know of a solver."""

    param: Any
    iter: int
    net: Net
    test_nets: list[Net]
    group: Group
    place: Place
    action: Callable[[], Action]
    precision: str
    plans_tests: bool
    exact: bool
    tests_whole_lists: bool
    predictions_kept: int
    on_test: Callable[[Tested], None]

    @property
    def is_root(self) -> bool:
        """Whether it is the one that tests."""

    def snapshot(self) -> None:
        """Write a snapshot."""


def test_all(solver: TestingSolver) -> bool:
    """Run every test net for its test_iter forwards and log the mean of each output; the root alone does it.

    Returns:
        Whether training is to go on; not if a test was interrupted.
    """
    if not solver.is_root:
        return _wait_for_tests(solver)
    goes_on = all(_test(solver, index, net) for index, net in enumerate(solver.test_nets))
    solver.group.lead(Action.NONE if goes_on else Action.STOP)
    return goes_on


def _wait_for_tests(solver: TestingSolver) -> bool:
    """Take part in the snapshots that are asked for while the root tests."""
    while (action := solver.group.follow()) == Action.SNAPSHOT:
        solver.snapshot()
    return action != Action.STOP


def _test(solver: TestingSolver, index: int, net: Net) -> bool:
    log.info(f"Iteration {solver.iter}, Testing net (#{index})", "solver.cpp:337")
    net.share_with(solver.net)
    count = solver.param.test_iter[index]
    plain = partial(net.forward_range, 0, len(net.layers) - 1)
    sums, loss = _Sums(net, solver.tests_whole_lists), torch.zeros((), dtype=torch.float64)
    seen = _Predictions(net, solver.predictions_kept)
    planned = solver.plans_tests and net.plan(keep=seen.scores, precision=solver.precision, exact=solver.exact)
    run = planned.run if planned else plain
    if solver.tests_whole_lists:
        _go_to_the_beginning(net)
    for _ in range(count):
        if _interrupted(solver):
            return False
        loss = run().double() + loss
        solver.place.prepare()
        sums.add()
        seen.add()
    net.deferred_checks.finish()
    if solver.param.test_compute_loss:
        log.info(f"Test loss: {log.number(float(loss) / count)}", "solver.cpp:392")
    outputs = sums.outputs(count)
    log_outputs(net, "Test", outputs, "solver.cpp:405")
    named = dict(zip(net.outputs, outputs, strict=True))
    solver.on_test(Tested(solver.iter, index, named, sums.confusion(), seen.labels))
    return True


def _interrupted(solver: TestingSolver) -> bool:
    """Serve what was asked for between two forwards; whether that ends the test."""
    while (requested := solver.action()) != Action.NONE:
        if requested != Action.SNAPSHOT:
            log.info("Test interrupted.", "solver.cpp:387")
            return True
        solver.group.lead(requested)
        solver.snapshot()
    return False


def _go_to_the_beginning(net: Net) -> None:
    """Begin each test with the first image, also after one that was interrupted."""
    for layer in net.layers:
        if isinstance(layer, DataLayer):
            layer.seek(0)


class _Predictions:
    """The labels that the scores of the first SegAccuracy say for the first images."""

    def __init__(self, net: Net, count: int) -> None:
        read = [step.bottom_names[0] for step in net.steps if isinstance(step.layer, SegAccuracy)]
        self.scores = read[:1] if count else []
        self.labels: list[np.ndarray] = []
        self._net, self._count = net, count

    def add(self) -> None:
        """Keep those of the last forward, if there are too few yet."""
        if self.scores and len(self.labels) < self._count:
            scores = self._net.blobs[self.scores[0]].data_tensor().detach()
            labels = scores.argmax(1).to(torch.uint8).cpu().numpy()
            self.labels += list(labels[: self._count - len(self.labels)])


class _Sums:
    """The sums of a test net's outputs and confusion matrices over its forwards.

    Caffe's test is the mean of what each forward gives. Of a SegAccuracy layer that is the mean over batches, and with
    `reset: false`, which is never cleared, that of running values. With `whole` the layer's values are those of all
    pixels of this test.
    """

    def __init__(self, net: Net, whole: bool) -> None:
        self._net, self._whole = net, whole
        self._sums: list[torch.Tensor] = []
        steps = [step for step in net.steps if isinstance(step.layer, SegAccuracy)]
        self._layers: dict[str, Any] = {step.top_names[0]: step.layer for step in steps}
        self._before = {name: layer.confusion for name, layer in self._layers.items()}
        self._counts: dict[str, torch.Tensor] = {}

    def add(self) -> None:
        """Add what the last forward gave."""
        values = [self._net.blobs[name].data_tensor().detach().flatten() for name in self._net.outputs]
        pairs = zip(self._sums, values, strict=True)
        self._sums = [a + b for a, b in pairs] if self._sums else [v.clone() for v in values]
        for name, layer in self._layers.items():
            last, before = layer.confusion, self._before[name]
            if not layer.param.seg_accuracy_param.reset:  # it has summed itself, and is given its sum of before
                self._counts[name] = last if before is None else last - before
            else:
                self._counts[name] = self._counts[name] + last if name in self._counts else last

    def outputs(self, count: int) -> list[list[float]]:
        """The values of each output: the mean of `count` forwards, or those of all pixels."""
        found = [(s / count).tolist() for s in self._sums]
        if not self._whole:
            return found
        exact = {name: SegAccuracy.scores(counts.double()).flatten().tolist() for name, counts in self._counts.items()}
        return [exact.get(name, values) for name, values in zip(self._net.outputs, found, strict=True)]

    def confusion(self) -> dict[str, Any]:
        """The confusion matrices, on the host."""
        return {name: counts.cpu().numpy() for name, counts in self._counts.items()}
