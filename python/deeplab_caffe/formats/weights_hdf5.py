"""Weight and state files in HDF5: `.caffemodel.h5` and `.solverstate.h5`. Mirrors `net.cpp` and `sgd_solver.cpp`.

Weights: a group `/data` with one group per layer, also those without parameters, and in it the datasets "0", "1", … in
the blobs' own shapes; parameters that an earlier layer owns are left out. With gradients also a group `/diff`, which
has all of them. State: `iter`, `learned_net`, `current_step` and a group `history`.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..files import replacing
from ..lazy import imported_on_use
from ..reading import CANNOT_OPEN, check_plain, reading
from .weights import NO_WEIGHTS, SolverState

if TYPE_CHECKING:
    import h5py
    import numpy as np
else:
    h5py = imported_on_use("h5py")
    np = imported_on_use("numpy")

#: the limit for the bytes of all values: so many times the size of the file (it may be compressed), plus some
_MOST_PER_BYTE, _SLACK = 20, 1 << 26
_SIGNATURE = b"\x89HDF\r\n\x1a\n"


@dataclass
class LayerDatasets:
    """One layer of a weight file: its float32 blobs by number; one that an earlier layer owns may be missing."""

    name: str
    data: dict[int, np.ndarray] = field(default_factory=dict)
    diff: dict[int, np.ndarray] = field(default_factory=dict)


def is_hdf5(path: str | os.PathLike[str]) -> bool:
    """Whether a file is HDF5: by its first bytes, or by the suffix .h5 if it cannot be read."""
    try:
        check_plain(path)
        with open(path, "rb") as file:
            return file.read(len(_SIGNATURE)) == _SIGNATURE
    except OSError:
        return os.fspath(path).endswith(".h5")


def read_caffemodel(path: str | os.PathLike[str]) -> list[LayerDatasets]:
    """Every layer of a `.caffemodel.h5` in the file's order; a name with "/" may be stored as nested groups.

    Raises:
        InputError: the file is missing, damaged, or not a `.caffemodel.h5`.
    """
    with _open(path, "a .caffemodel.h5") as file:
        content = dict(members(file, path))
        if not isinstance(content.get("data"), h5py.Group):
            if "history" in content and "iter" in content:
                raise InputError(NO_WEIGHTS.format(path=path))
            raise InputError(f"{path}: has no group 'data'; expected a .caffemodel.h5")
        layers: dict[str, LayerDatasets] = {}
        reader = _DatasetReader(path)
        for kind in ("data", "diff"):
            if isinstance(content.get(kind), h5py.Group):
                for name, arrays in reader.layers(content[kind]):
                    getattr(layers.setdefault(name, LayerDatasets(name)), kind).update(arrays)
        return list(layers.values())


class _DatasetReader:
    """Reads datasets up to a limit by the file's size: a few bytes can claim any shape, or be linked many times."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = path
        self.room = _MOST_PER_BYTE * os.path.getsize(path) + _SLACK
        self._seen: set[int] = set()

    def layers(self, group: h5py.Group, prefix: str = "") -> Iterator[tuple[str, dict[int, np.ndarray]]]:
        self._visit(group)
        for name, inner in members(group, self.path):
            if not isinstance(inner, h5py.Group):
                raise InputError(f"{self.path}: '{inner.name}' is a dataset; expected the group of a layer")
            content = dict(members(inner, self.path))
            if any(isinstance(item, h5py.Group) for item in content.values()):
                yield from self.layers(inner, f"{prefix}{name}/")
            else:
                yield prefix + name, {self._number(key, inner): self.array(item) for key, item in content.items()}

    def _visit(self, group: h5py.Group) -> None:
        """Refuse a group that was read before: groups that are linked to each other would never end."""
        address = h5py.h5o.get_info(group.id).addr
        if address in self._seen:
            raise InputError(f"{self.path}: '{group.name}' is linked in several places; expected a tree of groups")
        self._seen.add(address)

    def _number(self, key: str, group: h5py.Group) -> int:
        if not key.isdecimal():
            raise InputError(f"{self.path}: '{group.name}/{key}': expected the number of a blob as name: 0, 1, …")
        return int(key)

    def array(self, dataset: h5py.Dataset) -> np.ndarray:
        if dataset.dtype.kind not in "iuf":
            raise InputError(f"{self.path}: '{dataset.name}': expected numbers, got {dataset.dtype}")
        return np.asarray(self.values(dataset), dtype=np.float32)

    def values(self, dataset: h5py.Dataset) -> Any:
        """The values of a dataset as stored."""
        if not isinstance(dataset, h5py.Dataset):
            raise InputError(f"{self.path}: '{dataset.name}' is a {type(dataset).__name__}; expected a dataset")
        self.room -= dataset.size * max(4, dataset.dtype.itemsize)
        if self.room < 0:
            raise InputError(
                f"{self.path}: '{dataset.name}' claims the shape {dataset.shape}, more than a file of "
                f"{os.path.getsize(self.path)} bytes can hold"
            )
        return dataset[()]


