"""State dict files of PyTorch: safetensors, or what `torch.save` wrote, read without running code from the file."""

from __future__ import annotations

import json
import os
import pickle
import zipfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

from ..errors import InputError
from ..files import replacing
from ..formats.weight_files import WeightFile, read_weight_file
from ..formats.weights import BlobArray, LayerWeights
from ..lazy import imported_on_use
from ..reading import CANNOT_OPEN, reading

if TYPE_CHECKING:
    import torch
else:
    torch = imported_on_use("torch")

#: name of a parameter or statistic → float32 values
StateDict = dict[str, np.ndarray]
#: keys of the state dict in checkpoints, and prefixes that wrappers add to every name
_KEYS = ("state_dict", "model_state_dict", "model", "net")
_PREFIXES = ("module.", "_orig_mod.")
#: a checkpoint may unpack to four times its size and so many bytes; PyTorch does not compress
_SLACK = 1 << 26


def read_state_dict(path: str | os.PathLike[str]) -> StateDict:
    """The tensors of a `.safetensors` file, or of a checkpoint by PyTorch's weights-only loader, as float32.

    A checkpoint may be the state dict itself or contain it under one of the usual keys; counters
    (`num_batches_tracked`) are omitted.

    Raises:
        InputError: if the file does not exist, is damaged, contains no tensors, or contains anything but plain tensors,
            which could only be read by running code.

    Example:
        >>> import tempfile
        >>> path = os.path.join(tempfile.gettempdir(), f"example-{os.getpid()}.safetensors")
        >>> write_state_dict(path, {"conv.weight": np.ones((2, 3, 1, 1), np.float32)})
        >>> {name: values.shape for name, values in read_state_dict(path).items()}
        {'conv.weight': (2, 3, 1, 1)}
        >>> os.remove(path)
    """
    path = os.fspath(path)
    tensors = _safetensors(path) if _is_safetensors(path) else _checkpoint(path)
    found = {_plain(name): value for name, value in tensors.items() if not name.endswith("num_batches_tracked")}
    if not found:
        raise InputError(f"{path}: contains no tensors; expected a state dict")
    return found


def write_state_dict(
    path: str | os.PathLike[str], state: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None
) -> None:
    """Write a `.safetensors` file, completely or not at all; `metadata` goes into its header."""
    with replacing(path) as temporary:
        whole = {name: np.ascontiguousarray(values) for name, values in state.items()}
        save_file(whole, temporary, dict(metadata) if metadata else None)


def read_metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """The metadata of a safetensors file; empty for any other file."""
    if not _is_safetensors(path):
        return {}
    with reading(path, damaged="not a safetensors file, or damaged"), safe_open(path, "pt") as file:
        return dict(file.metadata() or {})


def modules_of(state: StateDict) -> dict[str, StateDict]:
    """Module → name of a parameter or statistic in it → values, in the order of the names."""
    modules: dict[str, StateDict] = {}
    for name, values in state.items():
        module, _, kind = name.rpartition(".")
        modules.setdefault(module, {})[kind] = values
    return modules


def to_layers(metadata: Mapping[str, str], state: Mapping[str, np.ndarray], where: str) -> list[LayerWeights]:
    """The Caffe layers of an exported state dict.

    Raises:
        InputError: if the metadata does not match the tensors.
    """
    try:
        return [
            LayerWeights(str(name), str(kind), [BlobArray(state[f"{attribute}.{x}"]) for x in parameters])
            for attribute, (name, kind, parameters) in json.loads(metadata["caffe_layers"]).items()
        ]
    except Exception as error:
        raise InputError(f"{where}: 'caffe_layers' in its metadata does not describe its tensors: {error!r}") from None


def read_any(path: str) -> WeightFile:
    """Read a `.caffemodel` of any form, or a state dict, whose modules become layers without a type.

    The layers of an exported state dict have their original names and types.

    Raises:
        InputError: if the file is neither.
    """
    if not is_state_dict(path):
        return read_weight_file(path)
    metadata, state = read_metadata(path), read_state_dict(path)
    if "caffe_layers" in metadata:
        layers = to_layers(metadata, state, path)
    else:
        layers = [
            LayerWeights(module, "", [BlobArray(values) for values in parts.values()])
            for module, parts in modules_of(state).items()
        ]
    return WeightFile(path, "PyTorch", "", layers)


def is_state_dict(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a state dict's, by its first bytes."""
    with reading(path, cannot=CANNOT_OPEN), open(path, "rb") as file:
        head = file.read(4)
    return head == b"PK\3\4" or head[:2] == b"\x80\x02" or _is_safetensors(path)


def _is_safetensors(path: str | os.PathLike[str]) -> bool:
    """By its name, or by a JSON header after eight bytes that state its length."""
    if os.fspath(path).endswith(".safetensors"):
        return True
    with reading(path, cannot=CANNOT_OPEN), open(path, "rb") as file:
        head = file.read(9)
        return head[8:] == b"{" and int.from_bytes(head[:8], "little") <= os.fstat(file.fileno()).st_size


def _safetensors(path: str) -> StateDict:
    with reading(path, damaged="not a safetensors file, or damaged"), safe_open(path, "pt") as file:
        return {name: _array(file.get_tensor(name), name, path) for name in file.keys()}  # noqa: SIM118 - no mapping


def _checkpoint(path: str) -> StateDict:
    _check_unpacked_size(path)
    with reading(path, damaged="not a PyTorch checkpoint, or damaged"):
        return _tensors(_load(path), path)


def _load(path: str) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise InputError(
            f"{path}: contains more than plain tensors, so reading it could run code from the file; save only its "
            "state_dict(), or use safetensors"
        ) from None


def _tensors(loaded: Any, path: str) -> StateDict:
    for key in _KEYS:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(key), Mapping):
            loaded = loaded[key]
    if not isinstance(loaded, Mapping):
        raise InputError(f"{path}: contains a {type(loaded).__name__}; expected a state dict (name → tensor)")
    return {str(name): _array(x, name, path) for name, x in loaded.items() if isinstance(x, torch.Tensor)}


def _check_unpacked_size(path: str) -> None:
    """Raise InputError for an archive that is small only because it is compressed."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
    except Exception:
        return  # PyTorch's own reader reports what is wrong, or reads the older format
    packed = os.path.getsize(path)
    if size > 4 * packed + _SLACK:
        raise InputError(f"{path}: would unpack to {size} bytes, from {packed}; this is not a valid checkpoint")


def _array(tensor: Any, name: Any, path: str) -> np.ndarray:
    """A tensor's values; InputError if it is sparse, quantised, complex, or larger than its stored values."""
    plain = tensor.layout == torch.strided and tensor.device.type == "cpu"
    if not plain or tensor.is_quantized or tensor.is_complex():
        raise InputError(f"{path}: '{name}' is not a plain tensor of real numbers ({tensor.dtype}, {tensor.layout})")
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise InputError(f"{path}: '{name}' has shape {tuple(tensor.shape)}, but fewer values are stored")
    return tensor.detach().to(torch.float32).contiguous().numpy()


def _plain(name: str) -> str:
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name
