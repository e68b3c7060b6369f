"""Where the engine computes (CPU or a CUDA device), beside how many others, and where its random numbers come from."""

from __future__ import annotations

import ctypes
import os
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from ..errors import InputError
from ..files import cpus

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_MOST, _MOST_OF_OLD = 2**31 - 1, 2**25
_STATED = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES")


_LARGE = 4 << 20


def _keep_freed_memory() -> None:
    """Let PyTorch ask for huge pages, and glibc keep what is freed for the next tensor.

    Layers allocate and free tens of megabytes each. The C library would give such memory back to the system at once and
    ask for it again for the next layer, and the system clears it page by page: that takes longer than many layers do.

    Unless the environment says something else; without effect on other systems and with other allocators. Without huge
    pages nothing is kept: tensors are aligned to them, and at smaller steps glibc before 2.38 finds no room again in
    what it kept.
    """
    huge = os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # read before PyTorch's first tensor is made
    if sys.platform != "linux" or huge != "1" or any(name in os.environ for name in _STATED):
        return
    global _mallopt
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # another C library
        return
    # Older ones refuse thresholds above 32 MiB; the second alone would stop them from raising the first themselves.
    if mallopt(_MMAP_THRESHOLD, _MOST) or mallopt(_MMAP_THRESHOLD, _MOST_OF_OLD):
        mallopt(_TRIM_THRESHOLD, -1)
        _mallopt = mallopt


_mallopt: Callable[[int, int], int] | None = None
_keep_freed_memory()


@contextmanager
def large_blocks_returned() -> Iterator[None]:
    """A context in which glibc gives large blocks back to the system when they are freed.

    For passes that have memory of their own for most of them: what is kept falls into pieces, and grows in every pass.
    """
    if _mallopt is None:
        yield
        return
    _mallopt(_MMAP_THRESHOLD, _LARGE)
    try:
        yield
    finally:
        if not _mallopt(_MMAP_THRESHOLD, _MOST):
            _mallopt(_MMAP_THRESHOLD, _MOST_OF_OLD)

_device = torch.device("cpu")
_chosen_gpu = 0
#: whether a GPU was asked for where there is none
_missed = False
_seed: int = secrets.randbits(31)
_solver_count = 1
_solver_rank = 0
_sharing = 1
_generators: dict[torch.device, torch.Generator] = {}


def set_mode_cpu() -> None:
    """Compute on the CPU (the default)."""
    global _device
    _device = torch.device("cpu")


def set_mode_gpu() -> None:
    """Compute on the CUDA device chosen by `set_device` (0 unless set); on the CPU where there is none, said once.

    float32 is float32 from then on: PyTorch's default of ten bits of mantissa in cuDNN's convolutions is switched off
    (`torch.backends.cudnn.allow_tf32 = True` switches it on again).
    """
    global _device, _missed
    if not torch.cuda.is_available():
        if not _missed:
            print("set_mode_gpu: PyTorch sees no CUDA device here: the CPU computes", file=sys.stderr)
        _missed = True
        return
    torch.backends.cudnn.allow_tf32 = False
    _device = torch.device("cuda", _chosen_gpu)


def has_gpu() -> bool:
    """Whether PyTorch sees a CUDA device."""
    return torch.cuda.is_available()


def set_device(index: int) -> None:
    """Choose the CUDA device of the GPU mode, by number."""
    global _chosen_gpu, _device
    if torch.cuda.is_available() and not 0 <= index < torch.cuda.device_count():
        raise InputError(f"set_device({index}): there are {torch.cuda.device_count()} CUDA devices, numbered from 0")
    _chosen_gpu = index
    if _device.type == "cuda":
        _device = torch.device("cuda", index)


def device() -> torch.device:
    """The device that layers compute on."""
    return _device


def solver_count() -> int:
    """The number of solvers that train together, as set."""
    return _solver_count


def set_solver_count(count: int) -> None:
    """Set the number of solvers that train together; data layers share their items out among as many."""
    global _solver_count
    if count < 1:
        raise InputError(f"set_solver_count({count}): wanted 1 or more")
    _solver_count = count


def solver_rank() -> int:
    """The number of this solver, from 0, as set."""
    return _solver_rank


def set_solver_rank(rank: int) -> None:
    """Set the number of this solver, from 0, the root: it alone logs, tests and writes snapshots."""
    global _solver_rank
    if rank < 0:
        raise InputError(f"set_solver_rank({rank}): wanted 0 or more")
    if rank != _solver_rank:
        _solver_rank = rank
        _generators.clear()


def share_machine(workers: int) -> None:
    """Say how many workers share this machine's processors."""
    global _sharing
    _sharing = workers


def processors() -> int:
    """How many processors this worker has: its part of those that the process is bound to, at least 1."""
    return max(1, cpus() // _sharing)


def asynchronous() -> bool:
    """Whether the device computes while the host goes on, so that looking at a result means waiting for it."""
    return _device.type != "cpu"


def on_device(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor of the host on the engine's device, without waiting for what that is doing."""
    if _device.type != "cpu" and not tensor.is_pinned():
        tensor = tensor.pin_memory()
    return tensor.to(_device, non_blocking=True)


def set_random_seed(seed: int) -> None:
    """Start fillers, dropout and the data layers' draws again from a seed.

    Solvers that train together have one seed: it decides which item each of them gets. Fillers and dropout add to it
    the solver's rank, as Caffe does.
    """
    global _seed
    _seed = int(seed) & 0x7FFFFFFFFFFFFFFF
    _generators.clear()


def seed() -> int:
    """The seed of this run: what `set_random_seed` was given, or one drawn when the program started."""
    return _seed


def generator(where: torch.device | None = None) -> torch.Generator:
    """The engine's random generator on a device (the current one by default)."""
    where = where or _device
    if where not in _generators:
        _generators[where] = torch.Generator(where).manual_seed(_seed + _solver_rank)
    return _generators[where]


@contextmanager
def random_numbers_kept() -> Iterator[None]:
    """A context whose random numbers do not change those that are drawn after it."""
    before = {where: made.get_state() for where, made in _generators.items()}
    try:
        yield
    finally:
        _generators.clear()
        for where, state in before.items():
            _generators[where] = torch.Generator(where)
            _generators[where].set_state(state)


def generators() -> list[tuple[torch.device, torch.Generator]]:
    """Every generator that was used so far, with its device."""
    return list(_generators.items())
