"""The table of solver types. The rule by which each updates parameters is its class in `caffe/solver/rules.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class SolverType:
    """One row: a `type` of solver.

    Args:
        name: as in a solver's prototxt.
        histories: how many arrays it keeps for every parameter.
        takes_momentum: whether it uses the field `momentum`.
    """

    name: str
    histories: int = 1
    takes_momentum: bool = True

    @property
    def old_word(self) -> str:
        """Its word in the enum `solver_type` of 2014."""
        return self.name.upper()


#: by name, in the order of the enum
SOLVER_TYPES: Mapping[str, SolverType] = {
    row.name: row
    for row in (
        SolverType("SGD"),
        SolverType("Nesterov"),
        SolverType("AdaGrad", takes_momentum=False),
        SolverType("RMSProp", takes_momentum=False),
        SolverType("AdaDelta", histories=2),
        SolverType("Adam", histories=2),
    )
}
