"""pycaffe's names for many GPUs, as BVLC's train.py uses them: one process for each, started by the program itself."""

from __future__ import annotations

import atexit
import os
import secrets
import shutil
import tempfile
import time
from pathlib import Path

import torch
import torch.distributed as dist

from ...errors import InputError
from .. import mode
from ..mode import set_solver_count, set_solver_rank, solver_count, solver_rank
from . import group, startup
from .all_reduce import GradientAverage

__all__ = [
    "NCCL", "Timer", "has_nccl", "set_multiprocess", "set_solver_count", "set_solver_rank", "solver_count",
    "solver_rank",
]  # fmt: skip


def set_multiprocess(on: bool) -> None:
    """Say that the solvers are processes, as they always are here; InputError for threads, Caffe's other way."""
    if not on and solver_count() > 1:
        raise InputError("set_multiprocess(False): solvers train together as processes here, not as threads")


def has_nccl() -> bool:
    """Whether NCCL averages gradients, which needs CUDA. `NCCL` works without it as well: gloo averages then."""
    return torch.cuda.is_available() and dist.is_available() and dist.is_nccl_available()


class NCCL:
    """Averages the gradients of the solvers that were given the same `uid`, one in each process.

    Set count and rank before the solver is made (`set_solver_count`, `set_solver_rank`). Then: `nccl = NCCL(solver,
    uid)`, `nccl.bcast()`, `solver.add_callback(nccl)`, and to begin while backward still runs
    `solver.net.after_backward(nccl)`. Making it waits for the others. Raises InputError where they do not come, and
    `bcast` where they train something else than the root.
    """

    def __init__(self, solver: startup.TrainingSolver, uid: bytes | str) -> None:
        self._solver = solver
        solver.synchronised = True
        if solver_count() > 1:
            self._meet(uid)
        self._average = GradientAverage(solver.group, solver.net, solver.param.iter_size)

    def _meet(self, uid: bytes | str) -> None:
        folder = Path(os.fsdecode(uid))
        if not folder.is_dir():
            raise InputError(f"NCCL(solver, uid): the folder '{folder}' does not exist; make one with NCCL.new_uid()")
        store = dist.FileStore(str(folder / "store"), solver_count())
        self._membership = group.joined(store, solver_rank(), solver_count(), mode.device(), solver_count())
        self._solver.group = self._membership.__enter__()

    @staticmethod
    def new_uid() -> bytes:
        """A name to hand to all solvers of this machine, bytes as in pycaffe on Python 3.

        It is that of a new folder where they meet, which is removed when this program ends.
        """
        folder = tempfile.mkdtemp(prefix=f"solvers-{secrets.token_hex(4)}-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        return os.fsencode(folder)

    def bcast(self) -> None:
        """Give all solvers the root's weights, history and seed."""
        startup.synchronise(self._solver)

    def on_start(self) -> None:
        """The solver's callback before the passes of an iteration."""
        self._average.on_start()

    def on_gradients_ready(self) -> None:
        """The solver's callback after them: make the gradients those of all solvers."""
        self._average.on_gradients_ready()

    def __call__(self, layer: int) -> None:
        """The net's callback after a layer's turn in backward: begin with the gradients that are complete."""
        self._average(layer)


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
        """Milliseconds of the last measurement, which ends now if it is still running."""
        return self.stop()


def _now() -> float:
    if mode.device().type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()
