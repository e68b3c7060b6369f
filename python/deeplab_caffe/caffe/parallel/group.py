"""Workers that train one net together, on many devices or machines. Mirrors `parallel.cpp`.

As in Caffe, `batch_size` is each worker's own, gradients are averaged over the workers, all begin with the weights of
the root (rank 0), and the root alone logs, tests and writes snapshots. Data layers in TRAIN share their items out:
worker r of N takes items r, r + N, r + 2N, …

    parallel.choose(parallel.devices("0,1"))
    parallel.run(train, solver_file)

calls `train(solver_file)` once on one device, in one process for each of several devices, and in this process as one
worker among others where torchrun has started it. A solver that is made in there takes part by itself: it asks
`current()` for its group.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

from ...errors import InputError
from .. import mode
from ..signals import Action

#: how long workers look for each other at the start
MEETING = timedelta(minutes=5)
#: how long they wait for each other after that: the root may be busy with a long test. Who died is noticed at once.
_PATIENCE = timedelta(days=7)
_ACTIONS = (Action.NONE, Action.SNAPSHOT, Action.STOP)


class LostContact(InputError):
    """Another worker does not answer any more; what became of it, whoever started the workers knows."""


class Group:
    """The workers that train together, seen from one of them; a group of one needs no communication.

    rank: the number of this worker; count: how many there are. What they tell each other on the host (text, actions)
    goes through gloo, tensors on CUDA through NCCL. All raise LostContact when another worker is gone.
    """

    def __init__(self, rank: int = 0, count: int = 1) -> None:
        self.rank = rank
        self.count = count

    @property
    def is_root(self) -> bool:
        """Whether this worker logs, tests and writes snapshots."""
        return self.rank == 0

    def agree(self, action: Action) -> Action:
        """What is asked of any worker, told to all: stop before snapshot before nothing."""
        if self.count == 1:
            return action
        code = torch.tensor([_ACTIONS.index(action)])
        with self._talking():
            dist.all_reduce(code, dist.ReduceOp.MAX)
        return _ACTIONS[int(code)]

    def lead(self, action: Action) -> None:
        """The root tells the others, who call `follow`, what comes next."""
        self.broadcast([torch.tensor([_ACTIONS.index(action)])])

    def follow(self) -> Action:
        """What the root leads to."""
        code = torch.zeros(1, dtype=torch.int64)
        self.broadcast([code])
        return _ACTIONS[int(code)]

    def gather(self, text: str) -> list[str]:
        """The texts of all workers, by rank."""
        if self.count == 1:
            return [text]
        own = torch.frombuffer(bytearray(text.encode() or b" "), dtype=torch.uint8)
        sizes = [torch.zeros(1, dtype=torch.int64) for _ in range(self.count)]
        with self._talking():
            dist.all_gather(sizes, torch.tensor([own.numel()]))
            padded = torch.zeros(int(max(sizes)), dtype=torch.uint8)
            padded[: own.numel()] = own
            texts = [torch.empty_like(padded) for _ in range(self.count)]
            dist.all_gather(texts, padded)
        return [bytes(t[: int(n)].tolist()).decode() for t, n in zip(texts, sizes, strict=True)]

    def broadcast(self, tensors: Sequence[torch.Tensor]) -> None:
        """Make tensors what they are on the root."""
        if self.count == 1:
            return
        with self._talking(), torch.no_grad():
            for tensor in tensors:
                whole = tensor.contiguous()
                dist.broadcast(whole, 0)
                if whole is not tensor:
                    tensor.copy_(whole)

    def begin_sum(self, tensor: torch.Tensor) -> Callable[[], None]:
        """Begin to sum a tensor over the workers, in place; call the result to wait for the sum."""
        with self._talking():
            work = dist.all_reduce(tensor, async_op=True)

        def wait() -> None:
            with self._talking():
                work.wait()

        return wait

    def meet(self) -> None:
        """Wait until all workers have come here."""
        self.agree(Action.NONE)

    @contextmanager
    def _talking(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            if isinstance(error, InputError | torch.cuda.OutOfMemoryError):
                raise
            reason = str(error).strip().splitlines()[0][:200]
            raise LostContact(f"worker {self.rank} of {self.count} lost contact with another one ({reason})") from None


_current = Group()
_chosen: list[torch.device] = []


def current() -> Group:
    """The group that this process belongs to: one of one, unless `run` or torchrun made it a worker."""
    return _current


def devices(gpu: str = "", workers: int = 1) -> list[torch.device]:
    """The devices that `--gpu 0,1`, `--gpu all` or (without --gpu) a number of workers on the CPU stand for.

    Raises InputError for what is no list of numbers, names a device twice, or one that is not there.
    """
    if not gpu:
        if workers < 1:
            raise InputError(f"--workers {workers}: wanted 1 or more")
        return [torch.device("cpu")] * workers
    there = torch.cuda.device_count()
    if gpu == "all":
        if not there:
            raise InputError("--gpu all: PyTorch sees no CUDA device here; leave --gpu away to compute on the CPU")
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
    _compute_on(_chosen[0])


def _compute_on(device: torch.device) -> None:
    if device.type == "cuda":
        mode.set_device(device.index or 0)
        mode.set_mode_gpu()
    else:
        mode.set_mode_cpu()


def started_by_torchrun() -> bool:
    """Whether this process is one of several that torchrun (or a scheduler that sets its variables) has started."""
    return int(os.environ.get("WORLD_SIZE") or 1) > 1 and "RANK" in os.environ


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
        from .workers import launch

        launch(function, arguments, _chosen, how_to_go_on)
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


@contextmanager
def joined(store: dist.Store, rank: int, count: int, device: torch.device, here: int) -> Iterator[Group]:
    """Within, this process is worker `rank` of `count`, who meet at the store; `here` of them share this machine."""
    global _current
    _compute_on(device)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    mode.set_solver_count(count)
    mode.set_solver_rank(rank)
    mode.share_machine(here)
    threads = torch.get_num_threads()
    if "OMP_NUM_THREADS" not in os.environ:  # which says how many each worker gets
        torch.set_num_threads(max(1, threads // here))
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" and dist.is_nccl_available() else "gloo"
    group = Group(rank, count)
    with group._talking():
        dist.init_process_group(backend, store=store, rank=rank, world_size=count, timeout=_PATIENCE)
    _current = group
    try:
        yield group
    finally:
        _current = Group()
        mode.set_solver_count(1)
        mode.set_solver_rank(0)
        mode.share_machine(1)
        torch.set_num_threads(threads)
        with suppress(RuntimeError):
            dist.destroy_process_group()
