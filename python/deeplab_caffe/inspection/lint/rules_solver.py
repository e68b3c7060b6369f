"""Rules about solvers, and about nets that share learned weights."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ...formats.lr_policies import LR_POLICIES
from ...formats.solver_types import SOLVER_TYPES
from ...spelling import did_you_mean, nearest_words
from .findings import ERROR, NOTE, WARNING, Hit, rule
from .layer import LintLayer
from .net_file import View, is_missing
from .offers import naming, removing
from .solver_file import NETS, SolverFile


def _states(solver: SolverFile, field: str) -> bool:
    value = getattr(solver.param, field)
    return bool(value) if hasattr(value, "__len__") and not isinstance(value, str) else solver.param.HasField(field)


def _unknown(solver: SolverFile, field: str) -> bool:
    """Whether a field's value could not be read."""
    stated = solver.block.last(field)
    return stated is not None and not _states(solver, field)


@rule("solver-net", ERROR, "a solver without exactly one training net, or whose net cannot be read", "solver")
def solver_net(solver: SolverFile) -> Iterator[Hit]:
    """A solver needs exactly one training net."""
    if len(solver.given) != 1:
        message = f"has {', '.join(solver.given) or 'no training net'}; expected exactly one of {', '.join(NETS)}"
        yield solver.hit(
            solver.given[-1] if solver.given else "train_net", message, "keep one" if solver.given else "add one"
        )
    for field, why in solver.unread:
        yield solver.hit(field.name, why, "check the path, which is relative to where training runs")


@rule("solver-type", ERROR, "a solver type that does not exist", "solver")
def solver_type(solver: SolverFile) -> Iterator[Hit]:
    """No solver of this name exists."""
    kind = solver.param.type
    if kind not in SOLVER_TYPES:
        advice = f"use one of {', '.join(SOLVER_TYPES)}{did_you_mean(kind, SOLVER_TYPES)}"
        offers = naming(solver.block.last("type"), nearest_words(kind, SOLVER_TYPES, 3))
        yield solver.hit("type", f"unknown solver type '{kind}'", advice, offers=offers)


@rule("lr-policy", ERROR, "an lr_policy that does not exist, or without a field that it needs", "solver")
def lr_policy(solver: SolverFile) -> Iterator[Hit]:
    """The learning rate cannot be computed. Caffe stops, or takes 0 for what is missing."""
    policy = solver.param.lr_policy
    if _unknown(solver, "lr_policy"):
        return
    if policy not in LR_POLICIES:
        what = f"unknown lr_policy '{policy}'" if policy else "lr_policy is missing"
        advice = f"use one of {', '.join(LR_POLICIES)}{did_you_mean(policy, LR_POLICIES)}"
        offers = naming(solver.block.last("lr_policy"), nearest_words(policy, LR_POLICIES, 3))
        yield solver.hit("lr_policy", what, advice, offers=offers)
        return
    for field in LR_POLICIES[policy].needs:
        if not _states(solver, field) and not _unknown(solver, field):
            yield solver.hit("lr_policy", f"lr_policy '{policy}' needs {field}", f"set {field}")


@rule("unused-solver-field", WARNING, "a field that the lr_policy does not use", "solver")
def unused_solver_field(solver: SolverFile) -> Iterator[Hit]:
    """The field has no effect under this policy, although it looks as if it had."""
    policy = solver.param.lr_policy
    for field in LR_POLICIES[policy].unused if policy in LR_POLICIES else ():
        if _states(solver, field):
            offers = removing(solver.block.last(field))
            message = f"lr_policy '{policy}' does not use {field}"
            yield solver.hit(field, message, "remove it, or change the policy", offers=offers)


@rule("schedule", WARNING, "learning rate steps that come too late or are not in order", "solver")
def schedule(solver: SolverFile) -> Iterator[Hit]:
    """A step after max_iter never happens; a step that is not later than the one before follows it at once."""
    p = solver.param
    if p.lr_policy == "step" and 0 < p.max_iter <= p.stepsize:
        message = f"the first step is at {p.stepsize}, but training ends at {p.max_iter}: the rate never falls"
        yield solver.hit("stepsize", message, "set a smaller stepsize")
    steps = list(p.stepvalue)
    if steps != sorted(set(steps)):
        yield solver.hit("stepvalue", f"the steps {', '.join(map(str, steps))} are not increasing", "put them in order")
    elif steps and 0 < p.max_iter <= steps[-1]:
        message = f"the step at {steps[-1]} comes after the end of training, at {p.max_iter}"
        yield solver.hit("stepvalue", message, "remove it, or train longer")


#: field → (the valid values in words, and as a condition)
_RANGES = {
    "base_lr": ("more than 0", lambda v: v > 0),
    "max_iter": ("more than 0", lambda v: v > 0),
    "momentum": ("at least 0 and less than 1", lambda v: 0 <= v < 1),
    "weight_decay": ("at least 0", lambda v: v >= 0),
    "iter_size": ("at least 1", lambda v: v >= 1),
    "average_loss": ("at least 1", lambda v: v >= 1),
    "gamma": ("at least 0", lambda v: v >= 0),
    "regularization_type": ("L1 or L2", lambda v: v in ("L1", "L2")),
}


@rule("solver-value", ERROR, "a value of the solver that is missing or outside its range", "solver")
def solver_value(solver: SolverFile) -> Iterator[Hit]:
    """Training with such a value diverges, does nothing, or is refused."""
    for field, (wanted, is_valid) in _RANGES.items():
        required = field == "base_lr" or (field == "max_iter" and _needs_max_iter(solver))
        if required and not solver.block.last(field):
            yield solver.hit(field, f"{field} is missing", f"set it: {wanted}")
        elif _states(solver, field) and not is_valid(getattr(solver.param, field)):
            value = getattr(solver.param, field)
            shown = value if isinstance(value, str) else f"{value:g}"
            yield solver.hit(field, f"{field} is {shown}, expected {wanted}", "change it")


