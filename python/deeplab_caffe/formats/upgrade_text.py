"""Upgrading a prototxt in its places: comments, order and layout stay, and every change is known.

The message of the file is upgraded as everywhere (`upgrade.upgrade_net`); here its text is changed until it means that
message. So there is one set of rules, and the result is checked against it. Template variables stay as they are.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..errors import InputError
from . import schema
from .definition import is_solver
from .edits import Edits, Offsets
from .prototxt import Document, StandIns, to_message
from .tree import Block, Field, walk
from .upgrade import dialect_of, upgrade_net, upgrade_solver
from .upgrade_fields import Reconciler
from .upgrade_report import Change, Upgrade, shortened
from .upgrade_text_v0 import flatten, move_transformations
from .writer import format_field

_NETS = ("net_param", "train_net_param", "test_net_param")
#: fields that have had another name since 2015, with the same value; Caffe reads both
DEPRECATED = {("concat_param", "concat_dim"): "axis", ("slice_param", "slice_dim"): "axis"}
#: fields whose lists `[a, b]` fall apart before the upgrade, since their elements go different ways
_UNLISTED = {"blobs_lr", "weight_decay", "param", "blob_share_mode", "input", "input_dim", "input_shape"}
_NET_INPUTS = ("input", "input_dim", "input_shape")


def upgrade_document(document: Document) -> Upgrade:
    """A net's or a solver's text in today's form, with what changed; the document is one without values.

    Raises InputError for what Caffe refuses too, for what has no counterpart today, and where a template variable
    decides what becomes of a field.
    """
    run = Run(document)
    wanted = run.upgraded_message(notes=True)
    run.step(_unlist)
    run.step(flatten)
    run.step(move_transformations)
    run.step(_to_today)
    if run.message() != wanted:
        raise InputError(
            f"{document.filename}: cannot be upgraded with its layout kept; `deeplab prototxt format` first, or fill "
            "in its variables"
        )
    run.step(_name_axes)
    return Upgrade(document.filename, run.document.text, run.dialect, sorted(run.changes, key=_by_place), run.notes)


def _by_place(change: Change) -> tuple[int, int]:
    return change.line, change.column


class Run:
    """A file on its way: the document as it is now, and the way back to the places of the original."""

    def __init__(self, document: Document) -> None:
        self.original = self.document = document
        self.is_solver = is_solver(document)
        self.stand_ins = StandIns()
        self.changes: list[Change] = []
        self.notes: list[str] = []
        self.dialect = ""
        self._steps: list[Offsets] = []
        self._at: dict[tuple[int, int], list[int]] = {}

    def step(self, rewrite: Callable[[Run, Edits], None]) -> None:
        """Change the document; `rewrite` gathers the changes."""
        edits = Edits(self.document)
        rewrite(self, edits)
        if edits:
            text, offsets = edits.applied()
            self._steps.append(offsets)
            self.document = Document(text, self.document.filename)

    def nets(self) -> list[Block]:
        """The blocks that define nets: the file itself, or those within a solver."""
        if not self.is_solver:
            return [self.document.root]
        return [f.value for f in self.document.root.fields if f.name in _NETS and isinstance(f.value, Block)]

    def log(self, offset: int, layer: str, old: str, new: str, note: str = "") -> None:
        """Note a change at an offset of the present document."""
        line, column = self.original.place(self._before(offset))
        old, new = shortened(old), shortened(new)
        here = self._at.setdefault((line, column), [])
        for i in here:
            if self.changes[i].new == old:  # changed by an earlier step, too
                self.changes[i] = replace(self.changes[i], new=new, note=note or self.changes[i].note)
                return
        here.append(len(self.changes))
        self.changes.append(Change(line, column, layer, old, new, note))

    def where(self, offset: int) -> str:
        """`file:line:column` of an offset of the present document, as it was in the original."""
        return self.original.where(self._before(offset))

    def _before(self, offset: int) -> int:
        for step in reversed(self._steps):
            offset = step.before(offset)
        return offset

    # -- messages

    def message(self, block: Block | None = None) -> Any:
        """The present file, or one net of it, as a message; numbers stand for template variables."""
        kind = schema.SolverParameter if self.is_solver and block is None else schema.NetParameter
        return to_message(self.document, kind(), block=block, stand_ins=self.stand_ins)

    def upgraded_message(self, notes: bool = False) -> Any:
        """The message that the file is to mean."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            message = self.message()
            if not self.is_solver:
                self.dialect = dialect_of(message)
                self.upgrade(message, self.document.root)
            else:
                self.dialect = "solver"
                upgrade_solver(message, self.original.filename)
                params = [getattr(message, n) for n in _NETS[:2] if message.HasField(n)] + list(message.test_net_param)
                blocks = [b.value for name in _NETS for b in self.document.root.all(name)]
                for param, block in zip(params, blocks, strict=True):
                    assert isinstance(block, Block)
                    self.upgrade(param, block)
        self.notes += [str(warning.message) for warning in caught]
        return message

    def upgrade(self, net: Any, block: Block) -> list[int | None]:
        """Upgrade a net's message in place; faults and notes name the places of the original."""
        elements = block.all("layers") or block.all("layer")

        def where(place: int, *names: str) -> str:
            return self.where(elements[place].within(*names).start)

        return upgrade_net(net, self.original.filename, where)


