"""Which net a file is about: the net that it defines, or the net that its solver trains."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..caffe.net.splits import filter_layers
from ..errors import InputError
from ..formats import messages, prototxt, schema
from ..formats.definition import Definition, Entry, definition_in, definition_of, is_solver, net_path
from ..formats.layer_facts import LOSS, facts_of
from ..formats.python_layers import to_native
from ..formats.solver_types import SOLVER_TYPES
from ..formats.upgrade import upgrade_solver

_NETS = ("net", "net_param", "train_net", "train_net_param")


@dataclass
class NetSource:
    """A net, and the SolverParameter that trains it if it was read from a solver's file."""

    definition: Definition
    solver: Any = None

    @property
    def histories(self) -> int:
        """How many arrays the solver keeps per parameter; without a solver 1, as for SGD."""
        kind = self.solver.type if self.solver is not None else "SGD"
        return SOLVER_TYPES[kind].histories if kind in SOLVER_TYPES else 1


def read_source(
    path: str | os.PathLike[str], variables: Mapping[str, str] | None = None, keep_unknown: bool = False
) -> NetSource:
    """Read the prototxt of a net in any dialect, or of a solver with its training net.

    Python layers of `deeplab_layers` become the types that they implement.

    Args:
        path: the file.
        variables: values of template variables, by name.
        keep_unknown: see `definition_in`.

    Raises:
        InputError: if a file cannot be read, or a solver does not name exactly one training net.
    """
    found = _read(path, variables, keep_unknown)
    for entry in found.definition.entries:
        to_native(entry.param)
    return found


def _read(path: str | os.PathLike[str], variables: Mapping[str, str] | None, keep_unknown: bool) -> NetSource:
    document = prototxt.Document.read(path, variables)
    if not is_solver(document):
        return NetSource(definition_in(document, keep_unknown=keep_unknown))
    report = messages.keeping([]) if keep_unknown else None
    solver = messages.to_message(document, schema.SolverParameter(), report=report)
    upgrade_solver(solver, str(path))
    given = [name for name in _NETS if solver.HasField(name)]
    if len(given) != 1:
        found = ", ".join(given) or "no net"
        raise InputError(f"{path}: the solver has {found}; expected exactly one of {', '.join(_NETS)}")
    net: Any = getattr(solver, given[0])
    if not isinstance(net, str):
        return NetSource(definition_of(net, str(path)), solver)
    trained = prototxt.Document.read(net_path(path, net), variables)
    return NetSource(definition_in(trained, keep_unknown=keep_unknown), solver)


def state_of(definition: Definition, phase: int | None, level: int = 0, stages: tuple[str, ...] = ()) -> Any:
    """The NetState to build a net in.

    Without a phase: TRAIN if the net is complete in TRAIN (every bottom is made) and has a loss there, or is complete
    in TRAIN only; else TEST.
    """
    state = schema.NetState()
    state.CopyFrom(definition.param.state)
    state.level = level or state.level
    state.stage.extend(stages)
    state.phase = _likely_phase(definition, state) if phase is None else phase
    return state


def _likely_phase(definition: Definition, state: Any) -> int:
    kept = {}
    for phase in (schema.TRAIN, schema.TEST):
        state.phase = phase
        kept[phase] = filter_layers(definition.entries, state)
    trains = _is_complete(kept[schema.TRAIN]) and any(map(_is_loss, kept[schema.TRAIN]))
    if trains or (_is_complete(kept[schema.TRAIN]) and not _is_complete(kept[schema.TEST])):
        return schema.TRAIN
    return schema.TEST


def _is_complete(entries: list[Entry]) -> bool:
    """Whether there are layers, and every bottom is made by an earlier layer."""
    made: set[str] = set()
    for entry in entries:
        if any(name not in made for name in entry.param.bottom):
            return False
        made.update(entry.param.top)
    return bool(made)


def _is_loss(entry: Entry) -> bool:
    return any(entry.param.loss_weight) or facts_of(entry.param.type).kind == LOSS
