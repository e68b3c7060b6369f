"""Nets and solvers as their prototxt files define them: upgraded messages, with the place of everything."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import InputError
from . import messages, prototxt, schema
from .carried import carry
from .foreign_types import is_known
from .placeholders import Placeholders
from .upgrade import upgrade_net, upgrade_solver


@dataclass
class Entry:
    """A layer's definition (a LayerParameter) and its place, `file:line:column`."""

    param: Any
    origin: str

    def error(self, message: str) -> InputError:
        where = f"{self.origin}: " if self.origin else ""
        return InputError(f"{where}layer '{self.param.name}' ({self.param.type}): {message}")

    @contextmanager
    def named(self) -> Iterator[None]:
        """Within a `with` block, every InputError names this layer and its place."""
        try:
            yield
        except InputError as error:
            if f"layer '{self.param.name}'" in str(error):
                raise
            raise self.error(str(error)) from None


@dataclass
class Definition:
    """A net's upgraded message with the origin of every layer.

    unknown: by the origin of a layer (the source outside of layers), what the file says besides, which another Caffe
    may know; texts: by the origin, the layers with any of it as they are written.
    """

    param: Any
    entries: list[Entry]
    source: str
    unknown: dict[str, list[messages.Problem]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)


def read_definition(path: str | os.PathLike[str], variables: Mapping[str, str] | None = None) -> Definition:
    """Read a net's prototxt of any dialect and upgrade it.

    Args:
        path: the file.
        variables: the values of template variables.

    Raises:
        InputError: the file cannot be read, or is not a valid net; names the place.
    """
    return definition_in(prototxt.Document.read(path, variables))


def definition_in(
    document: prototxt.Document, placeholders: Placeholders | None = None, keep_unknown: bool = False
) -> Definition:
    """The net that a parsed file defines, upgraded.

    Args:
        document: the parsed file.
        placeholders: accept template variables without values: they stay in names, and numbers take their place in
            numeric fields.
        keep_unknown: list fields and words that another Caffe may know in `unknown` instead of raising. The type of a
            layer may be unknown in any case.

    Raises:
        InputError: the file is not a valid net; names the place.
    """
    path = document.filename
    found: list[messages.Problem] = []
    param = schema.NetParameter()
    if keep_unknown:
        messages.to_message(document, param, report=messages.keeping(found), placeholders=placeholders)
    else:
        messages.to_running_message(document, param, placeholders=placeholders)
    elements = document.root.all("layers" if param.layers else "layer")

    def where(place: int, *names: str) -> str:
        return document.where(elements[place].within(*names).start)

    places = upgrade_net(param, path, where)
    carry(document, elements, places, param.layer, placeholders)
    origins = [f"{path}:1:1" if place is None else document.where(elements[place].start) for place in places]
    for layer, origin in zip(param.layer, origins, strict=True):
        for value in (*layer.bottom, *layer.top, layer.name):
            if "${" in value and placeholders is None:
                raise InputError(f"{origin}: layer '{layer.name}': '{value}' has a template variable; set it")
    definition = Definition(param, [Entry(p, o) for p, o in zip(param.layer, origins, strict=True)], path)
    starts = [element.start for element in elements]
    for problem in found:
        offset = problem.error.offset or 0
        element = elements[max(bisect_right(starts, offset) - 1, 0)] if elements else None
        within = element is not None and element.start <= offset <= element.end
        origin = document.where(element.start) if element is not None and within else path
        definition.unknown.setdefault(origin, []).append(problem)
    for element in elements:
        origin = document.where(element.start)
        kind = element.value.text_of("type") if isinstance(element.value, prototxt.Block) else None
        if origin in definition.unknown or not is_known(kind or ""):
            definition.texts[origin] = document.text[element.start : element.end]
    return definition


def definition_of(param: Any, source: str = "") -> Definition:
    """A definition from a NetParameter in memory (copied)."""
    copy = schema.NetParameter()
    copy.CopyFrom(param)
    upgrade_net(copy, source or copy.name or "net")
    return Definition(copy, [Entry(p, source) for p in copy.layer], source)


