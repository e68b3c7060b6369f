"""The nets that a solver names: one to train, any number to test. Mirrors `solver.cpp`, InitTrainNet, InitTestNets."""

from __future__ import annotations

import os
from typing import Any

from ...formats import schema
from ...formats.definition import (
    Definition,
    SolverDefinition,
    definition_of,
    read_definition,
    read_solver_definition,
)
from .. import log
from ..net.net import Net

_TRAIN_FIELDS = ("net", "net_param", "train_net", "train_net_param")
#: how the field that defines the training net is spoken of, and the place of that line
_TRAIN_WORDS = {
    "net": ("from net file: {}", "solver.cpp:91"),
    "net_param": ("specified in net_param.", "solver.cpp:86"),
    "train_net": ("from train_net file: {}", "solver.cpp:81"),
    "train_net_param": ("specified in train_net_param.", "solver.cpp:77"),
}


def definition_of_solver(solver_file: str | os.PathLike[str] | SolverDefinition | Any) -> SolverDefinition:
    """The definition in a file, itself, or around a SolverParameter."""
    if isinstance(solver_file, str | os.PathLike):
        return read_solver_definition(solver_file)
    return solver_file if isinstance(solver_file, SolverDefinition) else SolverDefinition(solver_file, "solver")


def train_net(solver: SolverDefinition) -> Net:
    """The net to train, in the state that the solver asks for; InputError unless it names just one."""
    p = solver.param
    given = [field for field in _TRAIN_FIELDS if p.HasField(field)]
    if len(given) != 1:
        wanted = ", ".join(_TRAIN_FIELDS)
        raise solver.error(" ".join(given[1:]), f"wanted exactly one of {wanted}; got {', '.join(given) or 'none'}")
    words, place = _TRAIN_WORDS[given[0]]
    log.detail(f"Creating training net {words.format(getattr(p, given[0]))}", place)
    definition = _definition(solver, given[0], getattr(p, given[0]))
    return Net(definition, state=_state(schema.TRAIN, definition, p.train_state))


def test_nets(solver: SolverDefinition) -> list[Net]:
    """The nets to test with, one for each test_iter: those stated as such first, then the shared `net` again."""
    p = solver.param
    named = _named_test_nets(solver)
    if len(p.test_state) not in (0, len(named)):
        raise solver.error("test_state", f"{len(p.test_state)} test_state for {len(named)} test nets")
    if named and p.test_interval <= 0:
        raise solver.error("test_interval test_iter", "with a test net, test_interval must be positive")
    nets = []
    for i, (words, field, value) in enumerate(named):
        definition = _definition(solver, field, value)
        state = _state(schema.TEST, definition, p.test_state[i] if p.test_state else schema.NetState())
        log.detail(f"Creating test net (#{i}) specified by {words}", "solver.cpp:181")
        nets.append(Net(definition, state=state))
        nets[-1].debug_info = p.debug_info
    return nets


def _named_test_nets(solver: SolverDefinition) -> list[tuple[str, str, Any]]:
    """How each test net is spoken of, the field that defines it and that field's value."""
    p = solver.param
    named = [("test_net_param", "test_net_param", value) for value in p.test_net_param]
    named += [(f"test_net file: {value}", "test_net", value) for value in p.test_net]
    shared = [("net_param", "net_param", p.net_param)] if p.HasField("net_param") else []
    shared += [(f"net file: {p.net}", "net", p.net)] if p.HasField("net") else []
    rest = len(p.test_iter) - len(named)
    if rest < 0 or (rest and not shared):
        raise solver.error("test_iter test_net", f"{len(p.test_iter)} test_iter for {len(named)} test nets")
    return named + shared[:1] * rest


def _definition(solver: SolverDefinition, field: str, net: Any) -> Definition:
    """A net that the solver holds, or names by its file."""
    if not isinstance(net, str):
        return definition_of(net, solver.source)
    if not os.path.exists(net):
        raise solver.error(field, f"names the net '{net}', which does not exist (working folder: {os.getcwd()})")
    return read_definition(net)


def _state(phase: int, definition: Definition, extra: Any) -> Any:
    """The phase, then what the net says of its state, then what the solver says."""
    state = schema.NetState(phase=phase)
    state.MergeFrom(definition.param.state)
    state.MergeFrom(extra)
    return state
