"""PyTorch's state dicts as files: safetensors, or what `torch.save` wrote, read without running any code of theirs."""

from __future__ import annotations

import os
import pickle
import struct
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from ..errors import InputError
from ..files import replacing

#: name of a parameter or statistic → float32 values
StateDict = dict[str, np.ndarray]
#: where checkpoints keep the state dict, and what wrappers put before every name
_KEYS = ("state_dict", "model_state_dict", "model", "net")
_PREFIXES = ("module.", "_orig_mod.")
#: bytes that a checkpoint may unpack to beyond four times its own size; PyTorch does not compress
_SLACK = 1 << 26


def read_state_dict(path: str | os.PathLike[str]) -> StateDict:
    """The tensors of a `.safetensors` file, or of a checkpoint by PyTorch's weights-only loader, as float32.

    A checkpoint may hold the state dict itself or have it under one of the usual keys; counters
    (`num_batches_tracked`) are left out. Raises InputError where a file is missing, damaged, holds anything but plain
    tensors (which would have to run code to be read), or no tensors.
    """
    path = os.fspath(path)
    tensors = _safetensors(path) if _is_safetensors(path) else _checkpoint(path)
    found = {_plain(name): value for name, value in tensors.items() if not name.endswith("num_batches_tracked")}
    if not found:
        raise InputError(f"{path}: holds no tensors; a state dict was wanted")
    return found


def write_state_dict(
    path: str | os.PathLike[str], state: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None
) -> None:
    """Write a `.safetensors` file, whole or not at all; `metadata` goes into its header."""
    with replacing(path) as temporary:
        whole = {name: np.ascontiguousarray(values) for name, values in state.items()}
        save_file(whole, temporary, dict(metadata) if metadata else None)


def read_metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """What stands in a safetensors file beside the tensors; nothing for any other file."""
    if not _is_safetensors(path):
        return {}
    try:
        with safe_open(path, "pt") as file:
            return dict(file.metadata() or {})
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(f"{os.fspath(path)}: damaged or no safetensors file: {error}") from None


def modules_of(state: StateDict) -> dict[str, StateDict]:
    """Module → name of a parameter or statistic in it → values, in the order of the names."""
    modules: dict[str, StateDict] = {}
    for name, values in state.items():
        module, _, kind = name.rpartition(".")
        modules.setdefault(module, {})[kind] = values
    return modules


def is_state_dict(path: str | os.PathLike[str]) -> bool:
    """Whether a file is one that `read_state_dict` is for, by its first bytes."""
    try:
        with open(path, "rb") as file:
            head = file.read(4)
    except OSError as error:
        raise InputError(f"Could not open file {os.fspath(path)}: {error.strerror}") from None
    return head == b"PK\3\4" or head[:2] == b"\x80\x02" or _is_safetensors(path)


def _is_safetensors(path: str | os.PathLike[str]) -> bool:
    """By its name, or by a header of JSON behind eight bytes that state its length."""
    if os.fspath(path).endswith(".safetensors"):
        return True
    try:
        with open(path, "rb") as file:
            head = file.read(9)
            return head[8:] == b"{" and int.from_bytes(head[:8], "little") <= os.fstat(file.fileno()).st_size
    except OSError as error:
        raise InputError(f"Could not open file {os.fspath(path)}: {error.strerror}") from None


def _safetensors(path: str) -> StateDict:
    try:
        with safe_open(path, "pt") as file:
            return {name: _array(file.get_tensor(name), name, path) for name in file.keys()}  # noqa: SIM118 - no mapping
    except InputError:
        raise
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise InputError(f"{path}: damaged or no safetensors file: {error}") from None


def _checkpoint(path: str) -> StateDict:
    _check_unpacked_size(path)
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise InputError(
            f"{path}: holds more than plain tensors, so reading it could run code of its author's; save its "
            "state_dict() alone, or as safetensors"
        ) from None
    except (OSError, RuntimeError, ValueError, LookupError, EOFError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: damaged or no PyTorch checkpoint: {error}") from None
    for key in _KEYS:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(key), Mapping):
            loaded = loaded[key]
    if not isinstance(loaded, Mapping):
        raise InputError(f"{path}: holds a {type(loaded).__name__}; a state dict (name → tensor) was wanted")
    return {str(name): _array(x, name, path) for name, x in loaded.items() if isinstance(x, torch.Tensor)}


def _check_unpacked_size(path: str) -> None:
    """Refuse an archive that is small only because it is compressed."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
    except (OSError, zipfile.BadZipFile, RuntimeError, ValueError, LookupError, struct.error):
        return  # PyTorch's own reader says what is wrong, or knows the older form
    packed = os.path.getsize(path)
    if size > 4 * packed + _SLACK:
        raise InputError(f"{path}: would unpack to {size} bytes, from {packed}; no checkpoint is like that")


def _array(tensor: Any, name: Any, path: str) -> np.ndarray:
    """A tensor's values; InputError for one that is sparse, quantised, complex, or larger than what is stored of it."""
    plain = tensor.layout == torch.strided and tensor.device.type == "cpu"
    if not plain or tensor.is_quantized or tensor.is_complex():
        raise InputError(f"{path}: '{name}' is no plain tensor of real numbers ({tensor.dtype}, {tensor.layout})")
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise InputError(f"{path}: '{name}' has shape {tuple(tensor.shape)}, but fewer values are stored")
    return tensor.detach().to(torch.float32).contiguous().numpy()


def _plain(name: str) -> str:
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name
