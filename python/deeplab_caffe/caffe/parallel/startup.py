"""Solvers that train together begin alike: the same net and data, the root's weights, history and seed."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any

from ...errors import InputError
from .. import mode
from ..layer_types.base import DataLayer
from .all_reduce import GradientAverage
from .group import Group

if TYPE_CHECKING:
    from ..solver.solver import Solver

#: fields that may differ from machine to machine
_PLACES = ("source", "root_folder", "mean_file")


def take_part(solver: Solver) -> None:
    """Make a solver one of its group: the same start as the root's, and the mean of all gradients in every update."""
    solver.takes_part = True
    begin_alike(solver.group, solver)
    average = GradientAverage(solver.group, solver.net, solver.param.iter_size)
    solver.add_callback(average.on_start, average.on_gradients_ready)
    if solver.param.layer_wise_reduce:
        solver.net.after_backward(average)


def begin_alike(group: Group, solver: Solver) -> None:
    """Check that all workers train the same, and give them the root's seed, weights and history.

    Raises InputError, on every worker, that names the worker and the layer, parameter or number which differs.
    """
    texts = group.gather(json.dumps(_description(solver)))
    root, *others = (json.loads(text) for text in texts)
    for rank, other in enumerate(others, 1):
        _compare(rank, other, root)
    _take_seed(solver, int(root["seed"]))
    group.broadcast([p.blob.data_tensor() for p in solver.net.learnable_params])
    group.broadcast(solver.history)


def _description(solver: Solver) -> dict[str, Any]:
    net = solver.net
    layers = zip(net._layer_names, net.layers, strict=True)
    return {
        "seed": mode.seed(),
        "iter": solver.iter,
        "solver": f"{solver.type}, checksum {_solver_checksum(solver):08x}",
        "layers": {name: f"{layer.type}, checksum {_checksum(layer.param):08x}" for name, layer in layers},
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
            f"{who} has another net than the root: {counts} ({', '.join(odd[:5])}); "
            "all workers must read the same prototxt"
        )
    for name, text in root["layers"].items():
        if other["layers"][name] != text:
            raise InputError(
                f"{who} has another net than the root: layer '{name}' is {other['layers'][name]}, the root's {text}; "
                "all workers must read the same prototxt"
            )
    for name, contents in root["data"].items():
        if other["data"][name] != contents:
            raise InputError(
                f"{who} has other data than the root: layer '{name}' reads {other['data'][name]}, the root's "
                f"{contents}; the workers share the items of one list out among them, so it must be the same for all"
            )
    for what, advice in (
        ("params", "set-up gave parameters other shapes"),
        ("solver", "all workers must read the same solver prototxt"),
        ("iter", "all must be given the same snapshot, and be able to read it"),
    ):
        if other[what] != root[what]:
            raise InputError(f"{who} differs from the root in {what}: {other[what]}, the root {root[what]}; {advice}")


def _solver_checksum(solver: Solver) -> int:
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


def _take_seed(solver: Solver, seed: int) -> None:
    """Draw as the root does which items come next."""
    if seed == mode.seed():
        return
    mode.set_random_seed(seed)
    for layer in solver.net.layers:
        if isinstance(layer, DataLayer):
            layer.seek(layer.position)
