"""pycaffe's names for many GPUs, for scripts that mention them; this engine trains on one. And its Timer."""

from __future__ import annotations

import time
from typing import Any, NoReturn

import torch

from ..errors import InputError
from . import mode

_solver_count = 1
_solver_rank = 0


def solver_count() -> int:
    """The number of solvers that train together, as set."""
    return _solver_count


def set_solver_count(count: int) -> None:
    """Set the number of solvers that train together; InputError for more than one."""
    global _solver_count
    if count != 1:
        raise InputError(f"set_solver_count({count}): this engine trains with one solver")
    _solver_count = count


def solver_rank() -> int:
    """The number of this solver, as set."""
    return _solver_rank


def set_solver_rank(rank: int) -> None:
    """Set the number of this solver, from 0; a solver adds it to its random_seed."""
    global _solver_rank
    _solver_rank = rank


def set_multiprocess(on: bool) -> None:
    """Say whether the solvers are processes rather than threads; with one solver it makes no difference."""


def has_nccl() -> bool:
    """Whether gradients can be summed over GPUs: no."""
    return False


class NCCL:
    """Sums gradients over GPUs in Caffe; here it cannot be made. Raises InputError."""

    def __init__(self, solver: Any = None, uid: str = "") -> None:
        self.new_uid()

    @staticmethod
    def new_uid() -> NoReturn:
        """Raises InputError."""
        raise InputError("NCCL is not available: this engine trains on one GPU; see has_nccl()")


class Timer:
    """A stop-watch: `start()`, `stop()`, and the milliseconds between as `ms`."""

    def __init__(self) -> None:
        self._begun: float | None = None
        self._ms = 0.0

    def start(self) -> None:
        """Begin to measure."""
        self._begun = _now()

    def stop(self) -> float:
        """End the measurement; returns milliseconds."""
        if self._begun is not None:
            self._ms, self._begun = (_now() - self._begun) * 1000, None
        return self._ms

    @property
    def ms(self) -> float:
        """Milliseconds of the last measurement, which ends now if it is still going on."""
        return self.stop()


def _now() -> float:
    if mode.device().type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()
