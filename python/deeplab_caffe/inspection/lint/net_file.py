"""A net's file as lint sees it: as much of it as can be read, and the net in each state that it is used in."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from ...errors import InputError
from ...formats import schema
from ...formats.carried import carry
from ...formats.definition import Definition, Entry, is_included, stages_of_rules
from ...formats.foreign_types import is_known
from ...formats.layer_facts import LOSS
from ...formats.layers_read import LayerMessages, LayersRead
from ...formats.messages import Problem, to_message
from ...formats.prototxt import Block, Document, Field
from ...formats.python_layers import to_native
from ...formats.upgrade import dialect_of, upgrade_net
from ...formats.wiring import Maker, Wiring
from .findings import Fix, Hit
from .layer import LintBlob, LintLayer
from .shape_view import ShapeView

OLD_DIALECTS = ("V0", "V1", "DeepLab v1")
_PHASES = {schema.TRAIN: "TRAIN", schema.TEST: "TEST"}


class NetFile:
    """The net in a document, or in one block of it.

    with_shapes: whether shapes are inferred, which needs the engine. earlier: the net in an earlier version of the
    document, of which what has not changed is taken over. problems: what does not match the schema. refused: why it
    cannot be upgraded to today's form; it has no layers then.
    """

    def __init__(
        self,
        document: Document,
        block: Block | None = None,
        with_shapes: bool = True,
        earlier: NetFile | None = None,
    ) -> None:
        self.document = document
        self.with_shapes = with_shapes
        self.block = block or document.root
        self.problems: list[Problem] = []
        self.refused: InputError | None = None
        self.layers: list[LintLayer] = []
        self._views: list[View] = []
        #: whether the states are those that a solver names, and not guessed from the net's own rules
        self.states_known = False
        #: by state, for all copies: the net's meaning, and its shapes
        self.kept: dict[Any, tuple[bytes, ShapeView]] = {}
        self._known_shapes = earlier.shapes_known() if earlier else {}
        #: the layers' messages, with which another version of the document is read faster
        self.messages: LayerMessages = {}
        message = to_message(
            document,
            schema.NetParameter(),
            block=self.block,
            report=self.problems.append,
            layers=LayersRead(earlier.messages if earlier else {}, self.messages),
        )
        self.dialect = dialect_of(message)
        self.is_old = self.dialect in OLD_DIALECTS
        self.has_inputs = bool(message.input)
        self.param = message
        self.elements = self.block.all("layers") or self.block.all("layer")
        self.elements = [f for f in self.elements if isinstance(f.value, Block)]
        self._upgrade()

    def _upgrade(self) -> None:
        def where(place: int, *names: str) -> str:
            return self.document.where(self.elements[place].within(*names).start)

        self.own_fields = _fields_of_the_first_release(self)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # `deeplab prototxt upgrade` reports them
                places = upgrade_net(self.param, self.document.filename, where)
            carry(self.document, self.elements, places, self.param.layer)
        except InputError as error:
            self.refused = error
            return
        unread = [problem for problem in self.problems if problem.kind != "foreign-field" or problem.resizes]
        damaged = [error.offset for error in (*(problem.error for problem in unread), *self.document.errors)]
        for i, (place, param) in enumerate(zip(places, self.param.layer, strict=True)):
            element = None if place is None else self.elements[place]
            lost = element is not None and any(element.start <= (at or 0) <= element.end for at in damaged)
            lost |= not is_known(param.type)
            is_other = to_native(param) or self.is_old  # deeplab_layers' Python layers are linted as what they are
            self.layers.append(LintLayer(self.document, i, param, element, lost, is_other))

    def hit(self, offset: int, message: str, advice: str, fix: Fix | None = None) -> Hit:
        """A hit outside of layers."""
        return Hit(self.document, offset, "", message, advice, fix)

    def is_broken(self, layer: LintLayer) -> bool:
        """Whether part of a layer's text could not be parsed."""
        places = [error.offset or 0 for error in self.document.errors]
        return layer.element is not None and any(layer.element.start <= at <= layer.element.end for at in places)

    def shapes_known(self) -> dict[Any, tuple[bytes, ShapeView]]:
        """The shapes in the states for which they were asked, each with the net's meaning."""
        return dict(self.kept)

    def meaning(self) -> bytes:
        """All of the net that its shapes depend on."""
        incomplete = bytes(layer.incomplete for layer in self.layers)
        whole: bytes = self.param.SerializePartialToString(deterministic=True)
        return incomplete + whole

    def shapes_of(self, view: View) -> ShapeView:
        """The shapes in a state, inferred once, and not again if only places have changed since an earlier version."""
        if view.key not in self.kept:
            meaning = self.meaning()
            known, shapes = self._known_shapes.pop(view.key, (b"", None))
            same = shapes is not None and known == meaning and not shapes.faults
            found = shapes.moved(view.layers, view.bottoms) if shapes is not None and same else self._inferred(view)
            self.kept[view.key] = meaning, found
        return self.kept[view.key][1]

    def _inferred(self, view: View) -> ShapeView:
        definition = self.definition() if self.with_shapes and self.layers else None
        return ShapeView(definition, view.state, view.layers, view.bottoms)

    def copy(self) -> NetFile:
        """The same net, to be looked at in other states; both share what they find out of one state."""
        other = copy.copy(self)
        other._views, other.states_known = [], False
        return other

    def definition(self) -> Definition:
        """The definition for the engine, without incomplete layers."""
        known = [layer for layer in self.layers if not layer.incomplete]
        return Definition(self.param, [Entry(layer.param, layer.origin) for layer in known], self.document.filename)

    @property
    def views(self) -> list[View]:
        """The net in each state that it is used in: by a solver, or by its include and exclude rules."""
        if not self._views:
            self._views = _views_of(self)
        return self._views

    def look_at(self, views: list[View]) -> None:
        """Set the states in which the net is used."""
        self._views, self.states_known = views, True


