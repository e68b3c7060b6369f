"""Starting workers: which devices they use, in this process, in new processes, or as torchrun started them.

    parallel.choose(parallel.devices("0,1"))
    parallel.run(train, solver_file)

calls `train(solver_file)` once on one device, in one process for each of several devices, and in this process as one
worker among others where torchrun has started it. A solver that is made inside takes part automatically: it asks
`current()` for its group.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist

from ...errors import InputError
from .. import mode
from .group import MEETING, Group, LostContact, compute_on, joined
from .torchrun import started_by_torchrun
from .workers import run_in_processes

_chosen: list[torch.device] = []


def devices(gpu: str = "", workers: int = 1) -> list[torch.device]:
    """The devices that `--gpu 0,1`, `--gpu all` or (without --gpu) a number of workers on the CPU stand for.

    Raises InputError for text that is not a list of numbers, for a device named twice, or one that does not exist.
    """
    if not gpu:
        if workers < 1:
            raise InputError(f"--workers {workers}: wanted 1 or more")
        return [torch.device("cpu")] * workers
    there = torch.cuda.device_count()
    if gpu == "all":
        if not there:
            raise InputError("--gpu all: PyTorch sees no CUDA device here; remove --gpu to compute on the CPU")
        return [torch.device("cuda", i) for i in range(there)]
    words = gpu.split(",")
    if not all(word.isdigit() for word in words):
        raise InputError(f"--gpu {gpu}: wanted the numbers of CUDA devices, such as 0 or 0,1, or all")
    numbers = [int(word) for word in words]
    if len(set(numbers)) < len(numbers):
        raise InputError(f"--gpu {gpu} names a device twice; each worker needs its own")
    for number in numbers:
        if number >= there:
            raise InputError(f"--gpu {gpu}: PyTorch sees {there} CUDA device{'' if there == 1 else 's'} here")
    return [torch.device("cuda", i) for i in numbers]


def choose(devices: Sequence[torch.device]) -> None:
    """Let `run` use these devices; whatever else computes uses the first one."""
    global _chosen
    _chosen = list(devices)
    compute_on(_chosen[0])


def run(function: Callable[..., None], *arguments: Any, how_to_go_on: Callable[[], str] = lambda: "") -> None:
    """Call `function(*arguments)` once in each worker: one for each chosen device, or those that torchrun has started.

    With one device it is called in this process. With several, they are new processes: function and arguments must be
    importable or picklable, and what function returns is lost. Any worker's InputError or Stopped is raised here; when
    a worker dies, all end and the InputError says which one, why, and adds `how_to_go_on()`, a phrase.
    """
    if started_by_torchrun():
        with join_from_environment(_chosen or devices("all" if mode.device().type == "cuda" else "")):
            try:
                function(*arguments)
            except LostContact as error:
                raise LostContact("; ".join(filter(None, [str(error), how_to_go_on()]))) from None
    elif len(_chosen) > 1:
        run_in_processes(function, arguments, _chosen, how_to_go_on)
    else:
        function(*arguments)


@contextmanager
def join_from_environment(devices: Sequence[torch.device]) -> Iterator[Group]:
    """Within, this process is the worker that torchrun's variables make it, on the device of its LOCAL_RANK.

    devices: those of this machine, or the CPU once for all. Raises InputError where they do not suffice, or the
    workers do not find each other.
    """
    rank, count = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    local = int(os.environ.get("LOCAL_RANK") or 0)
    here = int(os.environ.get("LOCAL_WORLD_SIZE") or 1)
    if devices[0].type == "cuda" and len(devices) < here:
        raise InputError(f"torchrun has started {here} workers on this machine, --gpu names {len(devices)} devices")
    place = f"{os.environ.get('MASTER_ADDR')}:{os.environ.get('MASTER_PORT')}"
    try:
        store, _, _ = next(dist.rendezvous("env://", rank, count, timeout=MEETING))
    except (RuntimeError, ValueError, OSError) as error:
        reason = str(error).strip().splitlines()[0][:200]
        raise InputError(
            f"worker {rank} of {count}: no meeting at {place} ({reason}); all {count} must be started with that "
            "address, and if another program has the port, choose one with torchrun --master-port"
        ) from None
    with joined(store, rank, count, devices[min(local, len(devices) - 1)], here) as group:
        yield group
