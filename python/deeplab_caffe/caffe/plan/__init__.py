"""Planned execution: a net run for its outputs alone, fused, in channels_last, freeing what is no longer read.

    plan = net.plan()                          # or net.plan(keep=["fc7"], precision="bf16")
    scores = plan.forward(data=image)["fc8"]

The plain execution, `net.forward()`, keeps every blob. A plan runs the same layers on the same blobs and parameters.
"""

from .plan import Plan

__all__ = ["Plan"]
