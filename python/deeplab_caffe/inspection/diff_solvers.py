"""Two solvers in the form in which they are compared: the nets within them are upgraded, and in their plain form."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..formats import schema
from ..formats.carried import carry, unknown_values
from ..formats.messages import keeping, to_message
from ..formats.placeholders import Placeholders
from ..formats.prototxt import Document
from ..formats.tree import Block
from ..formats.upgrade import upgrade_net, upgrade_solver
from .diff_class_weights import Unknown, alike
from .diff_unknown import unknown_in, unknown_outside
from .meaning import plain

#: the fields of a solver that hold nets
_NETS = ("net_param", "train_net_param", "test_net_param")


@dataclass
class _Net:
    """A net in a solver: its upgraded message, its text, and the text of each layer (None for an added one)."""

    param: Any
    block: Block
    layers: list[Block | None]


@dataclass
class _Solver:
    """A solver's message, the nets in it by path ("test_net_param[0]"), and what the text says besides."""

    param: Any
    nets: dict[str, _Net] = field(default_factory=dict)
    unknown: Unknown = field(default_factory=list)


def alike_solvers(
    before: Document, after: Document, placeholders: Placeholders
) -> tuple[tuple[Any, Any], tuple[Unknown, Unknown]]:
    """The messages of two solvers, and (path, value) of what their texts say that no message has."""
    solvers = _read(before, placeholders), _read(after, placeholders)
    for path in dict.fromkeys((*solvers[0].nets, *solvers[1].nets)):
        _make_alike(path, solvers)
    return (solvers[0].param, solvers[1].param), (solvers[0].unknown, solvers[1].unknown)


def _read(document: Document, placeholders: Placeholders) -> _Solver:
    message = to_message(document, schema.SolverParameter(), report=keeping([]), placeholders=placeholders)
    upgrade_solver(message, document.filename)
    found = _Solver(message)
    rest = Block([item for item in document.root.fields if item.name not in _NETS])
    found.unknown = unknown_values(rest, schema.SolverParameter.DESCRIPTOR)
    for name in _NETS:
        blocks = [f.value for f in document.root.all(name) if isinstance(f.value, Block)]
        several = name == "test_net_param"
        nets = message.test_net_param if several else [getattr(message, name)] if message.HasField(name) else ()
        for i, (net, block) in enumerate(zip(nets, blocks, strict=False)):
            elements = block.all("layers") or block.all("layer")
            places = upgrade_net(net, document.filename)
            carry(document, elements, places, net.layer, placeholders)
            texts = [None if place is None else elements[place].value for place in places]
            layers = [text if isinstance(text, Block) else None for text in texts]
            found.nets[f"{name}[{i}]" if several else name] = _Net(net, block, layers)
    return found


def _make_alike(path: str, solvers: tuple[_Solver, _Solver]) -> None:
    """Bring a net in both solvers into its plain form; add what its text says besides."""
    nets = [solver.nets[path] for solver in solvers if path in solver.nets]
    said = [[unknown_in(text) for text in net.layers] for net in nets]
    if len(nets) == 2:
        for i, (old, new) in enumerate(zip(nets[0].param.layer, nets[1].param.layer, strict=False)):
            *changed, (said[0][i], said[1][i]) = alike(old, new, (said[0][i], said[1][i]))
            for layer, form in zip((old, new), changed, strict=True):
                layer.CopyFrom(form)
    for solver, net, found in zip((s for s in solvers if path in s.nets), nets, said, strict=True):
        named = [(name, value) for name, value in unknown_outside(net.block)]
        named += [(f"layer[{i}].{name}", value) for i, values in enumerate(found) for name, value in values]
        solver.unknown += [(f"{path}.{name}", value) for name, value in named]
        for layer in net.param.layer:
            layer.CopyFrom(plain(layer))
