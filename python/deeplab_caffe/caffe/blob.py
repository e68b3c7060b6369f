"""Blob: an array with its gradient, as numpy views for the user and as tensors for the layers.

Mirrors `blob.hpp` and `syncedmem.hpp`. A layer's result replaces the tensor of its top without a copy, until the
user has been handed a numpy view of it; from then on results are copied into that memory, so that views stay live.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence

import numpy as np
import torch

from ..errors import InputError
from . import mode

_MAX_AXES = 32
_MAX_COUNT = 2**31 - 1


class SyncedMemory:
    """Memory of `count` or more float32 values on the engine's device, copied to the host when the user looks.

    Blobs that share data or diff hold the same SyncedMemory.
    """

    __slots__ = ("_dropped", "_host", "_host_is_newer", "_released", "_tensor", "_viewed")

    def __init__(self) -> None:
        self._tensor: torch.Tensor | None = None
        self._host: np.ndarray | None = None  # CUDA only
        self._host_is_newer = False
        self._viewed = False  # a numpy view of the tensor was handed out
        self._released = ""  # why there are no contents
        self._dropped = ""  # why the user cannot see them

    @property
    def viewed(self) -> bool:
        """Whether a result must be copied into the present memory rather than replace it."""
        return self._viewed

    @property
    def blank(self) -> bool:
        """Whether nothing was written yet, so that the contents are zeros."""
        return self._tensor is None

    def tensor(self, shape: tuple[int, ...]) -> torch.Tensor:
        """The contents in a shape, on the current device; zeros where memory grew (contents and all, as in Caffe)."""
        where = mode.device()
        held = self._tensor
        if held is not None and held.shape == shape and held.device == where and not self._host_is_newer:
            return held
        if held is None and self._released:
            raise InputError(self._released)
        count = math.prod(shape)
        if held is None or held.numel() < count:
            held = torch.zeros(shape, device=where)
            self._forget_views()
        elif self._host_is_newer and self._host is not None:
            held = torch.from_numpy(self._host).to(where)
            self._host_is_newer = False
        elif held.device != where:
            held = held.to(where)
            self._forget_views()
        if held.shape != shape and not held.is_contiguous():
            held = held.contiguous()  # another shape reads the elements in row-major order
        self._tensor = held
        if held.shape != shape:
            held = held.reshape(-1)[:count].view(shape)
            if self._tensor.numel() == count:
                self._tensor = held
        return held

    def assign(self, value: torch.Tensor) -> None:
        """Take over a layer's result: replace the tensor, or copy into it where the user holds a view."""
        held = self._tensor
        if self._viewed and held is not None and held.numel() == value.numel() and held.device == value.device:
            held.view(value.shape).copy_(value)
        else:
            self._tensor = value
            self._viewed = False
        self._host_is_newer = False
        self._released = self._dropped = ""

    def drop(self, why: str) -> None:
        """Free the memory, of which layers read zeros from now on; the user's reading it raises InputError instead.

        Not if the user holds a view of it, or nothing was written.
        """
        if self._tensor is not None and not self._viewed and self._host is None:
            self._tensor = None
            self._dropped = why

    def release(self, why: str) -> None:
        """Free the memory; until something is assigned, reading the contents raises InputError with this reason."""
        self._tensor = None
        self._forget_views()
        self._released = why

    def accumulate(self, value: torch.Tensor) -> None:
        """Add to the contents (to nothing, if they are blank: no copy)."""
        if self._tensor is None or self._tensor.numel() != value.numel():
            self.assign(value)
        else:
            self.tensor(tuple(value.shape)).add_(value)

    def clear(self) -> None:
        """Make the contents zero."""
        self._released = self._dropped = ""
        if self._viewed and self._tensor is not None:
            self._tensor.zero_()
        elif self._host_is_newer and self._host is not None:
            self._host[...] = 0
        else:
            self._tensor = None

    def array(self, shape: tuple[int, ...]) -> np.ndarray:
        """A writable numpy view; what is written there is what the next computation reads.

        Raises InputError if the contents were dropped or released.
        """
        if self._dropped:
            raise InputError(self._dropped)
        held = self.tensor(shape).detach()
        if held.device.type == "cpu":
            if not held.is_contiguous() or held.dtype != torch.float32:
                held = held.float().contiguous()
                self._tensor = held
            self._viewed = True
            return held.numpy()
        host = held.cpu().float().numpy()
        if self._host is not None and self._host.size == host.size:
            self._host.reshape(host.shape)[...] = host
        else:
            self._host = host
        self._host_is_newer = True
        return self._host.reshape(shape)

    def gpu_pointer(self, shape: tuple[int, ...]) -> int:
        """The address of the contents on the GPU, which hold still from now on; InputError on the CPU."""
        held = self.tensor(shape)
        if held.device.type != "cuda":
            raise InputError("a blob has no GPU address in CPU mode; call set_mode_gpu first")
        self._tensor = held = held.float().contiguous()
        self._viewed = True
        return held.data_ptr()

    def _forget_views(self) -> None:
        self._viewed = False
        self._host = None
        self._host_is_newer = False


