"""Learning rate policies. Mirrors `sgd_solver.cpp`, GetLearningRate."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import InputError

POLICIES = ("fixed", "step", "exp", "inv", "multistep", "poly", "sigmoid")


def check(param: Any, source: str) -> None:
    """Refuse a SolverParameter whose policy is unknown or lacks what it needs."""
    policy = param.lr_policy
    if policy not in POLICIES:
        raise InputError(f"{source}: unknown lr_policy '{policy}'; the policies are {', '.join(POLICIES)}")
    if policy in ("step", "sigmoid") and param.stepsize <= 0:
        raise InputError(f"{source}: lr_policy '{policy}' wants a positive stepsize, got {param.stepsize}")
    if policy in ("step", "exp", "inv", "multistep") and param.gamma < 0:
        raise InputError(f"{source}: gamma is {param.gamma:g}, wanted 0 or more")
    if policy == "poly" and param.max_iter <= 0:
        raise InputError(f"{source}: lr_policy 'poly' wants a positive max_iter")


def rate(param: Any, iteration: int, current_step: int) -> float:
    """The rate of iteration `iteration` (the number of updates done), in float32 arithmetic.

    current_step: for multistep, the number of step values reached.
    """
    f = np.float32
    base, gamma, power = f(param.base_lr), f(param.gamma), f(param.power)
    policy = param.lr_policy
    if policy == "step":
        value = base * f(math.pow(gamma, iteration // param.stepsize))
    elif policy == "exp":
        value = base * f(math.pow(gamma, iteration))
    elif policy == "inv":
        value = base * f(math.pow(f(1) + gamma * f(iteration), -power))
    elif policy == "multistep":
        value = base * f(math.pow(gamma, current_step))
    elif policy == "poly":
        left = f(1) - f(iteration) / f(param.max_iter)
        value = base * f(math.pow(left, power)) if left >= 0 else f(math.nan)
    elif policy == "sigmoid":
        value = base * (f(1) / (f(1) + f(math.exp(-gamma * (f(iteration) - f(param.stepsize))))))
    else:
        value = base
    return float(value)
