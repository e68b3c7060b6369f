"""The embedded Caffe as an engine."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import caffe
from ..caffe import log, mode, parallel
from ..caffe.layer_types.base import DataLayer
from ..caffe.net.net import Net
from ..caffe.signals import SignalHandler
from ..caffe.solver import snapshot
from ..caffe.solver.nets import train_net
from ..caffe.solver.rules import get_solver
from ..caffe.solver.solver import Solver
from ..errors import InputError, Stopped
from ..formats import schema
from ..formats.definition import read_solver, read_solver_definition
from ..permission import python_layers
from .interface import Beginning, Engine, Training, Validation, Watcher, demand_finite, starting_table


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
        with log.warnings_only():  # the layers of the training net that a file has besides are none
            net = caffe.Net(str(net_file), str(weights), caffe.TEST)
        self.check_initialized(net, net_file, weights)
        self.check_finite(net, weights)
        return net

    def runner(self, net: Any, blob: str) -> Callable[[], np.ndarray]:
        """With the planned execution, which keeps no other blob."""
        plan = net.plan(outputs=[blob], precision=self.precision, exact=self.exact)
        return lambda: plan.forward()[blob]

    def train(self, training: Training) -> None:
        how = _How(self.precision, self.exact, self.recompute, self.allow_not_finite)
        parallel.run(_train, training, how, how_to_go_on=lambda: _how_to_go_on(training))


def _how_to_go_on(training: Training) -> str:
    prefix = read_solver(training.solver_file).snapshot_prefix
    return f"{snapshot.last(prefix)}; run the same command again to continue"


class _How(NamedTuple):
    """How to train: the engine's settings, for each worker."""

    precision: str
    exact: bool
    recompute: bool
    allow_not_finite: bool


def _train(training: Training, how: _How) -> None:
    """Train in this process, which is one of the workers if there are several."""
    solver = get_solver(training.solver_file)
    solver.plans_tests, solver.exact = True, how.exact
    solver.when_not_finite = "stop"
    if training.validation:
        _add_validation(solver, training.validation)
    solver.set_precision(how.precision)
    if how.recompute:
        solver.net.recompute()
    try:
        if not solver.net.learnable_params:
            raise InputError(f"{training.solver_file}: the training net has no parameters to learn")
        if solver.is_root:
            if training.try_first:
                _compute_one_batch(training)
            training.prepare()
        solver.group.meet()
        with _logging(training) if solver.is_root else nullcontext():
            _solve(solver, training, how.allow_not_finite)
    finally:
        for net in (solver.net, *solver.test_nets):
            net.close()


def _add_validation(solver: Solver, validation: Validation) -> None:
    """Give a solver without test nets one; every worker knows when it is tested, and the root has the net.

    Building a net draws its first weights. Those draws are undone, so that what is trained stays the same.
    """
    solver.param.test_iter.append(validation.test_iter)
    solver.param.test_interval, solver.param.test_initialization = validation.test_interval, False
    solver.tests_whole_lists, solver.predictions_kept = True, validation.predictions
    if solver.is_root:
        with mode.random_numbers_kept():
            solver.test_nets.append(Net(str(validation.net_file), schema.TEST))


def _compute_one_batch(training: Training) -> None:
    """Build the net, load its weights and compute a batch, as training will; nothing of it stays or is logged."""
    print("the net has changed: trying one batch before the earlier training is moved", flush=True)
    with log.silent(), mode.random_numbers_kept():
        net = train_net(read_solver_definition(training.solver_file))
        try:
            if training.weights:
                net.copy_from(training.weights)
            net.forward()
            net.backward()
        finally:
            net.close()


@contextmanager
def _logging(training: Training) -> Iterator[None]:
    """A context in which log lines go to a file, and to stderr if the watcher wants them there."""
    training.log_file.parent.mkdir(parents=True, exist_ok=True)
    with training.log_file.open("a") as stream:
        log.add_file(stream)
        log.set_stderr(training.watcher.shows_log)
        try:
            yield
        finally:
            log.remove_file(stream)
            log.set_stderr(True)


def _solve(solver: Solver, training: Training, allow_not_finite: bool) -> None:
    state, weights = snapshot.newest(solver.param.snapshot_prefix), training.weights
    if state:
        _restore(solver, state)
    elif weights:
        _start_from(solver, weights)
    if (source := snapshot.weights_of(state) if state else weights) and not allow_not_finite:
        demand_finite(solver.net, Path(source))
    with SignalHandler() as signals, _watched(solver, training.watcher) if solver.is_root else nullcontext():
        solver.action = signals
        solver.solve()
    if solver.iter < solver.param.max_iter:
        done = f"iteration {solver.iter} of {solver.param.max_iter}"
        raise Stopped(f"stopped at {done}; {_how_to_go_on(training)}", signals.code)


def _restore(solver: Solver, state: str) -> None:
    _say(solver, f"resuming from {state}")
    if warning := snapshot.without_side_state(state):
        _say(solver, f"warning: {warning}")
    try:
        solver.restore(state)
    except InputError as error:
        files = state.rpartition(".solverstate")[0]
        raise InputError(f"{error}; remove {files}.* to resume from the previous snapshot") from None


def _start_from(solver: Solver, weights: Path) -> None:
    log.info(f"Finetuning from {weights}")
    solver.net.copy_from(str(weights))
    _say(solver, starting_table(solver.net, Path(solver.net.source), weights))


def _say(solver: Solver, text: str) -> None:
    if solver.is_root:
        print(text, flush=True)


@contextmanager
def _watched(solver: Solver, watcher: Watcher) -> Iterator[None]:
    """A context in which a watcher is told what the solver does."""
    watcher.begin(Beginning(solver.iter, solver.param.max_iter, _images(solver), sys.stderr))
    solver.on_display, solver.on_test = watcher.displayed, watcher.tested
    solver.add_callback(lambda: None, lambda: watcher.reach(solver.iter + 1))
    try:
        yield
    finally:
        watcher.end()


def _images(solver: Solver) -> int:
    """The images of an update: those of all data layers and workers."""
    layers = [step for step in solver.net.steps if isinstance(step.layer, DataLayer)]
    return sum(step.tops[0].shape[0] for step in layers) * solver.param.iter_size * solver.group.count
