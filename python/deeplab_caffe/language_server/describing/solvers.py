"""What follows from the values of a solver: rates, epochs, how much a test covers, which files are written."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ...errors import InputError
from ...formats import schema
from ...formats.lr_policies import LR_POLICIES
from ...formats.messages import to_message
from ...formats.writer import format_float
from ...inspection.lint.net_file import View
from ..buffers import Buffer
from ..text import code
from ..workspace import Workspace
from .files import find

#: fields of LayerParameter with the batch_size, and the list of which the lines are counted
_BATCHES = ("image_data_param", "data_param", "hdf5_data_param", "window_data_param", "dense_image_data_param")
_LISTS = ("image_data_param", "dense_image_data_param")
#: the largest list whose lines are counted, in bytes
_MOST_BYTES = 64 << 20


def consequences(workspace: Workspace, buffer: Buffer, field: str) -> list[str]:
    """What follows from a field of a solver together with the others, as lines of Markdown; empty if nothing is known.

    Args:
        workspace: where its nets are looked for.
        buffer: the solver.
        field: the name of the field.
    """
    solver: Any = to_message(buffer.document, schema.SolverParameter(), report=lambda problem: None)
    try:
        return [line for line in _ABOUT.get(field, _nothing)(workspace, buffer, solver) if line]
    except (InputError, ArithmeticError, ValueError):
        return []


About = Callable[[Workspace, Buffer, Any], Iterator[str]]


def _nothing(workspace: Workspace, buffer: Buffer, solver: Any) -> Iterator[str]:
    return iter(())


# -- the learning rate


def _rates(workspace: Workspace, buffer: Buffer, solver: Any) -> Iterator[str]:
    policy = LR_POLICIES.get(solver.lr_policy)
    if policy is None or not solver.HasField("base_lr") or not solver.max_iter > 0:
        return
    if any(not getattr(solver, name) > 0 for name in policy.positive):
        return
    last = solver.max_iter - 1
    middle = [] if solver.lr_policy in ("step", "multistep", "fixed") else [last // 2]
    steps = sorted({0, *_turns(solver, last), *middle, last})
    shown = steps if len(steps) <= 6 else [*steps[:3], *steps[-3:]]
    places = {0: "the first update", last: f"the last ({last:,})"}
    rates = [f"{_rate(policy, solver, step)} at {places.get(step, f'{step:,}')}" for step in shown]
    yield f"rate: {', '.join(rates)}, by {code(policy.formula)}"


def _turns(solver: Any, last: int) -> list[int]:
    """The updates at which the rate falls."""
    if solver.lr_policy == "multistep":
        return [step for step in solver.stepvalue if step <= last]
    if solver.lr_policy == "step":
        return list(range(solver.stepsize, last + 1, solver.stepsize))[:4]
    return []


def _rate(policy: Any, solver: Any, step: int) -> str:
    reached = sum(value <= step for value in solver.stepvalue)
    return format_float(float(f"{float(policy.rate(solver, step, reached)):.3g}"))


def _stepvalue(workspace: Workspace, buffer: Buffer, solver: Any) -> Iterator[str]:
    yield from _rates(workspace, buffer, solver)
    late = [f"{step:,}" for step in solver.stepvalue if step >= solver.max_iter > 0]
    yield f"not reached: {', '.join(late)}" if late else ""


# -- how much is seen


def _training(workspace: Workspace, buffer: Buffer, solver: Any) -> Iterator[str]:
    batch, count = _data(workspace, buffer, schema.TRAIN, solver.train_state)
    each = batch * solver.iter_size
    if not batch:
        return
    accumulated = f" × iter_size {solver.iter_size} = {each:,}" if solver.iter_size > 1 else ""
    yield f"each update sees {batch:,}{accumulated} images"
    seen = each * solver.max_iter
    epochs = f": the list of {count:,} {seen / count:.1f} times" if count else ""
    yield f"the training sees {seen:,} images{epochs}" if seen else ""


def _tests(workspace: Workspace, buffer: Buffer, solver: Any) -> Iterator[str]:
    state = solver.test_state[0] if solver.test_state else schema.NetState()
    batch, count = _data(workspace, buffer, schema.TEST, state)
    if batch and solver.test_iter:
        seen = batch * solver.test_iter[0]
        yield f"each test sees {seen:,} images" + (f"; the list has {count:,}" if count else "")
    if solver.test_interval and solver.max_iter:
        first = int(solver.test_initialization)
        yield f"tests: {first + solver.max_iter // solver.test_interval:,} in {solver.max_iter:,} updates"


def _data(workspace: Workspace, buffer: Buffer, phase: int, state: Any) -> tuple[int, int]:
    """The images of a batch, and how many the list has; 0 where that is not known."""
    for net in workspace.nets_of(buffer):
        for layer in View(net.net, phase, tuple(state.stage), state.level).sources:
            for name in _BATCHES:
                if layer.param.HasField(name):
                    data = getattr(layer.param, name)
                    path = find(workspace, net, data.source) if name in _LISTS else None
                    return data.batch_size, _lines(path) if path else 0
    return 0, 0


def _lines(path: str) -> int:
    try:
        if not os.path.isfile(path) or os.path.getsize(path) > _MOST_BYTES:
            return 0
        with open(path, "rb") as file:
            return sum(bool(line.strip()) for line in file)
    except OSError:
        return 0


# -- the rest


def _snapshots(workspace: Workspace, buffer: Buffer, solver: Any) -> Iterator[str]:
    last, every = solver.max_iter, solver.snapshot
    regular = last // every if every > 0 else 0
    at_the_end = solver.snapshot_after_train and (every <= 0 or last % every != 0)
    saved = last if at_the_end else regular * every
    ending = ".h5" if solver.snapshot_format == solver.HDF5 else ""
    if solver.snapshot_prefix and saved:
        yield f"the last one is {code(f'{solver.snapshot_prefix}_iter_{saved}.caffemodel{ending}')}"
    if every > 0 and last:
        yield f"{regular + at_the_end:,} snapshots in {last:,} updates"


def _seen(workspace: Workspace, buffer: Buffer, solver: Any) -> Iterator[str]:
    yield from _training(workspace, buffer, solver)
    yield from _rates(workspace, buffer, solver)


_ABOUT: Mapping[str, About] = {
    **dict.fromkeys(("base_lr", "lr_policy", "gamma", "power", "stepsize"), _rates),
    "stepvalue": _stepvalue,
    "max_iter": _seen,
    "iter_size": _training,
    **dict.fromkeys(("test_iter", "test_interval", "test_initialization"), _tests),
    **dict.fromkeys(("snapshot", "snapshot_prefix", "snapshot_format", "snapshot_after_train"), _snapshots),
}