def write_caffemodel(path: str | os.PathLike[str], layers: list[LayerDatasets], diffs: bool = False) -> None:
    """Write a `.caffemodel.h5` that Caffe reads; raises InputError for names that `check_names` refuses."""
    check_names([(layer.name, bool(layer.data or layer.diff)) for layer in layers], path)
    layers = [layer for layer in layers if layer.name]
    with _writing(path) as file:
        for kind in ("data", "diff") if diffs else ("data",):
            group = file.create_group(kind)
            for layer in layers:
                inner = group.require_group(layer.name)
                for number, values in getattr(layer, kind).items():
                    inner.create_dataset(str(number), data=np.asarray(values, dtype="<f4"))


def check_names(layers: Iterable[tuple[str, bool]], source: object) -> None:
    """Raise InputError for layers that HDF5 cannot store, as its groups have their names.

    Args:
        layers: the name of each layer, and whether it has parameters. Those without may have no name, or one twice.
        source: the file, for the message.
    """
    stored: set[str] = set()
    for place, (name, has_params) in enumerate(layers):
        if "/" in name:
            raise InputError(f"{source}: layer '{name}': HDF5 does not support '/' in names; save as .caffemodel")
        if has_params and not name:
            raise InputError(
                f"{source}: layer {place} (from 0) has parameters but no name; HDF5 stores them by name: give it one, "
                "or save as .caffemodel"
            )
        if has_params and name in stored:
            raise InputError(f"{source}: two layers are named '{name}'; HDF5 stores one: rename the second")
        stored.update([name] if has_params else [])


def read_solverstate(path: str | os.PathLike[str]) -> SolverState:
    """Read a `.solverstate.h5`; raises InputError if it is missing or damaged."""
    with _open(path, "a .solverstate.h5") as file:
        content = dict(members(file, path))
        missing = [name for name in ("iter", "current_step", "history") if name not in content]
        if missing:
            raise InputError(f"{path}: has no '{missing[0]}'; expected a .solverstate.h5")
        history = dict(members(content["history"], path))
        absent = [i for i in range(len(history)) if str(i) not in history]
        if absent:
            raise InputError(f"{path}: 'history' has {len(history)} datasets, but '{absent[0]}' is missing")
        reader = _DatasetReader(path)
        learned = bytes(reader.values(file["learned_net"])).split(b"\0")[0].decode() if "learned_net" in content else ""
        return SolverState(
            int(np.ravel(reader.values(file["iter"]))[0]),
            learned,
            [reader.array(history[str(i)]) for i in range(len(history))],
            int(np.ravel(reader.values(file["current_step"]))[0]),
        )


def write_solverstate(path: str | os.PathLike[str], state: SolverState) -> None:
    """Write a `.solverstate.h5` that Caffe reads."""
    with _writing(path) as file:
        file.create_dataset("iter", data=np.array([state.iter], dtype="<i4"))
        name = state.learned_net.encode()
        file.create_dataset("learned_net", data=np.array(name, dtype=f"S{len(name) + 1}"))  # ends with a zero byte
        file.create_dataset("current_step", data=np.array([state.current_step], dtype="<i4"))
        history = file.create_group("history")
        for i, values in enumerate(state.history):
            history.create_dataset(str(i), data=np.asarray(values, dtype="<f4"))


@contextmanager
def _writing(path: str | os.PathLike[str]) -> Iterator[h5py.File]:
    """An HDF5 file to fill in memory, then written whole: the library itself crashes on a full disk."""
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        yield file
    with replacing(path) as temporary:
        temporary.write_bytes(content.getbuffer())


@contextmanager
def _open(path: str | os.PathLike[str], expected: str) -> Iterator[h5py.File]:
    """An HDF5 file for reading; errors of the library become InputErrors."""
    with reading(path, damaged=f"damaged or not {expected}", cannot=CANNOT_OPEN), h5py.File(path, "r") as file:
        yield file


def members(group: h5py.Group, path: str | os.PathLike[str], only: str = "") -> Iterator[tuple[str, Any]]:
    """(name, group or dataset) of everything in a group, or of one name.

    Raises:
        InputError: a link that leads to another file or nowhere, or a dataset whose values lie outside the file. Such
            a file would show the content of any file on this machine.
    """
    for name in [only] if only else group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise InputError(f"{path}: '{group.name}/{name}' is a link, which is not supported; expected the values")
        yield name, check_inside(group[name], path)


def check_inside(item: Any, path: str | os.PathLike[str]) -> Any:
    """Return a group or dataset; InputError if its values lie in another file or are put together from others."""
    if isinstance(item, h5py.Dataset) and (item.external or item.is_virtual):
        raise InputError(f"{path}: '{item.name}' has its values outside the file, which is not supported")
    return item
