"""Learning rate policies. Mirrors `sgd_solver.cpp`, GetLearningRate."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...formats.definition import SolverDefinition
from ...spelling import did_you_mean

POLICIES = ("fixed", "step", "exp", "inv", "multistep", "poly", "sigmoid")


def check(solver: SolverDefinition) -> None:
    """Refuse a solver whose policy is unknown or lacks what it needs."""
    param = solver.param
    policy = param.lr_policy
    if policy not in POLICIES:
        hint = did_you_mean(policy, POLICIES)
        raise solver.error("lr_policy", f"unknown lr_policy '{policy}'{hint} (the policies: {', '.join(POLICIES)})")
    if policy in ("step", "sigmoid") and param.stepsize <= 0:
        message = f"lr_policy '{policy}' needs a positive stepsize, got {param.stepsize}"
        raise solver.error("stepsize lr_policy", message)
    if policy in ("step", "exp", "inv", "multistep") and param.gamma < 0:
        raise solver.error("gamma lr_policy", f"gamma is {param.gamma:g}, wanted 0 or more")
    if policy == "poly" and param.max_iter <= 0:
        raise solver.error("max_iter lr_policy", "lr_policy 'poly' needs a positive max_iter")


def rate(param: Any, iteration: int, current_step: int) -> float:
    """The learning rate of an iteration, in float32 arithmetic as `GetLearningRate` computes it.

    Args:
        param: a SolverParameter that `check` accepts.
        iteration: the number of updates done.
        current_step: for multistep, the number of step values reached.

    Example:
        >>> from deeplab_caffe.formats import schema
        >>> poly = schema.SolverParameter(base_lr=0.001, lr_policy="poly", power=0.9, max_iter=20000)
        >>> round(rate(poly, 10000, 0), 7)
        0.0005359
    """
    f = np.float32
    base, gamma, power = f(param.base_lr), f(param.gamma), f(param.power)
    policy = param.lr_policy
    if policy == "step":
        value = base * _power(gamma, iteration // param.stepsize)
    elif policy == "exp":
        value = base * _power(gamma, iteration)
    elif policy == "inv":
        value = base * _power(f(1) + gamma * f(iteration), -power)
    elif policy == "multistep":
        value = base * _power(gamma, current_step)
    elif policy == "poly":
        value = base * _power(f(1) - f(iteration) / f(param.max_iter), power)
    elif policy == "sigmoid":
        value = base * (f(1) / (f(1) + _power(math.e, -gamma * (f(iteration) - f(param.stepsize)))))
    else:
        value = base
    return float(value)


def _power(base: Any, exponent: Any) -> np.float32:
    """C's pow: infinite where it grows too large, NaN for a broken power of a negative number."""
    with np.errstate(all="ignore"):
        return np.float32(np.power(np.float64(base), np.float64(exponent)))
