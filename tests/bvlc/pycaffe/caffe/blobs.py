"""Blobs as pycaffe shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any


class IntVec:
    """A vector of C++: to be indexed and iterated, no tuple."""

    def __init__(self, values: Any) -> None:
        self._values = list(values)

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, index: Any) -> Any:
        found = self._values[index]
        return IntVec(found) if isinstance(index, slice) else found

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)


class BoolVec:
    """vector<bool>: to be indexed."""

    def __init__(self, values: Any) -> None:
        self._values = list(values)

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, index: int) -> bool:
        if type(index) is not int:
            raise TypeError("Invalid index type")
        return self._values[index]


class Blob:
    """data, diff, shape, num, channels, height, width, count and reshape of a blob of the engine's."""

    __slots__ = ("_blob",)

    def __init__(self, blob: Any) -> None:
        self._blob = blob

    data = property(lambda self: self._blob.data)
    diff = property(lambda self: self._blob.diff)
    shape = property(lambda self: IntVec(self._blob.shape))
    count = property(lambda self: self._blob.count)
    num = property(lambda self: self._blob.num)
    channels = property(lambda self: self._blob.channels)
    height = property(lambda self: self._blob.height)
    width = property(lambda self: self._blob.width)

    def reshape(self, *dims: int) -> None:
        for dim in dims:
            if type(dim) is not int:
                raise TypeError(f"No registered converter was able to produce a C++ rvalue of type int from {dim!r}")
        self._blob.reshape(*dims)


class BlobVec:
    """The blobs of a layer."""

    def __init__(self, blobs: Any) -> None:
        self._blobs = blobs

    def __len__(self) -> int:
        return len(self._blobs)

    def __getitem__(self, index: int) -> Blob:
        return Blob(self._blobs[index])

    def __iter__(self) -> Iterator[Blob]:
        return map(Blob, self._blobs)

    def add_blob(self, *dims: int) -> None:
        Blob(self._blobs.add_blob()).reshape(*dims)


def members(wanted: str) -> Callable[[type], type]:
    """Class decorator: properties that pass on the members of `_own` whose names are given."""

    def add(cls: type) -> type:
        for name in wanted.split():
            setattr(cls, name, property(lambda self, name=name: getattr(self._own, name)))
        return cls

    return add
