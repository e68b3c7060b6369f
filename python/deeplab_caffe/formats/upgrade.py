"""Bringing net and solver messages of older dialects to today's form. Mirrors `upgrade_proto.cpp`."""

from __future__ import annotations

from typing import Any

from ..errors import InputError
from . import schema

_SOLVER_TYPES = ["SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam"]


def upgrade_net(net: Any, source: str) -> bool:
    """Upgrade a NetParameter in place; returns whether an Input layer was put first.

    `input` fields become an Input layer; the three parameters of a BatchNorm get lr_mult 0. Raises InputError for
    `layers` of 2014 and older, and for input fields whose shapes do not add up.
    """
    if net.layers:
        raise InputError(
            f"{source}: written in the dialect of 2014 or older ('layers' with enum types); only 'layer' with string "
            "types can be run. Upgrade the file first"
        )
    added = _upgrade_input(net, source)
    for layer in net.layer:
        if layer.type == "BatchNorm" and len(layer.param) == 3:
            for param in layer.param:
                param.lr_mult = param.decay_mult = 0
    return added


def _upgrade_input(net: Any, source: str) -> bool:
    names, shapes, dims = list(net.input), list(net.input_shape), list(net.input_dim)
    if not names:
        return False
    if shapes and dims:
        raise InputError(f"{source}: states both input_shape and input_dim")
    if shapes and len(shapes) != len(names):
        raise InputError(f"{source}: states {len(shapes)} input_shape for {len(names)} inputs")
    if dims and len(dims) != 4 * len(names):
        raise InputError(f"{source}: states {len(dims)} input_dim, wanted 4 for each of {len(names)} inputs")
    net.ClearField("input")
    net.ClearField("input_shape")
    net.ClearField("input_dim")
    if not shapes and not dims:
        return False
    layer = schema.LayerParameter(name="input", type="Input", top=names)
    for i in range(len(names)):
        layer.input_param.shape.add(dim=shapes[i].dim if shapes else dims[4 * i : 4 * i + 4])
    rest = list(net.layer)
    net.ClearField("layer")
    net.layer.extend([layer, *rest])
    return True


def upgrade_solver(solver: Any, source: str) -> None:
    """Upgrade a SolverParameter in place: the enum `solver_type` becomes `type`."""
    if solver.HasField("solver_type"):
        if solver.HasField("type"):
            raise InputError(f"{source}: states both type and solver_type")
        solver.type = _SOLVER_TYPES[solver.solver_type]
        solver.ClearField("solver_type")
