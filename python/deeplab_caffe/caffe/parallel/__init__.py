"""Solvers that train together, one process each: the group, how it is launched, all-reduce, pycaffe's NCCL."""

from .group import Group, current
from .launch import choose, devices, run, started_by_torchrun

__all__ = ["Group", "choose", "current", "devices", "run", "started_by_torchrun"]
