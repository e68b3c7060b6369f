"""Start-up of solvers that train together: all have the same net and data, and get the root's weights and seed."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from typing import Any, Protocol

import torch

from ...errors import InputError
from .. import mode
from ..layer_types.base import DataLayer
from ..net.net import Net
from .all_reduce import GradientAverage
from .group import Group

#: fields that may differ from machine to machine
_PLACES = ("source", "root_folder", "mean_file")


class TrainingSolver(Protocol):
    """What start-up needs to know of a solver."""

    type: str
    param: Any
    net: Net
    iter: int
    history: list[torch.Tensor]
    group: Group
    synchronised: bool

    def add_callback(self, on_start: Any, on_gradients_ready: Callable[[], None] | None = None) -> None:
        """Call functions before and after the passes of each iteration."""


def join(solver: TrainingSolver) -> None:
    """Make a solver one of its group: the same start as the root's, and the mean of all gradients in every update."""
    solver.synchronised = True
    synchronise(solver)
    average = GradientAverage(solver.group, solver.net, solver.param.iter_size)
    solver.add_callback(average.on_start, average.on_gradients_ready)
    if solver.param.layer_wise_reduce:
        solver.net.after_backward(average)


def synchronise(solver: TrainingSolver) -> None:
    """Check that all workers train the same net on the same data; give them the root's seed, weights and history.

    Raises InputError, on every worker, that names the worker and the layer, parameter or number which differs.
    """
    group = solver.group
    texts = group.gather(json.dumps(_description(solver)))
    root, *others = (json.loads(text) for text in texts)
    for rank, other in enumerate(others, 1):
        _compare(rank, other, root)
    _take_seed(solver, int(root["seed"]))
    group.broadcast([p.blob.data_tensor() for p in solver.net.learnable_params])
    group.broadcast(solver.history)


def _description(solver: TrainingSolver) -> dict[str, Any]:
    net = solver.net
    return {
        "seed": mode.seed(),
        "iter": solver.iter,
        "solver": f"{solver.type}, checksum {_solver_checksum(solver):08x}",
        "layers": {s.name: f"{s.layer.type}, checksum {_checksum(s.layer.param):08x}" for s in net.steps},
        "params": [[p.name, *p.blob.shape] for p in net.learnable_params],
        "data": {
            layer.param.name: layer.contents()
            for layer in net.layers
            if isinstance(layer, DataLayer) and layer.param.name in net.layer_dict
        },
    }


def _compare(rank: int, other: dict[str, Any], root: dict[str, Any]) -> None:
    """Refuse what would train something else than the root does, the most telling difference first."""
    who = f"worker {rank}"
    if list(other["layers"]) != list(root["layers"]):
        odd = sorted(set(other["layers"]) ^ set(root["layers"])) or ["their order"]
        counts = f"{len(other['layers'])} layers, the root {len(root['layers'])}"
        raise InputError(
            f"{who} has a different net from the root's: {counts} ({', '.join(odd[:5])}); "
            "all workers must read the same prototxt"
        )
    for name, text in root["layers"].items():
        if other["layers"][name] != text:
            raise InputError(
                f"{who} has a different net from the root's: layer '{name}' is {other['layers'][name]}, "
                f"the root's {text}; all workers must read the same prototxt"
            )
    for name, contents in root["data"].items():
        if other["data"][name] != contents:
            raise InputError(
                f"{who} has different data from the root's: layer '{name}' reads {other['data'][name]}, the root's "
                f"{contents}; the workers share the items of one list out among them, so it must be the same for all"
            )
    for what, advice in (
        ("params", "set-up gave parameters other shapes"),
        ("solver", "all workers must read the same solver prototxt"),
        ("iter", "all must be given the same snapshot, and be able to read it"),
    ):
        if other[what] != root[what]:
            raise InputError(f"{who} differs from the root in {what}: {other[what]}, the root {root[what]}; {advice}")


def _solver_checksum(solver: TrainingSolver) -> int:
    """Of the settings that must agree; where files lie and which device computes may differ."""
    param = type(solver.param)()
    param.CopyFrom(solver.param)
    for field in ("net", "train_net", "test_net", "weights", "snapshot_prefix", "device_id", "solver_mode"):
        param.ClearField(field)
    return zlib.crc32(param.SerializeToString(deterministic=True))


def _checksum(param: Any) -> int:
    """Of a layer's definition, but for where its files lie."""
    copy = type(param)()
    copy.CopyFrom(param)
    for field, value in copy.ListFields():
        if field.message_type is not None and not hasattr(value, "__len__"):
            for place in _PLACES:
                if place in field.message_type.fields_by_name:
                    value.ClearField(place)
    return zlib.crc32(copy.SerializeToString(deterministic=True))


def _take_seed(solver: TrainingSolver, seed: int) -> None:
    """Draw as the root does which items come next."""
    if seed == mode.seed():
        return
    mode.set_random_seed(seed)
    for layer in solver.net.layers:
        if isinstance(layer, DataLayer):
            layer.seek(layer.position)
