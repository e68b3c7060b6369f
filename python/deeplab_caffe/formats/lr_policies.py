"""The table of learning rate policies: what each needs and how it falls. Mirrors `sgd_solver.cpp`, GetLearningRate."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..lazy import imported_on_use

if TYPE_CHECKING:
    import numpy as np
else:
    np = imported_on_use("numpy")


#: the fields of SolverParameter that policies use, each some of them
FIELDS = ("gamma", "power", "stepsize", "stepvalue")

#: (SolverParameter, number of updates done, number of step values reached) → the rate, in float32 arithmetic
Rate = Callable[[Any, int, int], Any]


@dataclass(frozen=True)
class LearningRatePolicy:
    """One row: an `lr_policy`.

    Args:
        name: as in a solver's prototxt.
        formula: the rate of an iteration, for people.
        needs: the fields that it uses, of FIELDS; it has no use for the others.
        rate: the rate of an iteration.
        positive: fields that must be more than 0.
        non_negative: fields that must be 0 or more.
    """

    name: str
    formula: str
    needs: tuple[str, ...]
    rate: Rate
    positive: tuple[str, ...] = ()
    non_negative: tuple[str, ...] = ()

    @property
    def unused(self) -> tuple[str, ...]:
        """The fields that it has no use for."""
        return tuple(field for field in FIELDS if field not in self.needs)


def _power(base: Any, exponent: Any) -> np.float32:
    """C's pow: infinite where it grows too large, NaN for a broken power of a negative number."""
    with np.errstate(all="ignore"):
        return np.float32(np.power(np.float64(base), np.float64(exponent)))


def _base(p: Any) -> np.float32:
    return np.float32(p.base_lr)


def _gamma(p: Any) -> np.float32:
    return np.float32(p.gamma)


def _inv(p: Any, iteration: int, step: int) -> Any:
    return _base(p) * _power(np.float32(1) + _gamma(p) * np.float32(iteration), -np.float32(p.power))


def _poly(p: Any, iteration: int, step: int) -> Any:
    return _base(p) * _power(np.float32(1) - np.float32(iteration) / np.float32(p.max_iter), np.float32(p.power))


def _sigmoid(p: Any, iteration: int, step: int) -> Any:
    exponent = -_gamma(p) * (np.float32(iteration) - np.float32(p.stepsize))
    return _base(p) * (np.float32(1) / (np.float32(1) + _power(math.e, exponent)))


_ROWS = (
    LearningRatePolicy("fixed", "base_lr", (), lambda p, iteration, step: _base(p)),
    LearningRatePolicy(
        "step",
        "base_lr · gamma ^ floor(iter / stepsize)",
        ("gamma", "stepsize"),
        lambda p, iteration, step: _base(p) * _power(_gamma(p), iteration // p.stepsize),
        positive=("stepsize",),
        non_negative=("gamma",),
    ),
    LearningRatePolicy(
        "exp",
        "base_lr · gamma ^ iter",
        ("gamma",),
        lambda p, iteration, step: _base(p) * _power(_gamma(p), iteration),
        non_negative=("gamma",),
    ),
    LearningRatePolicy(
        "inv", "base_lr · (1 + gamma · iter) ^ −power", ("gamma", "power"), _inv, non_negative=("gamma",)
    ),
    LearningRatePolicy(
        "multistep",
        "base_lr · gamma ^ (number of stepvalues reached)",
        ("gamma", "stepvalue"),
        lambda p, iteration, step: _base(p) * _power(_gamma(p), step),
        non_negative=("gamma",),
    ),
    LearningRatePolicy("poly", "base_lr · (1 − iter / max_iter) ^ power", ("power",), _poly, positive=("max_iter",)),
    LearningRatePolicy(
        "sigmoid",
        "base_lr / (1 + exp(−gamma · (iter − stepsize)))",
        ("gamma", "stepsize"),
        _sigmoid,
        positive=("stepsize",),
    ),
)

#: by name
LR_POLICIES: Mapping[str, LearningRatePolicy] = {row.name: row for row in _ROWS}