@rule("max-iter", NOTE, "a solver without max_iter: training ends before it begins", "solver")
def max_iter(solver: SolverFile) -> Iterator[Hit]:
    """`caffe train` ends at once. A script that trains by `solver.step(n)` needs none, as those of Fast R-CNN."""
    if not solver.block.last("max_iter") and not _needs_max_iter(solver):
        message = "max_iter is missing: `caffe train` ends at once; a script that calls step() needs none"
        yield solver.hit("max_iter", message, "set it: more than 0")


def _needs_max_iter(solver: SolverFile) -> bool:
    """Whether the learning rate cannot be computed without max_iter."""
    policy = LR_POLICIES.get(solver.param.lr_policy)
    return policy is not None and "max_iter" in policy.positive


@rule("test-settings", ERROR, "test nets, test_iter and test_interval that do not match", "solver")
def settings_of_tests(solver: SolverFile) -> Iterator[Hit]:
    """Caffe refuses a solver whose test_iter does not match its test nets, and test nets without a test_interval."""
    p = solver.param
    nets = len(p.test_net) + len(p.test_net_param)
    shared = p.HasField("net") or p.HasField("net_param")
    if nets > len(p.test_iter) or (not shared and nets < len(p.test_iter)):
        message = f"{len(p.test_iter)} test_iter for {nets} test net{'s' * (nets != 1)}"
        yield solver.hit("test_iter" if p.test_iter else "test_net", message, "set one test_iter per test net")
    if p.test_iter and p.test_interval <= 0:
        yield solver.hit("test_iter", "test_iter without a test_interval", "set test_interval")
    if p.test_interval > 0 and not p.test_iter:
        message = "a test_interval without test_iter: nothing is tested"
        yield solver.hit("test_interval", message, "set test_iter, or remove test_interval")


@rule("snapshot", WARNING, "snapshots that are never taken, or that cannot be written", "solver")
def snapshot(solver: SolverFile) -> Iterator[Hit]:
    """A training that cannot save its weights is lost. It is better to know that before it starts."""
    p = solver.param
    problem = _unwritable(p.snapshot_prefix)
    if problem:
        yield solver.hit("snapshot_prefix", problem, "set another snapshot_prefix")
    if not p.snapshot_after_train and 0 < p.max_iter < (p.snapshot or p.max_iter + 1):
        message = f"no snapshot is ever taken: training ends at {p.max_iter} without one"
        yield solver.hit("snapshot_after_train", message, "set snapshot, or remove snapshot_after_train")


def _unwritable(prefix: str) -> str:
    """Why snapshots cannot be written there; "" if they can, or the folder can be made or is not known."""
    if "${" in prefix:
        return ""
    if "\0" in prefix:
        return "the snapshot_prefix contains a zero byte"
    folder = Path(prefix).parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        return f"'{folder}' is a file, so no snapshot '{prefix}_iter_…' can be written"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"the folder '{folder}' is not writable, so no snapshot '{prefix}_iter_…' can be written"
    return ""


@rule("missing-weights", ERROR, "initial weights that do not exist", "solver")
def missing_weights(solver: SolverFile) -> Iterator[Hit]:
    """Training would stop when it opens the file."""
    for stated in solver.param.weights:
        for name in stated.split(","):
            if is_missing(name.strip()):
                yield solver.hit("weights", f"'{name.strip()}' does not exist", "check the path")


@rule("no-loss", ERROR, "a training net without a loss", "solver")
def no_loss(solver: SolverFile) -> Iterator[Hit]:
    """Without a loss there is no gradient and nothing is learned."""
    if solver.train is not None and solver.train.layers and not solver.train.losses:
        layer = solver.train.layers[-1]
        advice = "add one, such as SoftmaxWithLoss, or check the include rules"
        yield layer.hit("this net is trained, but has no loss", advice)


# -- nets that share learned weights: (training net, other net)


@rule("unshared-name", WARNING, "a test net's layer with weights whose name is not in the training net", "pair")
def unshared_name(pair: tuple[View, View]) -> Iterator[Hit]:
    """A test net takes its weights from the training net by layer name; this layer would keep its initial values."""
    train, other = pair
    names = {layer.name for layer in train.layers if layer.weighted}
    for layer in other.layers:
        if layer.weighted and layer.name not in names:
            path = train.file.document.filename
            message = f"has weights, but the training net {path} has no layer '{layer.name}' to learn them"
            yield layer.hit(message, f"give both layers the same name{did_you_mean(layer.name, sorted(names))}", "name")


@rule("unshared-shape", ERROR, "a test net's layer whose weights have another shape in the training net", "pair")
def unshared_shape(pair: tuple[View, View]) -> Iterator[Hit]:
    """The weights of the training net cannot be copied into a layer of another shape."""
    train, other = pair
    known: dict[str, LintLayer] = {layer.name: layer for layer in train.layers}
    for layer in other.layers:
        theirs = known.get(layer.name)
        if theirs is None or not layer.weighted or layer.type != theirs.type:
            continue
        mine, wanted = other.shapes.params(layer), train.shapes.params(theirs)
        for i, (shape, learned) in enumerate(zip(mine, wanted, strict=False)):
            if shape != learned:
                path = train.file.document.filename
                message = f"parameter {i} is {shape}, but {learned} in the training net {path}"
                yield layer.hit(message, "make the two layers equal", "name")
                break
