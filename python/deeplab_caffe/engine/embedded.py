"""The embedded Caffe as an engine."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import caffe
from ..caffe import parallel
from ..errors import InputError
from ..lazy import imported_on_use
from ..permission import python_layers
from .interface import Engine, Training

if TYPE_CHECKING:
    from . import embedded_training
else:
    embedded_training = imported_on_use(f"{__package__}.embedded_training")


class Embedded(Engine):
    """Trains on one device or several, logs like Caffe, and resumes with exactly the images that were next."""

    caffe = caffe
    validates = True

    def python_layers(self, allowed: bool) -> AbstractContextManager[None]:
        return python_layers(allowed)

    def choose_device(self, gpu: str | None, wants_gpu: bool, workers: int) -> None:
        """Only training uses several devices or workers; everything else computes on the first one."""
        if gpu is not None and workers != 1:
            raise InputError("--workers is only for the CPU; with --gpu there is one worker per device")
        if gpu is not None or workers != 1:
            parallel.choose(parallel.devices(gpu or "", workers))
        elif wants_gpu:
            if caffe.has_gpu():
                caffe.set_mode_gpu()
            else:
                print("the solver requests a GPU, but there is none; using the CPU", file=sys.stderr)

    def test_net(self, net_file: Path, weights: Path) -> Any:
        with caffe.log.warnings_only():  # the layers of the training net that a file has besides are none
            net = caffe.Net(str(net_file), str(weights), caffe.TEST)
        self.check_initialized(net, net_file, weights)
        self.check_finite(net, weights)
        return net

    def runner(self, net: Any, blob: str) -> Callable[[], np.ndarray]:
        """With the planned execution, which keeps no other blob."""
        plan = net.plan(outputs=[blob], precision=self.precision, exact=self.exact)
        return lambda: plan.forward()[blob]

    def train(self, training: Training) -> None:
        how = embedded_training.How(self.precision, self.exact, self.recompute, self.allow_not_finite)
        parallel.run(
            embedded_training.train, training, how, how_to_go_on=lambda: embedded_training.how_to_go_on(training)
        )