#: fields that only DeepLab's first release has, in messages that still exist → today's name, None if there is none
FORMER: Mapping[tuple[str, str], str | None] = {
    ("convolution_param", "hole"): "dilation",
    ("convolution_param", "hole_h"): "dilation",
    ("convolution_param", "hole_w"): "dilation",
    ("image_data_param", "has_label"): None,
    ("image_data_param", "max_labels"): None,
}


def _fields_of_the_first_release(file: NetFile) -> list[tuple[Field, Field, str | None]]:
    """Fields of the first release in a net of today's form: (layer, field, today's name); removed from the message.

    The engine refuses them; lint reports them and checks the rest.
    """
    if file.param.layers:
        return []
    found = []
    for element, param in zip(file.elements, file.param.layer, strict=False):
        for (message, name), today in FORMER.items():
            if not param.HasField(message) or not getattr(param, message).HasField(name):
                continue
            inner = getattr(param, message)
            if name == "hole":
                inner.dilation.append(inner.hole)
            inner.ClearField(name)
            stated = element.value.last(message) if isinstance(element.value, Block) else None
            if stated is not None and isinstance(stated.value, Block):
                found += [(element, field, today) for field in stated.value.all(name)]
    return found


# -- the net in one state


class View:
    """A net in one state: the layers included in it, and their blobs.

    bottoms, tops: by the layer's index; a bottom that no layer makes is None.
    """

    def __init__(self, file: NetFile, phase: int, stages: tuple[str, ...] = (), level: int = 0) -> None:
        self.file, self.phase, self.stages, self.level = file, phase, stages, level
        self.state = schema.NetState(phase=phase, stage=stages, level=level)
        self.layers = [layer for layer in file.layers if is_included(layer.param, self.state)]

    @property
    def bottoms(self) -> dict[int, list[LintBlob | None]]:
        return self._connected[0]

    @property
    def tops(self) -> dict[int, list[LintBlob]]:
        return self._connected[1]

    @property
    def blobs(self) -> list[LintBlob]:
        """All blobs, in the order in which they are made."""
        return self._connected[2]

    @cached_property
    def _connected(self) -> tuple[dict[int, list[LintBlob | None]], dict[int, list[LintBlob]], list[LintBlob]]:
        bottoms: dict[int, list[LintBlob | None]] = {}
        tops: dict[int, list[LintBlob]] = {}
        wiring = Wiring([layer.param for layer in self.layers], one_state=True)
        made: dict[Maker, LintBlob] = {}
        for place, layer in enumerate(self.layers):
            read = [made[makers[0]] if makers else None for makers in wiring.makers[place]]
            for blob in read:
                if blob is not None:
                    blob.readers.append(layer)
            for i, name in enumerate(layer.tops):
                in_place = i < len(layer.bottoms) and layer.bottoms[i] == name
                made[place, i] = LintBlob(name, layer, i, read[i] if in_place else None)
            bottoms[layer.index] = read
            tops[layer.index] = [made[place, i] for i in range(len(layer.tops))]
        return bottoms, tops, list(made.values())

    @property
    def key(self) -> tuple[Any, ...]:
        """The state as a value."""
        return self.phase, self.stages, self.level

    @property
    def title(self) -> str:
        """`TRAIN`, or `TEST deploy` with its stages."""
        return " ".join([_PHASES[self.phase], *self.stages])

    @property
    def is_train(self) -> bool:
        return self.phase == schema.TRAIN

    @cached_property
    def losses(self) -> list[LintLayer]:
        """The layers that are losses."""
        return [layer for layer in self.layers if is_loss(layer)]

    @property
    def trains(self) -> bool:
        """Whether this is a training net with a loss."""
        return self.is_train and bool(self.losses)

    @property
    def sources(self) -> list[LintLayer]:
        """The layers without bottoms."""
        return [layer for layer in self.layers if not layer.bottoms and layer.tops]

    def bottom(self, layer: LintLayer, index: int) -> LintBlob | None:
        """A bottom of a layer; None if there is none, or no layer makes it."""
        bottoms = self.bottoms[layer.index]
        return bottoms[index] if index < len(bottoms) else None

    def ancestors(self, blob: LintBlob | None, *, through: Iterable[str] = ()) -> Iterator[LintBlob]:
        """The blob and all that it depends on, nearest first; with `through`, only through layers of these types."""
        todo, seen = [blob], set()
        through = set(through)
        while todo:
            item = todo.pop(0)
            if item is None or id(item) in seen:
                continue
            seen.add(id(item))
            yield item
            if not through or item.maker.type in through:
                todo += self.bottoms[item.maker.index]

    @cached_property
    def shapes(self) -> ShapeView:
        """The shape of every blob, by the engine's rules."""
        return self.file.shapes_of(self)


def is_loss(layer: LintLayer) -> bool:
    """Whether a layer is a loss."""
    return layer.facts.kind == LOSS or any(layer.param.loss_weight)


def _views_of(file: NetFile) -> list[View]:
    """The net in each phase, and with the stages that its rules name, in which it has a layer without bottoms.

    A state with the same layers as another is omitted; if no state has such a layer, TRAIN is the only one.
    """
    stages = stages_of_rules(layer.param for layer in file.layers)
    views: dict[tuple[int, ...], View] = {}
    for phase in (schema.TRAIN, schema.TEST):
        for chosen in stages:
            view = View(file, phase, chosen)
            if view.sources:
                views.setdefault(tuple(layer.index for layer in view.layers), view)
    return list(views.values()) or [View(file, schema.TRAIN)]


def is_missing(name: str) -> bool:
    """Whether a file does not exist; not checked if its name contains a template variable."""
    return "\0" in name or ("${" not in name and not Path(name).exists())
