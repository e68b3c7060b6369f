"""The six solvers: what each makes of a gradient. Mirrors `sgd_solvers.hpp` and `*_solver.cpp`.

`update_value` gets the regularised gradient g and the local rate (rate · lr_mult), and replaces g by the step that
is subtracted from the parameter. Histories are stored as Caffe stores them, so that snapshots are exchangeable.
"""

from __future__ import annotations

import os
from typing import Any

import torch

from ...formats.definition import SolverDefinition
from ...formats.solver_types import SOLVER_TYPES
from ...spelling import did_you_mean
from .nets import definition_of_solver
from .solver import Solver


class SGDSolver(Solver):
    """Stochastic gradient descent: h ← rate · g + momentum · h; step h. Its history contains the rate."""

    type = "SGD"
    history_scales_with_rate = True

    def update_value(self, index: int, gradient: torch.Tensor, rate: float) -> None:
        history = self.history[index]
        history.mul_(self.param.momentum).add_(gradient, alpha=rate)
        gradient.copy_(history)


class NesterovSolver(Solver):
    """Nesterov's accelerated gradient: h' = rate · g + μ · h; step (1 + μ) · h' - μ · h."""

    type = "Nesterov"
    history_scales_with_rate = True

    def update_value(self, index: int, gradient: torch.Tensor, rate: float) -> None:
        history, momentum = self.history[index], self.param.momentum
        before = history.clone()
        history.mul_(momentum).add_(gradient, alpha=rate)
        gradient.copy_(history).mul_(1 + momentum).sub_(before, alpha=momentum)


class AdaGradSolver(Solver):
    """AdaGrad: h ← h + g²; step rate · g / (√h + delta). Takes no momentum."""

    type = "AdaGrad"

    def update_value(self, index: int, gradient: torch.Tensor, rate: float) -> None:
        history = self.history[index]
        history.addcmul_(gradient, gradient)
        gradient.div_(history.sqrt().add_(self.param.delta)).mul_(rate)


class RMSPropSolver(Solver):
    """RMSProp: h ← d · h + (1 - d) · g², d = rms_decay; step rate · g / (√h + delta). Takes no momentum."""

    type = "RMSProp"

    def check_param(self) -> None:
        super().check_param()
        if not 0 <= self.param.rms_decay < 1:
            wrong = f"rms_decay is {self.param.rms_decay:g}, wanted 0 or more and below 1"
            raise self.definition.error("rms_decay", wrong)

    def update_value(self, index: int, gradient: torch.Tensor, rate: float) -> None:
        history, decay = self.history[index], self.param.rms_decay
        history.mul_(decay).addcmul_(gradient, gradient, value=1 - decay)
        gradient.div_(history.sqrt().add_(self.param.delta)).mul_(rate)


class AdaDeltaSolver(Solver):
    """AdaDelta: v = g · √((h₂ + delta) / (h₁ + delta)) with running means h₁ of g² and h₂ of v²; step rate · v."""

    type = "AdaDelta"

    def update_value(self, index: int, gradient: torch.Tensor, rate: float) -> None:
        momentum, delta = self.param.momentum, self.param.delta
        squares, updates = self.history[index], self.history[index + len(self.net.learnable_params)]
        squares.mul_(momentum).addcmul_(gradient, gradient, value=1 - momentum)
        gradient.mul_(updates.add(delta).div_(squares.add(delta)).sqrt_())
        updates.mul_(momentum).addcmul_(gradient, gradient, value=1 - momentum)
        gradient.mul_(rate)


class AdamSolver(Solver):
    """Adam: running means m of g and v of g²; step rate · √(1 - β₂ᵗ) / (1 - β₁ᵗ) · m / (√v + delta), t from 1.

    β₁ is momentum, β₂ momentum2; delta is added before v's bias is corrected.
    """

    type = "Adam"

    def update_value(self, index: int, gradient: torch.Tensor, rate: float) -> None:
        beta1, beta2, t = self.param.momentum, self.param.momentum2, self.iter + 1
        mean, square = self.history[index], self.history[index + len(self.net.learnable_params)]
        mean.mul_(beta1).add_(gradient, alpha=1 - beta1)
        square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        correction = (1 - beta2**t) ** 0.5 / (1 - beta1**t)
        gradient.copy_(mean).div_(square.sqrt().add_(self.param.delta)).mul_(rate * correction)


SOLVERS: dict[str, type[Solver]] = {
    cls.type: cls for cls in (SGDSolver, NesterovSolver, AdaGradSolver, RMSPropSolver, AdaDeltaSolver, AdamSolver)
}
if set(SOLVERS) != set(SOLVER_TYPES):
    raise ValueError("each solver type needs a row in formats/solver_types.py and a class here")
for _name, _class in SOLVERS.items():
    _class.facts = SOLVER_TYPES[_name]


def get_solver(solver_file: str | os.PathLike[str] | SolverDefinition | Any) -> Solver:
    """The solver of the type that a definition states.

    Args:
        solver_file: a solver prototxt, a SolverDefinition, or a SolverParameter message.

    Raises:
        InputError: naming file and field, for an unknown type or a value that the type cannot use.
    """
    definition = definition_of_solver(solver_file)
    kind = definition.param.type
    if kind not in SOLVERS:
        known = f"{did_you_mean(kind, SOLVERS)} (known types: {', '.join(SOLVERS)})"
        raise definition.error("type", f"unknown solver type '{kind}'{known}")
    return SOLVERS[kind](definition)
