"""What all solvers share: nets, loop, tests, snapshots, resume. Mirrors `solver.cpp` and `sgd_solver.cpp`."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any

import torch

from ...errors import NotFinite
from ...formats import schema, solver_types
from ...formats.definition import SolverDefinition
from ...formats.weights_hdf5 import check_names
from .. import log, mode
from ..blob import Blob
from ..net import weights
from ..net.log import message_text
from ..net.net import Net
from ..parallel import group, startup
from ..signals import Action
from . import learning_rate, not_finite, regularization, snapshot, testing
from .log import Display
from .nets import definition_of_solver, test_nets, train_net
from .shown import Displayed
from .state import TrainingState


class Solver(TrainingState):
    """What all solvers share: the nets, the loop, tests, snapshots. Subclasses have `update_value`.

    net: the training net; test_nets: one per test; iter: the number of updates done.
    """

    facts = solver_types.SOLVER_TYPES["SGD"]
    #: whether a parameter with lr_mult 0 keeps a history of zeros
    history_scales_with_rate = False
    #: whether tests run by the planned execution, which keeps the outputs of the test nets alone
    plans_tests = False
    #: whether the planned execution computes convolutions by the direct sum alone
    exact = False
    #: whether the SegAccuracy of a test is that of all its pixels, and not, as in Caffe, the mean over its batches
    tests_whole_lists = False
    #: of how many images a test tells the labels that it predicts
    predictions_kept = 0
    #: what to do when the loss or a parameter is not finite, of `not_finite.POLICIES`
    when_not_finite = "continue"
    #: what the passes compute in; see `set_precision`
    precision = "float32"

    def __init__(self, solver_file: str | os.PathLike[str] | SolverDefinition | Any) -> None:
        super().__init__(definition_of_solver(solver_file), group.current())
        if log.shows_details():
            log.detail(f"Initializing solver from parameters: \n{message_text(self.param)}", "solver.cpp:48")
        self.place = snapshot.Place(self.param.snapshot_prefix, self.definition.where("snapshot_prefix"))
        self._check()
        if self.param.random_seed >= 0:
            mode.set_random_seed(self.param.random_seed)
        self.action: Callable[[], Action] = lambda: Action.NONE
        self._stop = False
        self._display = Display()
        self.net = train_net(self.definition)
        if self.param.snapshot_format == schema.SolverParameter.HDF5:
            named = [(step.name, bool(step.layer.blobs)) for step in self.net.steps]
            check_names(named, self.source)  # rather than at the first snapshot
        self.test_nets = test_nets(self.definition) if self.is_root else []
        log.detail("Solver scaffolding done.", "solver.cpp:60")
        for files in self.param.weights:
            self.load_weights(files)
        params = self.net.learnable_params * self.facts.histories
        self.history = [torch.zeros_like(p.blob.data_tensor()) for p in params]

    # -- set-up

    def _check(self) -> None:
        p, definition = self.param, self.definition
        learning_rate.check(definition)
        self.check_param()
        if p.average_loss < 1 or p.iter_size < 1:
            wrong = "average_loss iter_size" if p.average_loss < 1 else "iter_size"
            raise definition.error(wrong, "average_loss and iter_size must be 1 or more")
        if p.regularization_type not in ("L1", "L2"):
            stated = p.regularization_type
            raise definition.error("regularization_type", f"regularization_type is '{stated}', wanted L1 or L2")
        if p.snapshot:
            self.place.check()

    def check_param(self) -> None:
        """Refuse a SolverParameter that this type of solver cannot use."""
        if (stated := self.param.momentum) and not self.facts.takes_momentum:
            raise self.definition.error("momentum", f"{self.type} takes no momentum, got momentum {stated:g}")

    def load_weights(self, files: str | os.PathLike[str]) -> None:
        """Copy weights from a file, or several separated by commas, into the training net and the test nets."""
        for file in weights.files(files):
            log.info(f"Finetuning from {file}", "caffe.cpp:155")
            for net in (self.net, *self.test_nets):
                net.copy_from(file)

    # -- pycaffe

    def set_precision(self, precision: str) -> None:
        """Compute the passes of all nets in `float32` or `bf16`; weights, history and losses stay float32."""
        for net in (self.net, *self.test_nets):
            net.set_precision(precision)
        self.precision = precision

    def step(self, iterations: int) -> None:
        """Run iterations, with the tests, display and snapshots that fall on them."""
        self.recent_losses = []
        self.loss_start = self.iter
        self._step(self.iter + iterations)

    def solve(self, state: str | None = None) -> None:
        """Train to max_iter (from a `.solverstate`, if given), then snapshot, show the loss and test."""
        log.info(f"Solving {self.net.name}", "solver.cpp:279")
        log.info(f"Learning Rate Policy: {self.param.lr_policy}", "solver.cpp:280")
        self._stop = False
        if state:
            log.info(f"Restoring previous solver status from {state}", "solver.cpp:286")
            self.restore(state)
        p = self.param
        if p.snapshot_after_train:
            self.place.check()
        if not self.recent_losses:
            self.loss_start = self.iter
        self._step(p.max_iter)
        if p.snapshot_after_train and (not p.snapshot or self.iter % p.snapshot):
            self.snapshot()
        if self._stop:
            log.info("Optimization stopped early.", "solver.cpp:301")
            return
        if self.is_root and self._displays():
            self._note_loss(self.net.forward_range(0, len(self.net.layers) - 1))
            loss = self.smoothed_loss
            log.info(f"Iteration {self.iter}, loss = {log.number(loss)}", "solver.cpp:317")
            self.on_display(Displayed(self.iter, loss, None, {}))
        if p.test_interval and self.iter % p.test_interval == 0:
            self.test_all()
        log.info("Optimization Done.", "solver.cpp:322")

    def snapshot(self) -> None:
        """Write `<prefix>_iter_<iter>.caffemodel`, `.solverstate` and the side file of data positions."""
        self.net.deferred_checks.finish()
        if self.when_not_finite != "continue" and not all(map(not_finite.finite, self._learnable_blobs())):
            self._not_finite("a parameter is not finite")
        snapshot.write(self)

    def restore(self, state_file: str | os.PathLike[str]) -> None:
        """Go on from a `.solverstate` or `.solverstate.h5`, with the weights that it names."""
        snapshot.restore(self, os.fspath(state_file))

    def share_weights(self, net: Net) -> None:
        """Make a net use the parameters of this solver's training net."""
        net.share_with(self.net)

    # -- the loop

    def _step(self, stop_at: int) -> None:
        p = self.param
        if self.group.count > 1 and not self.synchronised:
            startup.join(self)
        while self.iter < stop_at:
            self.net.clear_param_diffs()
            if p.test_interval and self.iter % p.test_interval == 0 and (self.iter > 0 or p.test_initialization):
                self.test_all()
                if self._stop:
                    break
            for on_start, _ in self.callbacks:
                on_start()
            self.net.debug_info = bool(p.debug_info and self._displays())
            loss = self._passes()
            self._note_loss(loss)
            shown = self._display.show(self) if self.is_root and self._displays() else None
            for _, on_gradients_ready in self.callbacks:
                on_gradients_ready()
            self.apply_update()
            if shown:
                rate = learning_rate.rate(p, self.iter, self.current_step)
                self.on_display(shown._replace(lr=rate))
            self.iter += 1
            requested = self.group.agree(self.action())
            if (p.snapshot and self.iter % p.snapshot == 0) or requested == Action.SNAPSHOT:
                self.snapshot()
            if requested == Action.STOP:
                self._stop = True
                break

    def _passes(self) -> torch.Tensor:
        last = len(self.net.layers) - 1
        total: torch.Tensor | None = None
        for _ in range(self.param.iter_size):
            loss = self.net.forward_range(0, last)
            self.place.prepare()
            self._check_finite(loss)
            self.net.backward_range(last, 0, release=True)
            total = loss if total is None else total + loss
        assert total is not None
        return total / self.param.iter_size

    def _check_finite(self, loss: torch.Tensor) -> None:
        """Look at a loss, on a device that must be waited for only when it is displayed."""
        if self.when_not_finite == "continue" or (mode.asynchronous() and not self._displays()):
            return
        if not math.isfinite(float(loss)):
            self._not_finite(f"the loss is {float(loss):g}")

    def _not_finite(self, what: str) -> None:
        """Stop with NotFinite, or warn once."""
        rate = learning_rate.rate(self.param, self.iter, self.current_step)
        message = not_finite.explanation(self.iter, what, rate, self.net.steps)
        if self.when_not_finite == "stop":
            raise NotFinite(f"{self.source}: {message}; {snapshot.last(self.param.snapshot_prefix)}")
        self.when_not_finite = "continue"
        log.warning(message, "solver.cpp:228")

    def _displays(self) -> bool:
        return bool(self.param.display) and self.iter % self.param.display == 0

    def _learnable_blobs(self) -> list[Blob]:
        return [param.blob for param in self.net.learnable_params]

    def _note_loss(self, loss: torch.Tensor) -> None:
        """Mean over the last `average_loss` iterations; kept on the device until it is read."""
        window = self.param.average_loss
        if len(self.recent_losses) < window:
            self.recent_losses.append(loss)
        else:
            self.recent_losses[(self.iter - self.loss_start) % window] = loss

    def test_all(self) -> None:
        """Run every test net for its test_iter forwards and log the mean of each output; the root alone does it."""
        self._stop = not testing.test_all(self) or self._stop

    # -- the update

    @property
    def lr(self) -> float:
        """The learning rate of the present iteration."""
        return self._rate()

    def _rate(self) -> float:
        p = self.param
        if p.lr_policy == "step":
            self.current_step = self.iter // p.stepsize
        elif (
            p.lr_policy == "multistep"
            and self.current_step < len(p.stepvalue)
            and self.iter >= p.stepvalue[self.current_step]
        ):
            self.current_step += 1
            log.info(f"MultiStep Status: Iteration {self.iter}, step = {self.current_step}", "sgd_solver.cpp:46")
        return learning_rate.rate(p, self.iter, self.current_step)

    def apply_update(self) -> None:
        """Clip, average over iter_size, regularise, and take the solver's step for every learnable parameter."""
        rate = self._rate()
        if self._displays():
            log.info(f"Iteration {self.iter}, lr = {log.number(rate)}", "sgd_solver.cpp:106")
        with torch.no_grad():
            regularization.clip(self.net.learnable_params, self.param.clip_gradients)
            for index, param in enumerate(self.net.learnable_params):
                still = self.history_scales_with_rate and index not in self.moving
                if param.lr_mult == 0 and still and param.blob.diff_memory.blank:
                    continue  # nothing came in and nothing would change
                if param.lr_mult != 0:
                    self.moving.add(index)
                gradient = param.blob.diff_tensor()
                if self.param.iter_size != 1:
                    gradient.mul_(1 / self.param.iter_size)
                value, decay = param.blob.data_tensor(), self.param.weight_decay * param.decay_mult
                regularization.regularize(value, gradient, decay, self.param.regularization_type)
                self.update_value(index, gradient, rate * param.lr_mult)
                value.sub_(gradient)

    def update_value(self, index: int, gradient: torch.Tensor, rate: float) -> None:
        """Replace a parameter's gradient by the step to subtract, and update its history."""
        raise NotImplementedError(f"{type(self).__name__}.update_value")
