"""`caffe train`: train a net, also from weights or a snapshot."""

from __future__ import annotations

import sys
from dataclasses import replace

import torch

from ...errors import InputError, Stopped
from ...formats import schema
from ...formats.definition import SolverDefinition, read_solver_definition
from .. import log, mode, parallel
from ..signals import Action, SignalHandler
from ..solver.rules import get_solver
from ..solver.snapshot import newest
from ..solver.solver import Solver
from .flags import Flags


def train(flags: Flags) -> None:
    """Train what --solver defines, on one device or several.

    Raises InputError for invalid flags, files or devices, and Stopped where Ctrl-C came at a moment at which
    no snapshot could be written.
    """
    flags.require("train", "solver")
    if flags.snapshot and flags.weights:
        raise InputError("--snapshot and --weights exclude each other: resume training, or finetune")
    for name, kind in (("snapshot", ".solverstate"), ("weights", ".caffemodel")):
        _check_kind(flags, name, kind)
    _effects(flags)
    definition = _definition(flags)
    flags = replace(flags, gpu=_gpu(flags, definition))
    prefix = definition.param.snapshot_prefix
    parallel.choose(parallel.devices(flags.gpu, flags.workers))
    # launch on several devices: _train is called in a process for each; with one, in this process
    parallel.run(_train, flags, how_to_go_on=lambda: _how_to_go_on(prefix))


def _check_kind(flags: Flags, name: str, kind: str) -> None:
    """Raise InputError where the file of a flag is missing, or its name says that it is the other kind of file."""
    value = getattr(flags, name)
    if not value:
        return
    flags.check_file(name, value)
    other = {".solverstate": ".caffemodel", ".caffemodel": ".solverstate"}[kind]
    if value.removesuffix(".h5").endswith(other):
        raise InputError(f"--{name}={value}: wanted a {kind}; a {other} goes with the other flag")


def _definition(flags: Flags) -> SolverDefinition:
    """The solver's definition, with the net's state as --level and --stage say."""
    definition = read_solver_definition(flags.solver)
    definition.param.train_state.level = flags.level
    definition.param.train_state.stage.extend(flags.stages)
    if flags.snapshot or flags.weights:
        definition.param.ClearField("weights")
    return definition


def _effects(flags: Flags) -> dict[str, Action]:
    """What the signals ask for; InputError for an unknown word."""
    effects = {}
    for name in ("sigint", "sighup"):
        word = getattr(flags, f"{name}_effect")
        try:
            effects[name] = Action(word)
        except ValueError:
            raise InputError(f"--{name}_effect={word}: wanted snapshot, stop or none") from None
    return effects


def _gpu(flags: Flags, definition: SolverDefinition) -> str:
    """The devices as --gpu states them, else as the solver does; without CUDA a solver's wish is not followed."""
    p = definition.param
    wanted = p.HasField("solver_mode") and p.solver_mode == schema.SolverParameter.GPU
    if flags.gpu or flags.workers > 1 or not wanted:
        return flags.gpu
    if mode.has_gpu():
        return str(p.device_id)
    place = definition.where("solver_mode")
    print(f"{place}: solver_mode is GPU, but PyTorch sees no CUDA device here: the CPU computes", file=sys.stderr)
    return ""


def _train(flags: Flags) -> None:
    """Training, in the one process that does it or in each worker."""
    with flags.in_force(), SignalHandler(**_effects(flags)) as signals:
        _log_devices(flags)
        with signals.stopping_at_once():
            solver = _prepared(flags)
        solver.action = signals
        _solve(solver)
        if signals.code == 143 and solver.iter < solver.param.max_iter:
            raise Stopped(_stopped(solver), signals.code)
        if solver.is_root and solver.iter < solver.param.max_iter:
            print(_stopped(solver), file=sys.stderr)


def _stopped(solver: Solver) -> str:
    """Where training was stopped, and how to go on."""
    done = f"stopped at iteration {solver.iter} of {solver.param.max_iter}"
    return f"{done}; {_how_to_go_on(solver.param.snapshot_prefix)}"


def _solve(solver: Solver) -> None:
    """Train to the end, or until a signal asks to stop."""
    last, prefix = solver.param.max_iter, solver.param.snapshot_prefix
    try:
        log.info("Starting Optimization", "caffe.cpp:251")
        solver.net.keeps_diffs = False  # nobody can look at them
        solver.solve()
    except KeyboardInterrupt as stop:
        raise Stopped(f"interrupted at iteration {solver.iter} of {last}; {_how_to_go_on(prefix)}", stop) from None
    finally:
        for net in (solver.net, *solver.test_nets):
            net.close()
    log.info("Optimization Done.", "caffe.cpp:254")


def _log_devices(flags: Flags) -> None:
    """What computes."""
    if flags.gpu:
        devices = parallel.devices(flags.gpu)
        log.info(f"Using GPUs {', '.join(str(d.index) for d in devices)}", "caffe.cpp:217")
        for device in devices:
            log.info(f"GPU {device.index}: {torch.cuda.get_device_name(device)}", "caffe.cpp:222")
    else:
        log.info("Use CPU.", "caffe.cpp:210")


def _prepared(flags: Flags) -> Solver:
    """The solver with its nets, from weights or a snapshot if there are any."""
    try:
        solver = get_solver(_definition(flags))
        solver.plans_tests, solver.exact = not flags.plain, flags.exact
        solver.when_not_finite = "warn"  # Caffe itself goes on in silence
        solver.set_precision(flags.precision)
        if flags.recompute:
            solver.net.recompute()
        if flags.snapshot:
            log.info(f"Resuming from {flags.snapshot}", "caffe.cpp:241")
            solver.restore(flags.snapshot)
        elif flags.weights:
            solver.load_weights(flags.weights)
    except KeyboardInterrupt as stop:
        raise Stopped("interrupted while the nets were being built; nothing was trained", stop) from None
    return solver


def _how_to_go_on(prefix: str) -> str:
    """The flag that resumes from the newest snapshot."""
    state = newest(prefix)
    return f"resume with --snapshot={state}" if state else "there is no snapshot to resume from"
