"""A device that is not there: tensors say that they lie on it, the host computes, and what CUDA refuses is refused.

Its type is PyTorch's own for the devices of others (PrivateUse1), named `fakegpu`, so it exists in builds without CUDA.
The engine treats it as it treats CUDA, since it asks whether a device is the CPU. Results are real numbers.

    with fake_device() as device:      # the engine computes on it, as after set_mode_gpu()
        net.forward()
    device.waits                       # where the host waited for the device, by the operator's name

Refused, with `MixedDevices`: an operator that gets tensors of both sides, as CUDA does. A scalar of the host may meet
the device's tensors, and the host's integers may index them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest
import torch
from torch.utils import backend_registration
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map

from deeplab_caffe.caffe import mode

_ATEN = torch.ops.aten
#: operators that bring tensors from one side to the other
_TRANSFERS = {_ATEN._to_copy.default, _ATEN.copy_.default, _ATEN.set_.source_Tensor}
#: operators whose result the host needs before it goes on: values, or shapes that depend on values
_WAITING = {
    "_local_scalar_dense", "_unique2", "bincount", "equal", "is_nonzero", "masked_select", "nonzero",
    "repeat_interleave", "unique_consecutive", "unique_dim",
}  # fmt: skip
#: operators whose indices may be the host's
_INDEXING = {_ATEN.index.Tensor, _ATEN.index_put.default, _ATEN.index_put_.default, _ATEN._index_put_impl_.default}

_THERE = hasattr(backend_registration, "_setup_privateuseone_for_python_backend")
needs_fake_device = pytest.mark.skipif(not _THERE, reason="this PyTorch has no devices written in Python")


class MixedDevices(RuntimeError):
    """An operator got tensors of the host and of the device."""


class FakeDevice:
    """What happened on the device: the operators that the host waited for, and how many tensors were brought there."""

    def __init__(self) -> None:
        self.torch_device = _registered()
        self.waits: list[str] = []
        self.uploads = 0
        self._looking = False

    @contextmanager
    def looking(self) -> Iterator[None]:
        """A context in which the host may look at the device's values without being noted."""
        self._looking = True
        try:
            yield
        finally:
            self._looking = False

    def note_wait(self, name: str) -> None:
        """Note that the host waited, unless it may."""
        if not self._looking:
            self.waits.append(name)


_current: list[FakeDevice] = []
_KERNELS = torch.library.Library("aten", "IMPL")


class _Event:
    """What CUDA's events have, on a device that has always done everything."""

    def record(self, stream: Any = None) -> None:
        pass

    def query(self) -> bool:
        return True

    def synchronize(self) -> None:
        pass


class _Module:
    """What stands in the place of `torch.cuda`."""

    Event = _Event

    def is_available(self) -> bool:
        return True

    def is_initialized(self) -> bool:
        return True

    def current_device(self) -> int:
        return 0

    def device_count(self) -> int:
        return 1

    def _is_in_bad_fork(self) -> bool:
        return False

    def manual_seed_all(self, seed: int) -> None:
        pass


@cache
def _registered() -> torch.device:
    backend_registration._setup_privateuseone_for_python_backend("fakegpu", _Module())
    # what PyTorch does by itself, without asking `__torch_dispatch__`: a list of numbers becomes a tensor of the device
    _KERNELS.impl("empty_strided", _empty_strided, "PrivateUse1")
    _KERNELS.impl("_copy_from", _copy_from, "PrivateUse1")
    return torch.device("fakegpu", 0)


def _empty_strided(size: Any, stride: Any, dtype: torch.dtype | None = None, **_: Any) -> torch.Tensor:
    return _OnDevice(torch.empty_strided(size, stride, dtype=dtype))


def _copy_from(source: torch.Tensor, target: torch.Tensor, non_blocking: bool = False) -> torch.Tensor:
    _held(target).copy_(_held(source))
    return target


class _OnDevice(torch.Tensor):
    """A tensor that says it lies on the device; `held` has its values."""

    held: torch.Tensor

    @staticmethod
    def __new__(cls: type[_OnDevice], held: torch.Tensor) -> _OnDevice:
        made = torch.Tensor._make_wrapper_subclass(
            cls, held.shape, strides=held.stride(), storage_offset=held.storage_offset(), dtype=held.dtype,
            layout=held.layout, device=_registered(),
        )  # fmt: skip
        made.held = held
        return made

    def __init__(self, held: torch.Tensor) -> None:
        pass

    def data_ptr(self) -> int:
        return self.held.data_ptr()

    def untyped_storage(self) -> torch.UntypedStorage:
        return self.held.untyped_storage()

    def tolist(self) -> Any:
        return self.cpu().tolist()

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class _Dispatch(TorchDispatchMode):
    """Sees the operators of the host's tensors too: those that make tensors on the device, or bring them there."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


def _run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    if func in (_ATEN.is_pinned.default, _ATEN._pin_memory.default):
        return args[0] if func is _ATEN._pin_memory.default else False
    kwargs.pop("pin_memory", None)
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
    ours = [tensor for tensor in tensors if isinstance(tensor, _OnDevice)]
    theirs = [tensor for tensor in tensors if not isinstance(tensor, _OnDevice) and tensor.dim() > 0]
    stated = kwargs.get("device")
    copies = func is _ATEN.copy_.default
    if copies:
        there = isinstance(args[0], _OnDevice)
    else:
        there = bool(ours) if stated is None else torch.device(stated).type == _registered().type
    at_once = not (kwargs.get("non_blocking") or (copies and args[2:] == (True,)))
    _note(func, args, ours, theirs, there, at_once)
    held_args, held_kwargs = tree_map(_held, args), tree_map(_held, kwargs)
    if stated is not None:
        held_kwargs["device"] = torch.device("cpu")
    result = func(*held_args, **held_kwargs)
    if not there:
        return args[0] if copies else result
    result = tree_map(lambda leaf: _OnDevice(leaf) if isinstance(leaf, torch.Tensor) else leaf, result)
    return return_and_correct_aliasing(func, args, kwargs, result) if ours else result


def _held(leaf: Any) -> Any:
    return leaf.held if isinstance(leaf, _OnDevice) else leaf


def _note(func: Any, args: Any, ours: list[Any], theirs: list[Any], there: bool, at_once: bool) -> None:
    """Note what the host waits for, and refuse what CUDA refuses; `there`: the result lies on the device."""
    device = _current[-1]
    name = func.overloadpacket.__name__
    if func in _TRANSFERS:
        device.uploads += bool(theirs) and there
        if ours and not there and at_once:
            device.note_wait(name)
        return
    indexes = func in _INDEXING and isinstance(args[0], _OnDevice)
    if ours and theirs and not (indexes and not any(t.is_floating_point() for t in theirs)):
        shapes = ", ".join(str(tuple(tensor.shape)) for tensor in theirs)
        raise MixedDevices(f"{name}: tensors of the host, {shapes}, meet tensors of the device")
    selects = indexes and any(t is not None and t.dtype in (torch.bool, torch.uint8) for t in args[1])
    if ours and (name in _WAITING or selects):
        device.note_wait(name)


@contextmanager
def fake_device() -> Iterator[FakeDevice]:
    """A context in which the engine computes on a device that is not there."""
    device = FakeDevice()
    before, real = mode._device, mode.generator
    host = torch.device("cpu")
    mode._device, mode.generator = device.torch_device, lambda where=None: real(host)
    _current.append(device)
    try:
        with _Dispatch():
            yield device
    finally:
        _current.pop()
        mode._device, mode.generator = before, real


if _THERE:
    _registered()  # before the first backward of the process, which starts a thread for every device that there is
