"""A training by the embedded Caffe, in one process or as one of several workers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import NamedTuple

from ..caffe import log, mode
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
from .interface import Beginning, Training, Validation, Watcher, demand_finite, starting_table


def how_to_go_on(training: Training) -> str:
    """What is kept of a training that was stopped, and how it is resumed."""
    prefix = read_solver(training.solver_file).snapshot_prefix
    return f"{snapshot.last(prefix)}; run the same command again to continue"


class How(NamedTuple):
    """How to train: the engine's settings, for each worker."""

    precision: str
    exact: bool
    recompute: bool
    allow_not_finite: bool


def train(training: Training, how: How) -> None:
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
        try:
            with log.stderr_set(training.watcher.shows_log):
                yield
        finally:
            log.remove_file(stream)


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
        solver.net.keeps_diffs = False  # nobody can look at them
        solver.solve()
    if solver.iter < solver.param.max_iter:
        done = f"iteration {solver.iter} of {solver.param.max_iter}"
        raise Stopped(f"stopped at {done}; {how_to_go_on(training)}", signals.code)


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