def _unlist(run: Run, edits: Edits) -> None:
    """Write `name: [a, b]` as two fields where the upgrade moves elements."""
    for net in run.nets():
        layers = [f.value for f in net.all("layers") if isinstance(f.value, Block)]
        inner = [f.value for block in layers for f in block.all("layer") if isinstance(f.value, Block)]
        for block in (net, *layers, *inner):
            lists: dict[tuple[int, int], list[Field]] = {}
            for f in block.fields:
                if f.listed and f.name in _UNLISTED:
                    lists.setdefault(f.listed, []).append(f)
            for (start, end), fields in lists.items():
                name = fields[0].name
                parts = [edits.document.text[f.value.start : f.value.end] for f in fields]
                colon = "" if isinstance(fields[0].value, Block) else ":"
                edits.replace(start, end, " ".join(f"{name}{colon} {part}" for part in parts))


def _to_today(run: Run, edits: Edits) -> None:
    """From V1, DeepLab v1 and older forms of today's nets and solvers to today's."""
    for net in run.nets():
        _net_to_today(run, edits, net)
    if run.is_solver:
        old = run.message()
        new = schema.SolverParameter()
        new.CopyFrom(old)
        upgrade_solver(new, run.original.filename)
        for name in _NETS:
            new.ClearField(name)
            old.ClearField(name)
        rest = Block([f for f in run.document.root.fields if f.name not in _NETS], 0, len(run.document.text))
        Reconciler(run, edits, "").reconcile(rest, old, new)


def _net_to_today(run: Run, edits: Edits, block: Block) -> None:
    net = run.message(block)
    elements, olds = block.all("layers") or block.all("layer"), list(net.layers or net.layer)
    olds = [_copy(layer) for layer in olds]
    for element in elements:
        _check_type(run, element)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the first upgrade has noted them
        places = run.upgrade(net, block)
    inputs = [f for f in block.fields if f.name in _NET_INPUTS]
    for place, new in zip(places, net.layer, strict=True):
        if place is None:
            _write_input(run, edits, block, inputs, new)
            inputs = []
            continue
        element = elements[place]
        assert isinstance(element.value, Block)
        if element.name == "layers":
            edits.rename(element, "layer")
            run.log(element.start, new.name, "layers { … }", "layer { … }")
        Reconciler(run, edits, new.name).reconcile(element.value, olds[place], new)
    if inputs:
        run.log(inputs[0].start, "", _sources(edits, inputs), "", "without shapes, Caffe takes it for no input")
        edits.remove_all(inputs)


def _name_axes(run: Run, edits: Edits) -> None:
    """Give deprecated fields their names of today."""
    for block in walk(run.document.root.fields):
        for field in block.value.fields if isinstance(block.value, Block) else []:
            today = DEPRECATED.get((block.name, field.name))
            if today is not None:
                value = edits.source(field).partition(":")[2].strip()
                run.log(field.start, "", edits.source(field), f"{today}: {value}")
                edits.rename(field, today)


def _copy(message: Any) -> Any:
    copy = type(message)()
    copy.CopyFrom(message)
    return copy


def _check_type(run: Run, element: Field) -> None:
    """A variable cannot be a layer's enum type: what the layer becomes depends on it."""
    kind = element.value.text_of("type") if isinstance(element.value, Block) else None
    if element.name == "layers" and kind and "${" in kind:
        where = run.where(element.within("type").start)
        raise InputError(f"{where}: type: {kind} decides what the layer becomes; set it")


def _write_input(run: Run, edits: Edits, block: Block, inputs: list[Field], layer: Any) -> None:
    """Put the Input layer in the place of the input fields, or first if layers stand before those."""
    descriptor = schema.NetParameter.DESCRIPTOR.fields_by_name["layer"]
    text = run.stand_ins.restore(format_field(descriptor, layer))
    run.log(inputs[0].start, "input", _sources(edits, inputs), text)
    layers = block.all("layers") or block.all("layer")
    if layers and layers[0].start < inputs[0].start:
        edits.insert_before(layers[0], text + "\n")
        edits.remove_all(inputs)
    else:
        edits.put(inputs[0], text)
        edits.remove_all(inputs[1:])


def _sources(edits: Edits, fields: list[Field]) -> str:
    return " ".join(edits.source(f) for f in fields)