@dataclass
class SolverDefinition:
    """A solver's upgraded message, with the places of its fields."""

    param: Any
    source: str
    document: prototxt.Document | None = None

    def where(self, *fields: str) -> str:
        """`file:line:column` of the first of these fields that the file has, or the file if it has none."""
        if self.document:
            for name in fields:
                if found := self.document.root.all(name):
                    return self.document.where(found[-1].start)
        return self.source

    def error(self, fields: str, message: str) -> InputError:
        """An error at the first of these fields (names separated by spaces) that the file has."""
        return InputError(f"{self.where(*fields.split())}: {message}")


def read_solver(path: str | os.PathLike[str]) -> Any:
    """Read a solver prototxt as a SolverParameter; see `read_solver_definition`."""
    return read_solver_definition(path).param


def read_solver_definition(path: str | os.PathLike[str]) -> SolverDefinition:
    """Read a solver prototxt; a missing snapshot_prefix becomes the file's path without suffix."""
    document = prototxt.Document.read(path)
    param = messages.to_running_message(document, schema.SolverParameter())
    upgrade_solver(param, str(path))
    if not param.snapshot_prefix:
        param.snapshot_prefix = str(Path(path).with_suffix(""))
    elif os.path.isdir(param.snapshot_prefix):
        param.snapshot_prefix = os.path.join(param.snapshot_prefix, Path(path).stem)
    return SolverDefinition(param, str(path), document)


def is_solver(document: prototxt.Document) -> bool:
    """Whether a file is a solver: it has a top-level field that only solvers have."""
    return any(item.name in _SOLVERS_OWN for item in document.root.fields)


_NETS_FIELDS, _SOLVERS_FIELDS = (m.DESCRIPTOR.fields_by_name for m in (schema.NetParameter, schema.SolverParameter))
_SOLVERS_OWN = set(_SOLVERS_FIELDS) - set(_NETS_FIELDS)


def meets(state: Any, rule: Any) -> bool:
    """Whether a NetState meets every condition of a NetStateRule."""
    return unmet_condition(state, rule) is None


def unmet_condition(state: Any, rule: Any) -> str | None:
    """The first condition of a NetStateRule that a NetState does not meet, in Caffe's words; None if it meets all."""
    if rule.HasField("phase") and rule.phase != state.phase:
        return f"The NetState phase ({state.phase}) differed from the phase ({rule.phase})"
    if rule.HasField("min_level") and state.level < rule.min_level:
        return f"The NetState level ({state.level}) is above the min_level ({rule.min_level})"  # Caffe's own mistake
    if rule.HasField("max_level") and state.level > rule.max_level:
        return f"The NetState level ({state.level}) is above the max_level ({rule.max_level})"
    lacking = next((f"did not contain stage '{s}'" for s in rule.stage if s not in state.stage), None)
    unwanted = next((f"contained a not_stage '{s}'" for s in rule.not_stage if s in state.stage), None)
    return f"The NetState {lacking or unwanted}" if lacking or unwanted else None


def is_included(layer: Any, state: Any, meets: Callable[[Any, Any], bool] = meets) -> bool:
    """Whether the include and exclude rules of a LayerParameter include it in a net in this NetState.

    Args:
        layer: a LayerParameter.
        state: a NetState.
        meets: called with the state and each rule until the question is answered.
    """
    if layer.include:
        return any(meets(state, rule) for rule in layer.include)
    return not any(meets(state, rule) for rule in layer.exclude)


def stages_of_rules(layers: Iterable[Any]) -> list[tuple[str, ...]]:
    """The stages that the rules of layers tell apart: none first, then each by itself and what one rule asks together.

    Args:
        layers: messages with `include` and `exclude`.
    """
    rules = [rule for layer in layers for rule in (*layer.include, *layer.exclude)]
    return [(), *sorted({(stage,) for r in rules for stage in r.stage} | {tuple(r.stage) for r in rules if r.stage})]


def net_path(solver: str | os.PathLike[str], net: str) -> str:
    """The path of the net that a solver names: relative to the current folder, as in Caffe, else beside the solver."""
    beside = Path(solver).parent / Path(net).name
    if os.path.exists(net) or not beside.exists():
        return net
    return str(beside)
