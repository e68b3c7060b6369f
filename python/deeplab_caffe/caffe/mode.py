"""Where the engine computes (CPU or a CUDA device) and where its random numbers come from."""

from __future__ import annotations

import secrets

import torch

from ..errors import InputError

_device = torch.device("cpu")
_chosen_gpu = 0
_seed: int = secrets.randbits(31)
_generators: dict[torch.device, torch.Generator] = {}


def set_mode_cpu() -> None:
    """Compute on the CPU (the default)."""
    global _device
    _device = torch.device("cpu")


def set_mode_gpu() -> None:
    """Compute on the CUDA device chosen by `set_device` (0 unless set); InputError where there is none."""
    global _device
    if not torch.cuda.is_available():
        raise InputError("set_mode_gpu: PyTorch sees no CUDA device here; use set_mode_cpu, or install a CUDA build")
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


def set_random_seed(seed: int) -> None:
    """Start fillers, dropout and the data layers' draws again from a seed."""
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
        _generators[where] = torch.Generator(where).manual_seed(_seed)
    return _generators[where]


def generators() -> list[tuple[torch.device, torch.Generator]]:
    """Every generator that was used so far, with its device."""
    return list(_generators.items())