class ShapeError(InputError):
    """A shape that no blob can have."""


class Blob:
    """An N-D float32 array `data` and its gradient `diff`, both row-major numpy views that are live.

    Raises:
        ShapeError: for more than 32 axes, a negative size, or 2**31 elements and more.

    Example:
        >>> blob = Blob((2, 3))
        >>> blob.data[0] = [1, 2, 3]
        >>> blob.data.sum(), blob.count, blob.channels
        (np.float32(6.0), 6, 3)
    """

    def __init__(self, shape: Sequence[int] = ()) -> None:
        self._shape: tuple[int, ...] = ()
        self.data_memory = SyncedMemory()
        self.diff_memory = SyncedMemory()
        self.reshape(*shape)

    # -- pycaffe

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of all axes."""
        return self._shape

    @property
    def data(self) -> np.ndarray:
        """The values: a live float32 view in this blob's shape."""
        return self.data_memory.array(self._shape)

    @property
    def diff(self) -> np.ndarray:
        """The gradient of the loss in the values: a live float32 view in this blob's shape."""
        return self.diff_memory.array(self._shape)

    @property
    def count(self) -> int:
        """Number of elements."""
        return math.prod(self._shape)

    def reshape(self, *shape: int) -> None:
        """Change the shape. Memory that suffices is kept with its contents; if it must grow, both become zero."""
        if shape == self._shape:  # as in most passes
            return
        dims = tuple(operator.index(d) for d in shape)
        if len(dims) > _MAX_AXES:
            raise ShapeError(f"a blob has at most {_MAX_AXES} axes, got {len(dims)}")
        if any(d < 0 for d in dims):
            raise ShapeError(f"the sizes of a blob must not be negative, got {dims}")
        if math.prod(dims) > _MAX_COUNT:
            raise ShapeError(f"a blob must have fewer than 2**31 elements, got {dims}")
        self._shape = dims

    def _legacy(self, axis: int) -> int:
        if len(self._shape) > 4:
            raise InputError(f"num, channels, height and width are for at most 4 axes, this blob is {self._shape}")
        return self._shape[axis] if axis < len(self._shape) else 1

    num = property(lambda self: self._legacy(0), doc="Size of axis 0, or 1.")
    channels = property(lambda self: self._legacy(1), doc="Size of axis 1, or 1.")
    height = property(lambda self: self._legacy(2), doc="Size of axis 2, or 1.")
    width = property(lambda self: self._legacy(3), doc="Size of axis 3, or 1.")

    _gpu_data_ptr = property(lambda self: self.data_memory.gpu_pointer(self._shape), doc="Address of data on the GPU.")
    _gpu_diff_ptr = property(lambda self: self.diff_memory.gpu_pointer(self._shape), doc="Address of diff on the GPU.")

    # -- the engine's side

    def data_tensor(self) -> torch.Tensor:
        """The values on the engine's device, without a copy where they are there already."""
        return self.data_memory.tensor(self._shape)

    def diff_tensor(self) -> torch.Tensor:
        """The gradient on the engine's device."""
        return self.diff_memory.tensor(self._shape)

    def set_data(self, value: torch.Tensor) -> None:
        """Make a layer's result the values, and its shape the blob's."""
        self._shape = tuple(value.shape)
        self.data_memory.assign(value)

    def set_diff(self, value: torch.Tensor) -> None:
        """Make a tensor of this blob's shape the gradient."""
        self.diff_memory.assign(value)

    def share_data(self, other: Blob) -> None:
        """Use the other blob's memory for the values."""
        self.data_memory = other.data_memory

    def share_diff(self, other: Blob) -> None:
        """Use the other blob's memory for the gradient."""
        self.diff_memory = other.diff_memory


class BlobVec(list[Blob]):
    """A layer's parameters, in order."""

    def add_blob(self, *shape: int) -> Blob:
        """Append a new blob of zeros and return it."""
        self.append(Blob(shape))
        return self[-1]
