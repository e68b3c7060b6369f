"""The workers that train one net together, seen from one of them. Mirrors `parallel.cpp`.

As in Caffe, `batch_size` is each worker's own, gradients are averaged over the workers, all begin with the weights of
the root (rank 0), and the root alone logs, tests and writes snapshots. Data layers in TRAIN divide their items: worker
r of N takes items r, r + N, r + 2N, …
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta

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
    """Another worker no longer answers; the process that started the workers knows why."""


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
        """The strongest action that any worker asks for, known to all: stop, then snapshot, then nothing."""
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
        """Wait until all workers have reached this call."""
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


def current() -> Group:
    """The group that this process belongs to: one of one, unless `run` or torchrun made it a worker."""
    return _current


def compute_on(device: torch.device) -> None:
    """Make a device the one that this process computes on."""
    if device.type == "cuda":
        mode.set_device(device.index or 0)
        mode.set_mode_gpu()
    else:
        mode.set_mode_cpu()


@contextmanager
def joined(store: dist.Store, rank: int, count: int, device: torch.device, here: int) -> Iterator[Group]:
    """Within, this process is worker `rank` of `count`, who meet at the store; `here` of them share this machine."""
    global _current
    compute_on(device)
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
