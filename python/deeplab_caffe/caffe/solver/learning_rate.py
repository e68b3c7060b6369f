"""Learning rate policies. Mirrors `sgd_solver.cpp`, GetLearningRate."""

from __future__ import annotations

from typing import Any

from ...formats.definition import SolverDefinition
from ...formats.lr_policies import LR_POLICIES
from ...spelling import did_you_mean


def check(solver: SolverDefinition) -> None:
    """Refuse a solver whose policy is unknown or lacks what it needs."""
    param = solver.param
    policy = param.lr_policy
    if policy not in LR_POLICIES:
        hint = did_you_mean(policy, LR_POLICIES)
        raise solver.error("lr_policy", f"unknown lr_policy '{policy}'{hint} (the policies: {', '.join(LR_POLICIES)})")
    row = LR_POLICIES[policy]
    for field in row.positive:
        if getattr(param, field) <= 0:
            message = f"lr_policy '{policy}' needs a positive {field}, got {getattr(param, field)}"
            raise solver.error(f"{field} lr_policy", message)
    for field in row.non_negative:
        if getattr(param, field) < 0:
            raise solver.error(f"{field} lr_policy", f"{field} is {getattr(param, field):g}, wanted 0 or more")


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
    policy = LR_POLICIES.get(param.lr_policy, LR_POLICIES["fixed"])
    return float(policy.rate(param, iteration, current_step))
