"""Solvers that train together, one process each: the group, how it is launched, all-reduce, pycaffe's NCCL."""

from typing import TYPE_CHECKING

from ...lazy import import_on_use

if TYPE_CHECKING:
    from .group import Group, current
    from .launch import choose, devices, run
    from .torchrun import started_by_torchrun

__all__ = ["Group", "choose", "current", "devices", "run", "started_by_torchrun"]

import_on_use(__name__)
